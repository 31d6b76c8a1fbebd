package runnergw

import (
	"context"
	"encoding/json"
	"errors"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	runnerv1 "gitea.dev/actions-proto-go/runner/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/fault"
)

// UpdateTask implements runner-protocol.md §8.1. Whatever a runner says of a task that has ended changes nothing and
// is answered with that end; a task that was cancelled or given up is answered with CANCELLED.
func (s *runnerService) UpdateTask(ctx context.Context, req *connect.Request[runnerv1.UpdateTaskRequest]) (*connect.Response[runnerv1.UpdateTaskResponse], error) {
	c, err := knownRunner(ctx)
	if err != nil {
		return nil, err
	}
	state := req.Msg.State
	if state == nil {
		return nil, fault.BadRequest("missing").In("state")
	}
	t, err := s.g.tasks.get(ctx, state.Id, c.runner.ID)
	if err != nil {
		return nil, err
	}
	stored, err := s.g.report(ctx, t, req.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&runnerv1.UpdateTaskResponse{
		State:       &runnerv1.TaskState{Id: state.Id, Result: answerFor(stored)},
		SentOutputs: stored.SentOutputs,
	}), nil
}

// report stores a report and tells those who wait for it.
func (g *Gateway) report(ctx context.Context, t *task, m *runnerv1.UpdateTaskRequest) (db.TaskState, error) {
	r, err := reportOf(t, m)
	if err != nil {
		return db.TaskState{}, err
	}
	if err := g.dropSecretOutputs(ctx, t, r.Outputs); err != nil {
		return db.TaskState{}, err
	}
	stored, err := g.store(ctx, t, r)
	if err != nil {
		return db.TaskState{}, storeFault(err)
	}
	g.presence.active(t.RunnerID)
	if stored.Status.Final() {
		t.forgetSecrets()
	}
	switch {
	case stored.Ended:
		g.deliver.ended(db.TaskEnded{TaskID: t.TaskID, JobID: t.JobID, Status: stored.Status, Reason: stored.Reason,
			Attached: stored.Attached, Supervised: stored.Supervised})
	case stored.Supervised && !stored.Status.Final():
		g.beats.beat(t)
	}
	return stored, nil
}

// store writes a report. One that says nothing new is written only now and then, but it always asks whether the task
// was cancelled, so that runners hear of it with their next report.
func (g *Gateway) store(ctx context.Context, t *task, r db.Report) (db.TaskState, error) {
	sum, now := sumOf(r), g.now()
	if r.Final == "" && len(r.Outputs) == 0 && !t.isNews(sum, now) {
		return g.db.TaskState(ctx, t.TaskID)
	}
	stored, err := g.db.ReportTask(ctx, r)
	if err == nil {
		t.wrote(sum, now)
	}
	return stored, err
}

// storeFault is for tasks that were deleted while this gateway remembered them.
func storeFault(err error) error {
	if errors.Is(err, db.ErrNotFound) {
		return errNoSuchTask
	}
	return dbFault(err)
}

// answerFor is what the runner is told of its task: nothing while it runs, and to stop when it was cancelled.
func answerFor(s db.TaskState) runnerv1.Result {
	switch s.Status {
	case db.TaskSuccess:
		return runnerv1.Result_RESULT_SUCCESS
	case db.TaskFailure:
		return runnerv1.Result_RESULT_FAILURE
	case db.TaskSkipped:
		return runnerv1.Result_RESULT_SKIPPED
	case db.TaskRunning:
		if !s.CancelRequested {
			return runnerv1.Result_RESULT_UNSPECIFIED
		}
	}
	return runnerv1.Result_RESULT_CANCELLED
}

// reportOf takes from a request what makes sense, and leaves out what does not, rather than have the runner repeat
// it for ever. Only an unknown result is refused.
func reportOf(t *task, m *runnerv1.UpdateTaskRequest) (db.Report, error) {
	final, err := finalStatus(m.State.Result)
	if err != nil {
		return db.Report{}, err
	}
	r := db.Report{
		TaskID: t.TaskID, Final: final, Steps: stepsOf(m.State.Steps, t.Steps), Outputs: outputsOf(m.Outputs),
		StartedAt: timeOf(m.State.StartedAt), StoppedAt: timeOf(m.State.StoppedAt),
	}
	r.Complete = len(r.Steps) == t.Steps
	return r, nil
}

func finalStatus(r runnerv1.Result) (db.TaskStatus, error) {
	switch r {
	case runnerv1.Result_RESULT_UNSPECIFIED:
		return "", nil
	case runnerv1.Result_RESULT_SUCCESS:
		return db.TaskSuccess, nil
	case runnerv1.Result_RESULT_FAILURE:
		return db.TaskFailure, nil
	case runnerv1.Result_RESULT_CANCELLED:
		return db.TaskCancelled, nil
	case runnerv1.Result_RESULT_SKIPPED:
		return db.TaskSkipped, nil
	}
	return "", fault.BadRequest("unknown result %d", r).In("state.result")
}

// stepsOf orders steps by index; of several with the same index the last counts.
func stepsOf(reported []*runnerv1.StepState, most int) []db.Step {
	byIndex := map[int]db.Step{}
	for _, s := range reported {
		if s == nil || s.Id < 0 || s.Id >= int64(most) {
			continue
		}
		byIndex[int(s.Id)] = db.Step{
			Index: int(s.Id), Status: stepStatus(s), StartedAt: timeOf(s.StartedAt), StoppedAt: timeOf(s.StoppedAt),
			LogIndex: max(s.LogIndex, 0), LogLength: max(s.LogLength, 0),
		}
	}
	steps := make([]db.Step, 0, len(byIndex))
	for _, s := range byIndex {
		steps = append(steps, s)
	}
	slices.SortFunc(steps, func(a, b db.Step) int { return a.Index - b.Index })
	return steps
}

func stepStatus(s *runnerv1.StepState) ci.Status {
	switch s.Result {
	case runnerv1.Result_RESULT_SUCCESS:
		return ci.StatusSuccess
	case runnerv1.Result_RESULT_FAILURE:
		return ci.StatusFailure
	case runnerv1.Result_RESULT_CANCELLED:
		return ci.StatusCancelled
	case runnerv1.Result_RESULT_SKIPPED:
		return ci.StatusSkipped
	}
	if s.StartedAt != nil {
		return ci.StatusRunning
	}
	return ci.StatusWaiting
}

// outputsOf leaves out what is above its limit, which is then never acknowledged (runner-protocol.md §8.1).
func outputsOf(sent map[string]string) map[string]string {
	outputs := make(map[string]string, min(len(sent), db.MaxTaskOutputs))
	room := db.MaxTaskOutputBytes
	for key, value := range sent {
		value = strings.ReplaceAll(value, "\x00", "")
		switch {
		case key == "" || len(key) > ci.MaxOutputKeyBytes || strings.Contains(key, "\x00"):
		case len(value) > ci.MaxOutputValueBytes || len(value) > room || len(outputs) == db.MaxTaskOutputs:
		default:
			outputs[key], room = value, room-len(value)
		}
	}
	return outputs
}

// The times that are believed; others are as if they had not been sent.
var (
	firstTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)
)

// timeOf is the zero time for one that is missing or makes no sense.
func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil || !t.IsValid() {
		return time.Time{}
	}
	at := t.AsTime()
	if at.Before(firstTime) || at.After(lastTime) {
		return time.Time{}
	}
	return at
}

var sumSeed = maphash.MakeSeed()

// sumOf is the same for reports that say the same. Only this process compares sums.
func sumOf(r db.Report) uint64 {
	raw, err := json.Marshal(struct {
		Steps []db.Step
		Start time.Time
	}{r.Steps, r.StartedAt})
	if err != nil {
		return 0
	}
	return maphash.Bytes(sumSeed, raw)
}
