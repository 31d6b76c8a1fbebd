// Package openapi holds the description of the REST API (OpenAPI 3.0), one file for each resource. The tests of
// apiserver validate every request and reply against it, and that it names exactly the routes that are there.
package openapi

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed *.yaml
var files embed.FS

// fragment is what one file adds to the document.
type fragment struct {
	Paths      map[string]map[string]any `yaml:"paths"`
	Schemas    map[string]any            `yaml:"schemas"`
	Parameters map[string]any            `yaml:"parameters"`
}

// base is the file with what is not of one resource.
const base = "base.yaml"

// Document returns the whole description as JSON, made once. An error means that the files do not fit together.
var Document = sync.OnceValues(func() ([]byte, error) {
	raw, err := files.ReadFile(base)
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	var doc map[string]any
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("openapi: %s: %w", base, err)
	}
	whole, err := join()
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	components, ok := doc["components"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("openapi: %s has no components", base)
	}
	delete(doc, "schemas")
	delete(doc, "parameters")
	components["schemas"], components["parameters"], doc["paths"] = whole.Schemas, whole.Parameters, whole.Paths
	return json.Marshal(doc)
})

// join reads the fragments of all files. A name may be said only once.
func join() (*fragment, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, err
	}
	whole := &fragment{Paths: map[string]map[string]any{}, Schemas: map[string]any{}, Parameters: map[string]any{}}
	for _, name := range names {
		raw, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var part fragment
		if err := yaml.Unmarshal(raw, &part); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := whole.add(part); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return whole, nil
}

func (f *fragment) add(part fragment) error {
	for path, operations := range part.Paths {
		if f.Paths[path] == nil {
			f.Paths[path] = map[string]any{}
		}
		if err := addAll(f.Paths[path], operations); err != nil {
			return fmt.Errorf("path %s: %w", path, err)
		}
	}
	if err := addAll(f.Schemas, part.Schemas); err != nil {
		return err
	}
	return addAll(f.Parameters, part.Parameters)
}

func addAll(to, from map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(from)) {
		if _, twice := to[name]; twice {
			return fmt.Errorf("%s is there twice", name)
		}
		to[name] = from[name]
	}
	return nil
}
