package workflows_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/workflows"
)

// projection plays the database of a run, and its jobs' workflows.
type projection struct {
	mu   sync.Mutex
	plan workflows.RunPlan
	// results of jobs by id, success if missing; a job with a hang runs until it is cancelled.
	results map[int64]ci.Status
	hang    map[int64]bool
	ifs     map[int64]workflows.IfAnswer
	steps   []workflows.Step
	ran     []int64
	// What the other activities answer; of lists one after the other, the last repeated.
	gate       workflows.GateNews
	news       []workflows.RunNews
	expansions map[int64]workflows.Expansion
	admissions map[int64][]workflows.Admission
	calls      map[int64]string
	// forced are the jobs whose tasks were ended by force; inputs are what jobs were started with.
	forced []int64
	inputs map[int64]workflows.JobInput
	// whole are the rows of the real workflows of jobs, which stand in for the played ones if it is set.
	whole *rows
	// inFlight counts the jobs that run, peak the most at once.
	inFlight, peak int
}

func (p *projection) LoadPlan(context.Context, workflows.RunInput) (workflows.RunPlan, error) {
	return p.plan, nil
}

func (p *projection) EvaluateIfs(_ context.Context, in workflows.IfQueries) ([]workflows.IfAnswer, error) {
	var out []workflows.IfAnswer
	for _, q := range in.Queries {
		a := p.ifs[q.JobID]
		a.JobID = q.JobID
		out = append(out, a)
	}
	return out, nil
}

func (p *projection) RecordStep(_ context.Context, s workflows.Step) (struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps = append(p.steps, s)
	return struct{}{}, nil
}

func (p *projection) EndTask(_ context.Context, e workflows.EndTask) (workflows.TaskState, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.Force {
		p.forced = append(p.forced, e.JobID)
	}
	return withdrawn, nil
}

func (p *projection) EnterGate(context.Context, workflows.RunInput) (workflows.GateNews, error) {
	return p.gate, nil
}

func (p *projection) ReadNews(context.Context, workflows.RunInput) (workflows.RunNews, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return next(&p.news), nil
}

func (p *projection) ExpandJobs(_ context.Context, in workflows.IfQueries) (out []workflows.Expansion, err error) {
	for _, q := range in.Queries {
		e := p.expansions[q.JobID]
		e.JobID = q.JobID
		out = append(out, e)
	}
	return out, nil
}

func (p *projection) AdmitJobs(_ context.Context, in workflows.IfQueries) (out []workflows.Admission, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, q := range in.Queries {
		list := p.admissions[q.JobID]
		a := next(&list)
		p.admissions[q.JobID] = list
		a.JobID = q.JobID
		out = append(out, a)
	}
	return out, nil
}

func (p *projection) ConcludeCalls(_ context.Context, in workflows.CallEnds) (out []workflows.CallAnswer, err error) {
	for _, c := range in.Calls {
		out = append(out, workflows.CallAnswer{JobID: c.JobID, Error: p.calls[c.JobID]})
	}
	return out, nil
}

func (p *projection) began(in workflows.JobInput) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ran = append(p.ran, in.JobID)
	if p.inputs == nil {
		p.inputs = map[int64]workflows.JobInput{}
	}
	p.inputs[in.JobID] = in
	p.inFlight++
	p.peak = max(p.peak, p.inFlight)
}

func (p *projection) left() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
}

func (p *projection) job(ctx workflow.Context, in workflows.JobInput) (workflows.JobResult, error) {
	p.began(in)
	defer p.left()
	if p.hang[in.JobID] {
		ctx.Done().Receive(ctx, nil)
		return workflows.JobResult{Status: ci.StatusCancelled, Reason: "cancelled"}, nil
	}
	if err := workflow.Sleep(ctx, time.Second); err != nil {
		return workflows.JobResult{Status: ci.StatusCancelled, Reason: "cancelled"}, nil
	}
	status, scripted := p.results[in.JobID]
	if !scripted {
		status = ci.StatusSuccess
	}
	return workflows.JobResult{Status: status}, nil
}

// run executes the plan and returns the status of the run and of every job, as the projection was told.
func (p *projection) run(t *testing.T, prepare func(*testsuite.TestWorkflowEnvironment)) (ci.Status, map[int64]ci.Status) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	for name, fn := range map[string]any{
		workflows.ActivityLoadPlan:      p.LoadPlan,
		workflows.ActivityEnterGate:     p.EnterGate,
		workflows.ActivityReadNews:      p.ReadNews,
		workflows.ActivityEvaluateIfs:   p.EvaluateIfs,
		workflows.ActivityExpandJobs:    p.ExpandJobs,
		workflows.ActivityAdmitJobs:     p.AdmitJobs,
		workflows.ActivityConcludeCalls: p.ConcludeCalls,
		workflows.ActivityRecordStep:    p.RecordStep,
	} {
		env.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
	}
	if p.whole != nil {
		p.whole.register(env)
		env.RegisterWorkflowWithOptions(workflows.Job, workflow.RegisterOptions{Name: workflows.JobWorkflowName})
	} else {
		env.RegisterActivityWithOptions(p.EndTask, activity.RegisterOptions{Name: workflows.ActivityEndTask})
		env.RegisterWorkflowWithOptions(p.job, workflow.RegisterOptions{Name: workflows.JobWorkflowName})
	}
	if prepare != nil {
		prepare(env)
	}
	env.ExecuteWorkflow((&workflows.Settings{Job: settings}).Run, workflows.RunInput{
		RunID: 1, AttemptID: 2, Attempt: 1, Version: workflows.CurrentVersion,
	})
	require.True(t, env.IsWorkflowCompleted())
	require.NoError(t, env.GetWorkflowError())
	var out workflows.RunResult
	require.NoError(t, env.GetWorkflowResult(&out))
	require.Equal(t, out.Status, p.steps[len(p.steps)-1].Status, "the last step carries the status of the run")
	return out.Status, p.ends(t)
}

func (p *projection) ends(t *testing.T) map[int64]ci.Status {
	ends := map[int64]ci.Status{}
	for _, s := range p.steps {
		for _, e := range s.Ended {
			_, twice := ends[e.JobID]
			require.False(t, twice, "job %d ended twice", e.JobID)
			ends[e.JobID] = e.Status
		}
	}
	return ends
}

// cell is a job of a plan as tests write it.
type cell struct {
	workflows.PlannedJob
	key         string
	needs       []string
	failFast    bool
	maxParallel int
}

func planned(id int64, key string, needs ...string) cell {
	return cell{PlannedJob: workflows.PlannedJob{ID: id, TimeoutMinutes: 10, Status: ci.StatusBlocked}, key: key, needs: needs}
}

func plan(cells ...cell) workflows.RunPlan {
	var p workflows.RunPlan
	index := map[string]int{}
	for _, c := range cells {
		if _, known := index[c.key]; !known {
			index[c.key] = len(p.Keys)
			p.Keys = append(p.Keys, workflows.PlannedKey{Key: c.key, FailFast: c.failFast, MaxParallel: c.maxParallel})
			for _, n := range c.needs {
				p.Keys[index[c.key]].Needs = append(p.Keys[index[c.key]].Needs, index[n])
			}
		}
		c.Key = index[c.key]
		p.Jobs = append(p.Jobs, c.PlannedJob)
	}
	return p
}

func withIf(c cell) cell {
	c.HasIf = true
	return c
}

const (
	success   = ci.StatusSuccess
	failure   = ci.StatusFailure
	cancelled = ci.StatusCancelled
	skipped   = ci.StatusSkipped
)

func TestReadyJobsAreOfferedInOneStep(t *testing.T) {
	p := &projection{plan: plan(planned(1, "a"), planned(2, "b"), planned(3, "c", "a", "b"))}
	status, ends := p.run(t, nil)
	require.Equal(t, success, status)
	require.Equal(t, map[int64]ci.Status{1: success, 2: success, 3: success}, ends)
	require.Equal(t, []int64{1, 2}, p.steps[0].Offered)
}

func TestFailureSkipsWhatNeedsIt(t *testing.T) {
	p := &projection{
		plan:    plan(planned(1, "a"), planned(2, "b", "a"), planned(3, "c", "b"), planned(4, "d")),
		results: map[int64]ci.Status{1: failure},
	}
	status, ends := p.run(t, nil)
	require.Equal(t, failure, status)
	require.Equal(t, map[int64]ci.Status{1: failure, 2: skipped, 3: skipped, 4: success}, ends)
	require.ElementsMatch(t, []int64{1, 4}, p.ran)
}

func TestIfDecides(t *testing.T) {
	p := &projection{
		plan: plan(withIf(planned(1, "a")), withIf(planned(2, "b")), withIf(planned(3, "c"))),
		ifs:  map[int64]workflows.IfAnswer{1: {Run: true}, 3: {Error: "if: unknown function"}},
	}
	status, ends := p.run(t, nil)
	require.Equal(t, failure, status)
	require.Equal(t, map[int64]ci.Status{1: success, 2: skipped, 3: failure}, ends)
	require.Equal(t, "if: unknown function", p.steps[0].Ended[1].Reason)
}

func TestFailFastStopsTheOtherCells(t *testing.T) {
	cell := func(id int64) cell {
		c := planned(id, "m")
		c.failFast = true
		return c
	}
	p := &projection{
		plan:    plan(cell(1), cell(2), cell(3), planned(4, "other")),
		results: map[int64]ci.Status{1: failure},
		hang:    map[int64]bool{2: true, 3: true},
	}
	status, ends := p.run(t, nil)
	require.Equal(t, map[int64]ci.Status{1: failure, 2: cancelled, 3: cancelled, 4: success}, ends)
	require.Equal(t, failure, status, "what fail-fast stopped counts as the failure that stopped it")
}

func TestMaxParallelHoldsCellsBack(t *testing.T) {
	var cells []cell
	for id := range int64(5) {
		c := planned(id+1, "m")
		c.maxParallel = 2
		cells = append(cells, c)
	}
	p := &projection{plan: plan(cells...)}
	status, _ := p.run(t, nil)
	require.Equal(t, success, status)
	require.Equal(t, 2, p.peak, "cells in flight at once")
}

func TestCancel(t *testing.T) {
	for name, ask := range map[string]func(*testsuite.TestWorkflowEnvironment){
		"by the API": func(env *testsuite.TestWorkflowEnvironment) {
			env.SignalWorkflow(workflows.SignalCancel, workflows.CancelRequest{By: 1})
		},
		"in Temporal": func(env *testsuite.TestWorkflowEnvironment) { env.CancelWorkflow() },
		"by both ways": func(env *testsuite.TestWorkflowEnvironment) {
			env.SignalWorkflow(workflows.SignalCancel, workflows.CancelRequest{By: 1})
			env.CancelWorkflow()
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &projection{
				plan: plan(planned(1, "a"), planned(2, "b", "a"), withIf(planned(3, "cleanup", "a"))),
				hang: map[int64]bool{1: true},
				ifs:  map[int64]workflows.IfAnswer{3: {Run: true}}, // always()
			}
			status, ends := p.run(t, func(env *testsuite.TestWorkflowEnvironment) {
				env.RegisterDelayedCallback(func() { ask(env) }, 10*time.Second)
			})
			require.Equal(t, cancelled, status)
			require.Equal(t, map[int64]ci.Status{1: cancelled, 2: cancelled, 3: success}, ends)
		})
	}
}

func TestCancelSignalIsNotedInTheProjection(t *testing.T) {
	p := &projection{plan: plan(planned(1, "a")), hang: map[int64]bool{1: true}}
	p.run(t, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() { env.SignalWorkflow(workflows.SignalCancel, workflows.CancelRequest{}) }, time.Second)
	})
	seen := false
	for _, s := range p.steps {
		seen = seen || s.CancelSeen
	}
	require.True(t, seen)
}

func TestAThousandJobs(t *testing.T) {
	var cells []cell
	for id := range int64(ci.MaxJobsPerRun) {
		cells = append(cells, planned(id+1, "m"))
	}
	p := &projection{plan: plan(cells...)}
	status, ends := p.run(t, nil)
	require.Equal(t, success, status)
	require.Len(t, ends, ci.MaxJobsPerRun)
	require.Len(t, p.steps[0].Offered, ci.MaxJobsPerRun, "all offers are made in one step")
}

func TestStateQuery(t *testing.T) {
	p := &projection{plan: plan(planned(1, "a"), planned(2, "b", "a"))}
	var state workflows.RunState
	p.run(t, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() {
			v, err := env.QueryWorkflow(workflows.QueryState)
			require.NoError(t, err)
			require.NoError(t, v.Get(&state))
		}, 500*time.Millisecond)
	})
	require.Equal(t, []workflows.JobState{
		{JobID: 1, Key: "a", Status: ci.StatusWaiting}, {JobID: 2, Key: "b", Status: ci.StatusBlocked},
	}, state.Jobs)
}

func TestWorkflowIDs(t *testing.T) {
	run, attempt, ok := workflows.ParseRunWorkflowID(workflows.RunWorkflowID(12, 3))
	require.Equal(t, []any{int64(12), 3, true}, []any{run, attempt, ok})
	job, ok := workflows.ParseJobWorkflowID(workflows.JobWorkflowID(5))
	require.Equal(t, []any{int64(5), true}, []any{job, ok})
	task, ok := workflows.ParseSuperviseActivityID(workflows.SuperviseActivityID(6))
	require.Equal(t, []any{int64(6), true}, []any{task, ok})
	for _, id := range []string{"", "run/1", "run/01/1", "run/1/x", "job/-", "job/007", "task/", "run/1/2/3"} {
		_, _, ok := workflows.ParseRunWorkflowID(id)
		require.False(t, ok, id)
		_, ok = workflows.ParseJobWorkflowID(id)
		require.False(t, ok, id)
	}
}
