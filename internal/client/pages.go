package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// pageSize is how much of a list one request asks for.
const pageSize = 50

// collect reads a list page by page until it ends, or until it has most entries; 0 is no bound. The field names the
// list in the answer; empty means that the answer is the list. A server may give smaller pages than it was asked for, so
// that only the total, or an empty page, is the end.
func collect[T any](ctx context.Context, c *Client, path string, query url.Values, field string, most int) ([]T, error) {
	size := pageSize
	if most > 0 {
		size = min(size, most)
	}
	query = withLimit(query, size)
	all := []T{}
	for page := 1; ; page++ {
		query.Set("page", strconv.Itoa(page))
		var raw json.RawMessage
		if err := c.call(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &raw); err != nil {
			return nil, err
		}
		entries, total, err := readPage[T](raw, field)
		if err != nil {
			return nil, fmt.Errorf("GET %s: %w", path, err)
		}
		all = append(all, entries...)
		switch {
		case most > 0 && len(all) >= most:
			return all[:most], nil
		case len(entries) == 0, total > 0 && len(all) >= total:
			return all, nil
		}
	}
}

func withLimit(query url.Values, size int) url.Values {
	if query == nil {
		query = url.Values{}
	}
	query.Set("limit", strconv.Itoa(size))
	return query
}

// readPage takes the entries out of an answer, and how many there are in all; 0 is not known.
func readPage[T any](raw json.RawMessage, field string) (entries []T, total int, err error) {
	if field == "" {
		err = json.Unmarshal(raw, &entries)
		return entries, 0, err
	}
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, 0, err
	}
	if len(answer[field]) > 0 {
		err = json.Unmarshal(answer[field], &entries)
	}
	if err == nil && len(answer["total_count"]) > 0 {
		err = json.Unmarshal(answer["total_count"], &total)
	}
	return entries, total, err
}
