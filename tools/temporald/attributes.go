package main

import (
	"fmt"
	"maps"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
)

// searchAttributes are what an SRE filters runs by in the UI. The order gives each its
// column the first time a namespace sees it, so append only.
var searchAttributes = []struct {
	name string
	kind enumspb.IndexedValueType
}{
	{"PawlRepository", enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	{"PawlWorkflow", enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	{"PawlEvent", enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	{"PawlBranch", enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	{"PawlActor", enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	{"PawlConclusion", enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	{"PawlRunNumber", enumspb.INDEXED_VALUE_TYPE_INT},
}

// preallocated is how many columns of a kind the SQL visibility schema has.
var preallocated = map[enumspb.IndexedValueType]int{
	enumspb.INDEXED_VALUE_TYPE_KEYWORD: 10,
	enumspb.INDEXED_VALUE_TYPE_INT:     3,
}

// mapAttributes returns aliases (column to attribute name) completed by every search
// attribute that has no column yet. Existing mappings, also of others, stay: the
// stored rows depend on them.
func mapAttributes(aliases map[string]string) (map[string]string, error) {
	mapped := make(map[string]string, len(aliases)+len(searchAttributes))
	maps.Copy(mapped, aliases)
	known := slices.Collect(maps.Values(aliases))
	for _, attribute := range searchAttributes {
		if slices.Contains(known, attribute.name) {
			continue
		}
		column, err := freeColumn(mapped, attribute.kind)
		if err != nil {
			return nil, fmt.Errorf("search attribute %s: %w", attribute.name, err)
		}
		mapped[column] = attribute.name
	}
	return mapped, nil
}

func freeColumn(taken map[string]string, kind enumspb.IndexedValueType) (string, error) {
	for i := 1; i <= preallocated[kind]; i++ {
		column := fmt.Sprintf("%s%02d", kind, i)
		if _, used := taken[column]; !used {
			return column, nil
		}
	}
	return "", fmt.Errorf("all %d columns of kind %s are taken", preallocated[kind], kind)
}
