package ci

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// RunFacts are the facts of a run from which its `github` context is made (runner-protocol.md §7.2). Expressions on
// the server and steps on a runner see the same values.
type RunFacts struct {
	RunID, RunNumber int64
	Attempt          int
	Workflow         string // the workflow's name, or its file
	Event            string
	EventPayload     json.RawMessage
	Repository       string // owner/name
	Actor            string // who started the first attempt
	TriggeringActor  string // who started this attempt
	Ref, SHA         string
	HeadRef, BaseRef string // branch names of a pull request
}

// GitHub is the `github` context without what only the server that hands out a task knows: token and addresses.
func (f RunFacts) GitHub() (map[string]any, error) {
	event := map[string]any{}
	if len(f.EventPayload) > 0 {
		if err := json.Unmarshal(f.EventPayload, &event); err != nil {
			return nil, fmt.Errorf("event payload of run %d: %w", f.RunID, err)
		}
	}
	owner, _, _ := strings.Cut(f.Repository, "/")
	name, kind := ShortRef(f.Ref)
	return map[string]any{
		"event":            event,
		"event_name":       f.Event,
		"run_id":           strconv.FormatInt(f.RunID, 10),
		"run_number":       strconv.FormatInt(f.RunNumber, 10),
		"run_attempt":      strconv.Itoa(f.Attempt),
		"workflow":         f.Workflow,
		"actor":            f.Actor,
		"triggering_actor": f.TriggeringActor,
		"repository":       f.Repository,
		"repository_owner": owner,
		"sha":              f.SHA,
		"ref":              f.Ref,
		"ref_name":         name,
		"ref_type":         kind,
		"ref_protected":    false,
		"head_ref":         f.HeadRef,
		"base_ref":         f.BaseRef,
		"retention_days":   "",
		"secret_source":    "Actions",
	}, nil
}

// Events that jobs of a called workflow may see (execution-semantics.md §10).
const (
	// CallEventCaller leaves them the event of the run, as GitHub does.
	CallEventCaller = "caller"
	// CallEventOwn gives them the event workflow_call with the inputs of the call, as Gitea does.
	CallEventOwn = "workflow_call"
)

// InCall is the `github` context in a called workflow whose event is CallEventOwn. The context given is not changed.
func InCall(github, inputs map[string]any) map[string]any {
	given, _ := github["event"].(map[string]any)
	event := maps.Clone(given)
	if event == nil {
		event = map[string]any{}
	}
	event["inputs"] = inputs
	out := maps.Clone(github)
	out["event"], out["event_name"] = event, CallEventOwn
	return out
}

// ShortRef splits a full ref into its short name and its type: branch, tag, or "" for anything else, of which
// refs/pull/5/head is 5/head.
func ShortRef(ref string) (name, kind string) {
	if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		return name, "branch"
	}
	if name, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
		return name, "tag"
	}
	if name, ok := strings.CutPrefix(ref, "refs/pull/"); ok {
		return name, ""
	}
	return ref, ""
}
