package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// client asks one server.
type client struct {
	url, token string
	http       http.Client
}

// answerLimit is how long an answer may take before it counts as none.
const answerLimit = 30 * time.Second

// get asks for a path below /api/v1, as another user if one is named, and decodes the answer unless into is nil.
func (c *client) get(ctx context.Context, path, as string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/api/v1"+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "token "+c.token)
	if as != "" {
		req.Header.Set("Sudo", as)
	}
	if into == nil {
		// It is taken compressed, as by most clients, but not unpacked or kept: that would be time of the client's, which is on the same
		// machine.
		req.Header.Set("Accept-Encoding", "gzip")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if into == nil && resp.StatusCode == http.StatusOK {
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("%s: %s: %s", path, resp.Status, text)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}
