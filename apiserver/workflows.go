package apiserver

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/pawl-ci/pawl/internal/trigger"
)

func (s *Server) workflowRoutes() []endpoint {
	const all = "/repos/{owner}/{repo}/actions/workflows"
	const one = all + "/{workflow_id}"
	return []endpoint{
		{http.MethodGet, all, reader(), listWorkflows},
		{http.MethodGet, one, reader(), getWorkflow},
		{http.MethodPut, one + "/disable", writer(), setWorkflowDisabled(true)},
		{http.MethodPut, one + "/enable", writer(), setWorkflowDisabled(false)},
		{http.MethodPost, one + "/dispatches", writer(), dispatchWorkflow},
	}
}

// listWorkflows is never paged.
func listWorkflows(c *call) error {
	found, err := c.server.Trigger.Workflows(c.ctx(), c.repo)
	if err != nil {
		return err
	}
	out := apiWorkflowList{Workflows: make([]*apiWorkflow, len(found)), TotalCount: len(found)}
	for i, w := range found {
		out.Workflows[i] = showWorkflow(c.server.rootURL(c.r), w, c.repo)
	}
	return c.json(http.StatusOK, out)
}

func getWorkflow(c *call) error {
	w, err := c.server.Trigger.Workflow(c.ctx(), c.repo, c.params["workflow_id"])
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, showWorkflow(c.server.rootURL(c.r), *w, c.repo))
}

func setWorkflowDisabled(disabled bool) func(*call) error {
	return func(c *call) error {
		if err := c.server.Trigger.SetWorkflowDisabled(c.ctx(), c.repo, c.params["workflow_id"], disabled); err != nil {
			return err
		}
		return c.empty(http.StatusNoContent)
	}
}

// dispatch is the body of a dispatch (rest-api.md §5.1).
type dispatch struct {
	Ref    string            `json:"ref"`
	Inputs map[string]string `json:"inputs"`
}

func dispatchWorkflow(c *call) error {
	key, err := c.idempotencyKey()
	if err != nil {
		return err
	}
	in, err := c.readDispatch()
	if err != nil {
		return err
	}
	started, err := c.dispatch(trigger.DispatchRequest{
		Repo: c.repo, Actor: c.caller.user, Workflow: c.params["workflow_id"], Ref: in.Ref, Inputs: in.Inputs,
		SourceRepoID: c.sourceRepo(),
	}, key)
	if err != nil {
		return err
	}
	if !c.isSet("return_run_details") {
		return c.empty(http.StatusNoContent)
	}
	return c.json(http.StatusOK, runDetails(repoLinks(c.server.rootURL(c.r), c.repo), started))
}

// dispatch starts a run, or with a key finds the one that was started before.
func (c *call) dispatch(r trigger.DispatchRequest, key string) (run int64, err error) {
	if key == "" {
		started, err := c.server.Trigger.Dispatch(c.ctx(), r)
		if err != nil {
			return 0, err
		}
		return started.ID, nil
	}
	run, repeated, err := c.server.Trigger.DispatchOnce(c.ctx(), r, key)
	if repeated {
		c.w.Header().Set("Idempotency-Replayed", "true")
	}
	return run, err
}

func runDetails(l links, run int64) apiRunDetails {
	return apiRunDetails{WorkflowRunID: run, RunURL: l.run(run), HTMLURL: l.runHTML(run)}
}

// readDispatch takes JSON, or a form with inputs[name].
func (c *call) readDispatch() (in dispatch, err error) {
	if c.isForm() {
		in, err = c.dispatchForm()
	} else {
		err = c.bind(&in)
	}
	if err == nil && strings.TrimSpace(in.Ref) == "" {
		err = required("Ref")
	}
	return in, err
}

func (c *call) dispatchForm() (dispatch, error) {
	values, err := c.form()
	if err != nil {
		return dispatch{}, err
	}
	in := dispatch{Ref: values.Get("ref"), Inputs: map[string]string{}}
	for key, list := range values {
		rest, isInput := strings.CutPrefix(key, "inputs[")
		if name, closed := strings.CutSuffix(rest, "]"); isInput && closed && len(list) > 0 {
			in.Inputs[name] = list[0]
		}
	}
	return in, nil
}

// UnmarshalJSON says which input is no string, because encoding/json only says that one is not.
func (d *dispatch) UnmarshalJSON(data []byte) error {
	var in struct {
		Ref    string                     `json:"ref"`
		Inputs map[string]json.RawMessage `json:"inputs"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	d.Ref, d.Inputs = in.Ref, make(map[string]string, len(in.Inputs))
	for name, raw := range in.Inputs {
		var value string
		if err := json.Unmarshal(raw, &value); err != nil {
			return &json.UnmarshalTypeError{Value: jsonKind(raw), Field: "inputs." + name}
		}
		d.Inputs[name] = value
	}
	return nil
}

// jsonKind is what a value is, for an error message.
func jsonKind(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "boolean"
	default:
		return "number"
	}
}
