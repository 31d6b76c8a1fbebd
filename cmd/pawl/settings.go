package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// strictJSON reads the file of --config. Like flags, a setting that does not exist is an error.
func strictJSON(r io.Reader) (kong.Resolver, error) {
	values := map[string]json.RawMessage{}
	if err := json.NewDecoder(r).Decode(&values); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	return &fileSettings{values: values}, nil
}

// fileSettings resolves flags from a file.
type fileSettings struct{ values map[string]json.RawMessage }

// Validate refuses settings that no command has.
func (s *fileSettings) Validate(app *kong.Application) error {
	known := map[string]bool{}
	addFlags(app.Node, known)
	for name := range s.values {
		if !known[name] {
			return fmt.Errorf("settings: there is no setting %q", name)
		}
	}
	return nil
}

func addFlags(n *kong.Node, known map[string]bool) {
	for _, f := range n.Flags {
		known[f.Name] = true
	}
	for _, child := range n.Children {
		addFlags(child, known)
	}
}

func isSet(variable string) bool {
	_, set := os.LookupEnv(variable)
	return set
}

// Resolve implements kong.Resolver.
func (s *fileSettings) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	raw, found := s.values[flag.Name]
	// kong would let a file win over the environment.
	if !found || slices.ContainsFunc(flag.Envs, isSet) {
		return nil, nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	return strings.TrimSpace(string(raw)), nil
}
