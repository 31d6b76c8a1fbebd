package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// Runner is a registered runner.
type Runner struct {
	ID        int64         `json:"id"`
	Name      string        `json:"name"`
	Status    string        `json:"status"`
	Busy      bool          `json:"busy"`
	Disabled  bool          `json:"disabled"`
	Ephemeral bool          `json:"ephemeral"`
	Labels    []RunnerLabel `json:"labels"`
}

// RunnerLabel is one of the labels that a runner declared.
type RunnerLabel struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

// Runners returns the runners of a level; those of the installation are all runners.
func (c *Client) Runners(ctx context.Context, level Level) ([]Runner, error) {
	return collect[Runner](ctx, c, level.path("runners"), url.Values{}, "runners", 0)
}

// Runner returns one runner of a level.
func (c *Client) Runner(ctx context.Context, level Level, id int64) (Runner, error) {
	var out Runner
	return out, c.call(ctx, http.MethodGet, level.path(fmt.Sprintf("runners/%d", id)), nil, &out)
}

// SetRunnerDisabled stops a runner from getting tasks, or lets it have them again. A running task goes on.
func (c *Client) SetRunnerDisabled(ctx context.Context, level Level, id int64, disabled bool) (Runner, error) {
	var out Runner
	path := level.path(fmt.Sprintf("runners/%d", id))
	return out, c.call(ctx, http.MethodPatch, path, map[string]any{"disabled": disabled}, &out)
}

// DeleteRunner removes a runner; it is refused from then on.
func (c *Client) DeleteRunner(ctx context.Context, level Level, id int64) error {
	return c.call(ctx, http.MethodDelete, level.path(fmt.Sprintf("runners/%d", id)), nil, nil)
}

// RegistrationToken returns the token with which runners register for a level.
func (c *Client) RegistrationToken(ctx context.Context, level Level) (string, error) {
	var out struct{ Token string }
	err := c.call(ctx, http.MethodPost, level.path("runners/registration-token"), nil, &out)
	return out.Token, err
}
