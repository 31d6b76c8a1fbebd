// Package client calls Pawl's REST API. The demo, the command line and the end-to-end tests use it.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Client is one user's access to one server.
type Client struct {
	// URL of the server, without a slash at the end.
	URL string
	// Token is an access token; if it is empty, User and Password are used, and without them nothing.
	Token          string
	User, Password string
	// HTTP is the client to use; nil is one with sensible limits.
	HTTP *http.Client
}

// apiPath is what all paths are below.
const apiPath = "/api/v1"

// maxAnswer bounds the JSON answers that are read.
const maxAnswer = 16 << 20

// call sends one request to the API and decodes the answer into out, if there is one.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	req, err := c.request(ctx, method, path, in)
	if err != nil {
		return err
	}
	return c.do(req, out)
}

// do sends a request and decodes the answer into out, if there is one.
func (c *Client) do(req *http.Request, out any) error {
	resp, err := c.exchange(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err == nil && out != nil && len(body) > 0 {
		err = json.Unmarshal(body, out)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", req.Method, req.URL.Path, err)
	}
	return nil
}

// send returns an answer with its body still to be read.
func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	req, err := c.request(ctx, method, path, in)
	if err != nil {
		return nil, err
	}
	return c.exchange(req)
}

// exchange sends a request; what is not 2xx is an error.
func (c *Client) exchange(req *http.Request) (*http.Response, error) {
	resp, err := c.httpClient().Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		return nil, readError(resp)
	}
	return resp, nil
}

func (c *Client) request(ctx context.Context, method, path string, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.URL+apiPath+path, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	switch {
	case c.Token != "":
		req.Header.Set("Authorization", "token "+c.Token)
	case c.User != "":
		req.SetBasicAuth(c.User, c.Password)
	}
	return req, nil
}

var defaultHTTP = &http.Client{Transport: &http.Transport{
	Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: time.Minute,
}}

func (c *Client) httpClient() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	return defaultHTTP
}
