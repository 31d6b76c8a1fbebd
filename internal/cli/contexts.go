package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// server is one context: a server and how this user is known there.
type server struct {
	Name  string `json:"name"`
	URL   string `json:"url"`
	Token string `json:"token"`
	// Repo is the repository that is meant when none is named; it may be empty.
	Repo string `json:"repo,omitempty"`
}

// contexts is the file of all contexts. It holds tokens, hence only its owner may read it.
type contexts struct {
	Current string   `json:"current"`
	Servers []server `json:"contexts"`
}

// contextsPath is contexts.json in the user's directory of settings; PAWL_CONTEXTS names another file.
func contextsPath() (string, error) {
	if path := os.Getenv("PAWL_CONTEXTS"); path != "" {
		return path, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("contexts: %w", err)
	}
	return filepath.Join(dir, "pawl", "contexts.json"), nil
}

// readContexts returns no contexts when there is no file.
func readContexts() (*contexts, error) {
	path, err := contextsPath()
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &contexts{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("contexts: %w", err)
	}
	var all contexts
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, fmt.Errorf("contexts: %s: %w", path, err)
	}
	return &all, nil
}

// write replaces the file in one step, so that a crash leaves the old one.
func (c *contexts) write() (err error) {
	path, err := contextsPath()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("contexts: %w", err)
		}
	}()
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	fresh, err := os.CreateTemp(filepath.Dir(path), ".contexts-") // readable by its owner only
	if err != nil {
		return err
	}
	_, err = fresh.Write(append(raw, '\n'))
	if err = errors.Join(err, fresh.Close()); err == nil {
		err = os.Rename(fresh.Name(), path)
	}
	if err != nil {
		_ = os.Remove(fresh.Name())
	}
	return err
}

// find returns the context with a name; the current one for an empty name, and nil if there is no current one.
func (c *contexts) find(name string) (*server, error) {
	if name == "" {
		name = c.Current
	}
	if name == "" {
		return nil, nil
	}
	for i := range c.Servers {
		if c.Servers[i].Name == name {
			return &c.Servers[i], nil
		}
	}
	return nil, fmt.Errorf("there is no context %q; `pawl context list` shows them", name)
}

// put adds a context or replaces the one with its name.
func (c *contexts) put(s server) {
	c.Servers = slices.DeleteFunc(c.Servers, func(o server) bool { return o.Name == s.Name })
	c.Servers = append(c.Servers, s)
	slices.SortFunc(c.Servers, func(a, b server) int { return strings.Compare(a.Name, b.Name) })
}

func (c *contexts) remove(name string) {
	c.Servers = slices.DeleteFunc(c.Servers, func(o server) bool { return o.Name == name })
	if c.Current == name {
		c.Current = ""
	}
}
