package openapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Operation is one route of the API, as a reader of the description wants it.
type Operation struct {
	Method, Path, ID, Tag, Summary string
}

// Operations lists all operations by tag, path and method.
func Operations() ([]Operation, error) {
	raw, err := Document()
	if err != nil {
		return nil, err
	}
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	var all []Operation
	for path, item := range doc.Paths {
		for method, raw := range item {
			if method == "parameters" {
				continue
			}
			var said struct {
				OperationID string   `json:"operationId"`
				Summary     string   `json:"summary"`
				Tags        []string `json:"tags"`
			}
			if err := json.Unmarshal(raw, &said); err != nil {
				return nil, fmt.Errorf("openapi: %s %s: %w", method, path, err)
			}
			all = append(all, Operation{
				Method: strings.ToUpper(method), Path: path, ID: said.OperationID, Summary: said.Summary,
				Tag: strings.Join(said.Tags, ", "),
			})
		}
	}
	slices.SortFunc(all, func(a, b Operation) int {
		return cmp.Or(cmp.Compare(a.Tag, b.Tag), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return all, nil
}
