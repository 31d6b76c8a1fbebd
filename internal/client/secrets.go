package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// Secret is what may be told of a secret: never its value.
type Secret struct {
	Name        string    `json:"name"`
	Description string    `json:"description"`
	CreatedAt   time.Time `json:"created_at"`
}

// Secrets returns the secrets of a level; a user's own cannot be listed (rest-api.md §8).
func (c *Client) Secrets(ctx context.Context, level Level) ([]Secret, error) {
	return collect[Secret](ctx, c, level.path("secrets"), nil, "", 0)
}

// SetSecret makes a secret or replaces it.
func (c *Client) SetSecret(ctx context.Context, level Level, name, value, description string) error {
	return c.call(ctx, http.MethodPut, level.path("secrets/"+url.PathEscape(name)), map[string]any{
		"data": value, "description": description,
	}, nil)
}

// DeleteSecret removes a secret.
func (c *Client) DeleteSecret(ctx context.Context, level Level, name string) error {
	return c.call(ctx, http.MethodDelete, level.path("secrets/"+url.PathEscape(name)), nil, nil)
}

// Variable is a value that workflows read as vars.NAME.
type Variable struct {
	Name        string `json:"name"`
	Value       string `json:"data"`
	Description string `json:"description"`
}

// Variables returns the variables of a level.
func (c *Client) Variables(ctx context.Context, level Level) ([]Variable, error) {
	return collect[Variable](ctx, c, level.path("variables"), nil, "", 0)
}

// Variable returns one variable.
func (c *Client) Variable(ctx context.Context, level Level, name string) (Variable, error) {
	var out Variable
	return out, c.call(ctx, http.MethodGet, level.path("variables/"+url.PathEscape(name)), nil, &out)
}

// SetVariable makes a variable or replaces its value.
func (c *Client) SetVariable(ctx context.Context, level Level, name, value, description string) error {
	path := level.path("variables/" + url.PathEscape(name))
	body := map[string]any{"value": value, "description": description}
	err := c.call(ctx, http.MethodPut, path, body, nil)
	if IsNotFound(err) {
		return c.call(ctx, http.MethodPost, path, body, nil)
	}
	return err
}

// DeleteVariable removes a variable.
func (c *Client) DeleteVariable(ctx context.Context, level Level, name string) error {
	return c.call(ctx, http.MethodDelete, level.path("variables/"+url.PathEscape(name)), nil, nil)
}

// IsNotFound tells whether the server has said that a thing is not there.
func IsNotFound(err error) bool {
	var answer *Error
	return errors.As(err, &answer) && answer.Status == http.StatusNotFound
}
