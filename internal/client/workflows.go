package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// Workflow is a workflow file of a repository.
type Workflow struct {
	ID      string `json:"id"` // its file name
	Name    string `json:"name"`
	Path    string `json:"path"`
	State   string `json:"state"` // active or disabled_manually
	HTMLURL string `json:"html_url"`
}

// Workflows returns the workflow files of the default branch.
func (c *Client) Workflows(ctx context.Context, repo string) ([]Workflow, error) {
	var out struct {
		Workflows []Workflow `json:"workflows"`
	}
	return out.Workflows, c.call(ctx, http.MethodGet, "/repos/"+repo+"/actions/workflows", nil, &out)
}

// SetWorkflowDisabled stops a workflow from starting runs, or lets it start them again.
func (c *Client) SetWorkflowDisabled(ctx context.Context, repo, file string, disabled bool) error {
	verb := "enable"
	if disabled {
		verb = "disable"
	}
	return c.call(ctx, http.MethodPut, fmt.Sprintf("/repos/%s/actions/workflows/%s/%s", repo, url.PathEscape(file), verb), nil, nil)
}

// DefaultBranch returns the default branch of a repository.
func (c *Client) DefaultBranch(ctx context.Context, repo string) (string, error) {
	var out struct {
		DefaultBranch string `json:"default_branch"`
	}
	return out.DefaultBranch, c.call(ctx, http.MethodGet, "/repos/"+repo, nil, &out)
}
