package runnergw

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	runnerv1 "gitea.dev/actions-proto-go/runner/v1"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

const (
	// runTTL bounds how long a renamed repository or user is shown under its old name.
	runTTL        = time.Minute
	maxCachedRuns = 256
)

// contentBuilder builds what a runner gets (runner-protocol.md §7).
type contentBuilder struct {
	db       *db.DB
	options  Options
	key      []byte
	now      func() time.Time
	settings *settingsReader
	runs     *cache[int64, *runContent] // by attempt
}

// runContent is what all jobs of an attempt share. It is never changed, because tasks refer to its values.
type runContent struct {
	repository string
	// fromFork: its jobs get no secrets.
	fromFork bool
	fields   map[string]*structpb.Value
}

func newContentBuilder(d Deps, o Options) *contentBuilder {
	return &contentBuilder{db: d.DB, options: o, key: d.RuntimeKey, now: d.Now, settings: newSettingsReader(d),
		runs: newCache[int64, *runContent](d.Now, maxCachedRuns, runTTL)}
}

// brokenTask is why the content of a task can never be built. Any other error of build means that the database did
// not answer.
type brokenTask struct{ error }

func broken(format string, args ...any) error { return brokenTask{fmt.Errorf(format, args...)} }

func isBroken(err error) bool {
	var marked brokenTask
	var shape *json.UnmarshalTypeError
	return errors.As(err, &marked) || errors.As(err, &shape) || errors.Is(err, db.ErrNotFound)
}

// content is what a runner gets, and what of it is to be hidden.
type content struct {
	task *runnerv1.Task
	hide secretSource
}

// build makes the content of a task; token is that of the task and root the address of this server.
func (b *contentBuilder) build(ctx context.Context, c *db.Claimed, token, root string) (*content, error) {
	if len(c.Payload) == 0 {
		return nil, broken("the job has no payload")
	}
	fields, err := b.taskContext(ctx, c, token, root)
	if err != nil {
		return nil, err
	}
	needs, err := b.needs(ctx, c)
	if err != nil {
		return nil, err
	}
	source, err := b.source(ctx, c.TaskOrigin)
	if err != nil {
		return nil, err
	}
	source.tokens = []string{token, fields["gitea_runtime_token"].GetStringValue()}
	secrets, err := source.open()
	if err != nil {
		return nil, err
	}
	if c.ParentID != 0 {
		if secrets, err = b.called(ctx, c, fields, secrets); err != nil {
			return nil, err
		}
	}
	return &content{hide: source, task: &runnerv1.Task{
		Id: c.TaskID, WorkflowPayload: c.Payload, Context: &structpb.Struct{Fields: fields}, Needs: needs, Secrets: secrets,
		Vars: source.settings.Vars,
	}}, nil
}

// taskContext is the context of runner-protocol.md §7.2.
func (b *contentBuilder) taskContext(ctx context.Context, c *db.Claimed, secret, root string) (map[string]*structpb.Value, error) {
	run, err := b.run(ctx, c.TaskOrigin)
	if err != nil {
		return nil, err
	}
	runtime, err := runtimeToken(b.key, c, b.now())
	if err != nil {
		return nil, broken("%w", err)
	}
	fields := maps.Clone(run.fields)
	for key, value := range map[string]string{
		"job":                       c.Key,
		"token":                     secret,
		"gitea_runtime_token":       runtime,
		"gitea_default_actions_url": b.actionsURL(root),
		"server_url":                root,
		"api_url":                   root + "/api/v1",
		"graphql_url":               "",
		"repositoryUrl":             root + "/" + run.repository,
	} {
		fields[key] = structpb.NewStringValue(value)
	}
	return fields, nil
}

func (b *contentBuilder) actionsURL(root string) string {
	if b.options.ActionsURL != "" {
		return b.options.ActionsURL
	}
	return root
}

// placeholders are keys that upstream sends empty.
var placeholders = []string{"action", "action_path", "action_ref", "action_repository", "action_status", "env", "event_path", "path", "workspace"}

func (b *contentBuilder) run(ctx context.Context, o db.TaskOrigin) (*runContent, error) {
	if run, ok := b.runs.get(o.AttemptID); ok {
		return run, nil
	}
	read, err := b.db.RunContext(ctx, o.RunID, o.Attempt)
	if err != nil {
		return nil, err
	}
	github, err := read.Facts.GitHub()
	if err != nil {
		return nil, broken("%w", err)
	}
	for _, key := range placeholders {
		github[key] = ""
	}
	fields, err := structpb.NewStruct(github)
	if err != nil {
		return nil, broken("context of run %d: %w", o.RunID, err)
	}
	run := &runContent{repository: read.Facts.Repository, fromFork: read.Facts.FromFork(), fields: fields.Fields}
	b.runs.put(o.AttemptID, run)
	return run, nil
}

// needs has one entry for each needed job, however many cells it has (runner-protocol.md §7.3).
func (b *contentBuilder) needs(ctx context.Context, c *db.Claimed) (map[string]*runnerv1.TaskNeed, error) {
	needs := make(map[string]*runnerv1.TaskNeed, len(c.Needs))
	if len(c.Needs) == 0 {
		return needs, nil
	}
	cells, err := b.db.NeedOutcomes(ctx, c.AttemptID, c.ParentID, c.Needs)
	if err != nil {
		return nil, err
	}
	return mergeNeeds(cells)
}

// mergeNeeds adds cells up in their order: of several values of an output the last that is not empty wins.
func mergeNeeds(cells []db.NeedOutcome) (map[string]*runnerv1.TaskNeed, error) {
	needs := map[string]*runnerv1.TaskNeed{}
	outcomes := map[string][]ci.Outcome{}
	for _, cell := range cells {
		status, err := ci.ParseStatus(cell.Status)
		if err != nil {
			return nil, broken("needed job %s: %w", cell.Key, err)
		}
		outcomes[cell.Key] = append(outcomes[cell.Key], ci.Outcome{Status: status, Soft: cell.ContinueOnError, FailFast: cell.ByFailFast})
		if needs[cell.Key] == nil {
			needs[cell.Key] = &runnerv1.TaskNeed{Outputs: map[string]string{}}
		}
		mergeOutputs(needs[cell.Key].Outputs, cell.Outputs)
	}
	for key, need := range needs {
		need.Result = resultOf(ci.Aggregate(outcomes[key]))
	}
	return needs, nil
}

func mergeOutputs(into, from map[string]string) {
	for k, v := range from {
		if _, known := into[k]; !known || v != "" {
			into[k] = v
		}
	}
}

func resultOf(s ci.Status) runnerv1.Result {
	switch s {
	case ci.StatusSuccess:
		return runnerv1.Result_RESULT_SUCCESS
	case ci.StatusFailure:
		return runnerv1.Result_RESULT_FAILURE
	case ci.StatusCancelled, ci.StatusCancelling:
		return runnerv1.Result_RESULT_CANCELLED
	case ci.StatusSkipped:
		return runnerv1.Result_RESULT_SKIPPED
	}
	return runnerv1.Result_RESULT_UNSPECIFIED
}
