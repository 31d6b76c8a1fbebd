package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/pawl-ci/pawl/internal/client"
)

type contextCommands struct {
	List contextList `cmd:"" help:"List the contexts."`
	Add  contextAdd  `cmd:"" help:"Add a server, or change one. The token is read from PAWL_TOKEN or standard input."`
	Use  contextUse  `cmd:"" help:"Make a context the current one."`
	Rm   contextRm   `cmd:"" help:"Forget a context."`
}

type contextList struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// shownContext leaves the token out.
type shownContext struct {
	Name    string `json:"name"`
	URL     string `json:"url"`
	Repo    string `json:"repo"`
	Current bool   `json:"current"`
}

// Run lists the contexts.
func (c *contextList) Run(t *Terminal) error {
	all, err := readContexts()
	if err != nil {
		return err
	}
	shown := make([]shownContext, len(all.Servers))
	for i, s := range all.Servers {
		shown[i] = shownContext{Name: s.Name, URL: s.URL, Repo: s.Repo, Current: s.Name == all.Current}
	}
	p := printer{Terminal: t}
	if c.JSON {
		return p.json(shown)
	}
	table := p.table("", "NAME", "URL", "REPOSITORY")
	for _, s := range shown {
		mark := ""
		if s.Current {
			mark = "*"
		}
		table.row(plain(mark), plain(s.Name), plain(s.URL), plain(s.Repo))
	}
	return table.print()
}

type contextAdd struct {
	Name  string `arg:"" help:"Name of the context."`
	URL   string `name:"url" required:"" help:"Address of the server."`
	Token string `env:"PAWL_TOKEN" help:"Access token; give it by environment or standard input."`
	Repo  string `help:"Repository that is meant when none is named." placeholder:"OWNER/NAME"`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// Run asks the server who the token belongs to, and writes the context down when it knows.
func (c *contextAdd) Run(ctx context.Context, t *Terminal) error {
	s, err := c.server(t)
	if err != nil {
		return err
	}
	me, err := (&client.Client{URL: s.URL, Token: s.Token}).Me(ctx)
	if err != nil {
		return fmt.Errorf("the server does not know this token: %w", err)
	}
	all, err := readContexts()
	if err != nil {
		return err
	}
	all.put(s)
	if all.Current == "" || len(all.Servers) == 1 {
		all.Current = s.Name
	}
	if err := all.write(); err != nil {
		return err
	}
	return printer{t}.change(c.JSON, result{Name: s.Name, Result: "added"}, "%s: %s as %s", s.Name, s.URL, me.Login)
}

func (c *contextAdd) server(t *Terminal) (server, error) {
	address, err := url.Parse(c.URL)
	if err != nil || address.Host == "" || (address.Scheme != "http" && address.Scheme != "https") {
		return server{}, fmt.Errorf("%q is not the address of a server", c.URL)
	}
	if c.Repo != "" && !isRepo(c.Repo) {
		return server{}, errNotARepo(c.Repo)
	}
	if c.Token == "" {
		if c.Token, err = ReadValue(t, "token: "); err != nil {
			return server{}, err
		}
	}
	if c.Token == "" {
		return server{}, errors.New("a token is needed")
	}
	return server{Name: c.Name, URL: strings.TrimRight(c.URL, "/"), Token: c.Token, Repo: c.Repo}, nil
}

// oneContext is the argument of verbs about one context.
type oneContext struct {
	Name string `arg:"" help:"Name of the context."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// edit changes the contexts, of which one must have the name.
func (c *oneContext) edit(t *Terminal, done string, do func(*contexts)) error {
	all, err := readContexts()
	if err != nil {
		return err
	}
	if _, err := all.find(c.Name); err != nil {
		return err
	}
	do(all)
	if err := all.write(); err != nil {
		return err
	}
	return printer{t}.change(c.JSON, result{Name: c.Name, Result: done}, "%s: %s", c.Name, done)
}

type contextUse struct{ oneContext }

// Run makes the context the current one.
func (c *contextUse) Run(t *Terminal) error {
	return c.edit(t, "in use", func(all *contexts) { all.Current = c.Name })
}

type contextRm struct{ oneContext }

// Run forgets the context.
func (c *contextRm) Run(t *Terminal) error {
	return c.edit(t, "forgotten", func(all *contexts) { all.remove(c.Name) })
}
