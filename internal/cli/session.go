package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"strings"

	"github.com/pawl-ci/pawl/internal/client"
)

// session is one command at work: the server it talks to, and where it prints.
type session struct {
	printer
	*client.Client
	flags  *Flags
	server *server
}

// open finds out which server is meant. Flags and environment win over the context.
func (f *Flags) open(t *Terminal) (*session, error) {
	s := &server{}
	if f.URL == "" || f.Token == "" || f.Context != "" {
		all, err := readContexts()
		if err != nil {
			return nil, err
		}
		found, err := all.find(f.Context)
		if err != nil {
			return nil, err
		}
		if found != nil {
			s = found
		}
	}
	if f.URL != "" {
		s = &server{URL: strings.TrimRight(f.URL, "/"), Token: tokenFor(s, f.URL), Repo: s.Repo}
	}
	if f.Token != "" {
		s.Token = f.Token
	}
	if s.URL == "" {
		return nil, errors.New("which server? Add one with `pawl context add NAME --url URL`, or set PAWL_URL and PAWL_TOKEN")
	}
	p := printer{Terminal: t}
	if f.NoColor || f.JSON {
		still := *t
		still.Rich = false
		p.Terminal = &still
	}
	return &session{printer: p, Client: &client.Client{URL: s.URL, Token: s.Token}, flags: f, server: s}, nil
}

// tokenFor lends the token of a context to its own server only, never to another address.
func tokenFor(s *server, address string) string {
	if strings.TrimRight(address, "/") == s.URL {
		return s.Token
	}
	return ""
}

// repo is the repository that is meant: by flag, context, or the git remote of the working directory.
func (s *session) repo(ctx context.Context) (string, error) {
	name := s.flags.Repo
	if name == "" {
		name = s.server.Repo
	}
	if name == "" {
		name = remoteRepo(ctx, s.URL)
	}
	if name == "" {
		return "", errors.New("which repository? Name it with -R OWNER/NAME, or set PAWL_REPO")
	}
	if !isRepo(name) {
		return "", errNotARepo(name)
	}
	return name, nil
}

func errNotARepo(name string) error {
	return fmt.Errorf("%q is not a repository: it must be OWNER/NAME", name)
}

func isRepo(name string) bool {
	owner, repo, found := strings.Cut(name, "/")
	return found && isName(owner) && isName(repo)
}

func isName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/?#% ")
}

// remoteRepo is the repository that the remote origin of the working directory names, if it is on this server.
func remoteRepo(ctx context.Context, server string) string {
	out, err := exec.CommandContext(ctx, "git", "remote", "get-url", "origin").Output()
	if err != nil {
		return "" // no git, no repository, or no remote
	}
	return repoOfRemote(strings.TrimSpace(string(out)), server)
}

func repoOfRemote(remote, server string) string {
	at, err := url.Parse(remote)
	if err != nil {
		return ""
	}
	base, err := url.Parse(server)
	if err != nil || at.Host != base.Host {
		return ""
	}
	name := strings.TrimPrefix(strings.TrimPrefix(at.Path, base.Path), "/")
	name = strings.TrimSuffix(strings.TrimSuffix(name, "/"), ".git")
	if !isRepo(name) {
		return ""
	}
	return name
}
