package client

import (
	"context"
	"net/http"
	"net/url"
)

// PutSecret sets a secret of a repository.
func (c *Client) PutSecret(ctx context.Context, repo, name, value string) error {
	in := map[string]string{"data": value}
	return c.call(ctx, http.MethodPut, "/repos/"+repo+"/actions/secrets/"+url.PathEscape(name), in, nil)
}

// CreateVariable makes a variable of a repository.
func (c *Client) CreateVariable(ctx context.Context, repo, name, value string) error {
	in := map[string]string{"value": value}
	return c.call(ctx, http.MethodPost, "/repos/"+repo+"/actions/variables/"+url.PathEscape(name), in, nil)
}
