package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/planrow"
	"github.com/pawl-ci/pawl/internal/workflowfile"
	"github.com/pawl-ci/pawl/workflows"
)

// ExpandJobs replaces deferred jobs by their cells and gives callers their children, each in one transaction. What
// the author of a workflow file has to mend is an answer and no error (execution-semantics.md §5, §10).
func (a *Activities) ExpandJobs(ctx context.Context, in workflows.IfQueries) ([]workflows.Expansion, error) {
	x, err := a.expander(ctx, in)
	return answerAll(ctx, a, in.Queries, err,
		func(q workflows.IfQuery) (workflows.Expansion, error) { return a.expandOne(ctx, x, q) },
		func(q workflows.IfQuery, v verdict) workflows.Expansion {
			return workflows.Expansion{JobID: q.JobID, Error: workflows.ShortReason(v.text), Class: v.class}
		})
}

// expander plans what a job becomes.
type expander struct {
	*knowledge
	files *files
	// places are the concurrency groups in which jobs are already, where that is asked for.
	places map[placeKey]db.GateRow
}

func (a *Activities) expander(ctx context.Context, in workflows.IfQueries) (expander, error) {
	k, err := a.know(ctx, in)
	if err != nil {
		return expander{}, err
	}
	f, err := a.filesOf(ctx, in.AttemptID)
	return expander{knowledge: k, files: f}, err
}

func (a *Activities) expandOne(ctx context.Context, x expander, q workflows.IfQuery) (workflows.Expansion, error) {
	e, err := x.plan(q)
	if err != nil {
		return workflows.Expansion{}, err
	}
	jobs, err := a.db.Expand(ctx, e)
	if err != nil {
		return workflows.Expansion{}, err
	}
	return workflows.Expansion{JobID: q.JobID, Plan: planOf(jobs)}, nil
}

// problemOf is the text of an error that is the author's to mend; any other error gives none.
func problemOf(err error) string {
	var invalid *workflowfile.Error
	var known *problem
	switch {
	case errors.As(err, &invalid), errors.As(err, &known), errors.Is(err, errGone):
		return err.Error()
	case errors.Is(err, db.ErrTooManyJobs):
		return db.ErrTooManyJobs.Error()
	case errors.Is(err, db.ErrFinished):
		return "the job has ended"
	}
	return ""
}

// problem is a fault that is the author's to mend.
type problem struct{ text string }

func (p *problem) Error() string { return p.text }

func (x expander) plan(q workflows.IfQuery) (db.Expansion, error) {
	job, found := x.jobs[q.JobID]
	if !found {
		return db.Expansion{}, errGone
	}
	w, err := x.files.writtenIn(job)
	if err != nil {
		return db.Expansion{}, err
	}
	if job.Kind == ci.JobCall {
		return x.call(job, w, q)
	}
	return x.cells(job, w, q)
}

// cells plans a deferred job, now that the outputs of its needs are known.
func (x expander) cells(job *db.Job, w *workflowfile.Workflow, q workflows.IfQuery) (db.Expansion, error) {
	c := x.context(job, q)
	planned, err := w.PlanJob(job.Key, workflowfile.PlanContext{
		GitHub: c.GitHub, Inputs: c.Inputs, Vars: c.Vars, Needs: c.Needs, Root: x.root(), Call: job.ParentID != 0,
		Priority: x.callers[job.ParentID].priority, Budget: x.budget,
	})
	e := db.Expansion{Job: job}
	for _, p := range planned {
		row := planrow.Job(p)
		row.File = job.File
		e.Jobs = append(e.Jobs, row)
	}
	return e, err
}

// call plans the jobs of the workflow that a job calls.
func (x expander) call(job *db.Job, w *workflowfile.Workflow, q workflows.IfQuery) (db.Expansion, error) {
	number, callee, text := x.files.calledBy(job)
	if text != "" {
		return db.Expansion{}, &problem{text}
	}
	call, err := w.Call(job.Key, x.context(job, q), callee)
	if err != nil {
		return db.Expansion{}, err
	}
	e := db.Expansion{Job: job, Secrets: call.Secrets}
	if e.Inputs, err = json.Marshal(call.Inputs); err != nil {
		return e, hopeless(fmt.Errorf("inputs of caller %d: %w", job.ID, err))
	}
	plan, err := callee.Plan(workflowfile.PlanContext{
		GitHub: x.githubIn(call.Inputs), Inputs: call.Inputs, Vars: x.run.Vars, Root: x.root(), Call: true, Priority: job.Priority,
		Budget: x.budget,
	})
	if err != nil {
		return e, err
	}
	for _, p := range plan.Jobs {
		row := planrow.Job(p)
		row.File = number
		e.Jobs = append(e.Jobs, row)
	}
	return e, nil
}

// root is the name of the run's own workflow, which called ones have as github.workflow too.
func (x expander) root() string { return x.run.Facts.Workflow }

// ConcludeCalls evaluates the outputs of callers whose children have ended (execution-semantics.md §10).
func (a *Activities) ConcludeCalls(ctx context.Context, in workflows.CallEnds) ([]workflows.CallAnswer, error) {
	ids := make([]int64, len(in.Calls))
	for i, c := range in.Calls {
		ids[i] = c.JobID
	}
	k, err := a.knowJobs(ctx, in.RunInput, ids)
	var f *files
	if err == nil {
		f, err = a.filesOf(ctx, in.AttemptID)
	}
	return answerAll(ctx, a, in.Calls, err,
		func(c workflows.CallEnd) (workflows.CallAnswer, error) {
			return workflows.CallAnswer{JobID: c.JobID}, a.concludeCall(ctx, in.AttemptID, expander{knowledge: k, files: f}, c.JobID)
		},
		func(c workflows.CallEnd, v verdict) workflows.CallAnswer {
			return workflows.CallAnswer{JobID: c.JobID, Error: workflows.ShortReason(v.text), Class: v.class}
		})
}

func (a *Activities) concludeCall(ctx context.Context, attempt int64, x expander, id int64) error {
	caller, found := x.jobs[id]
	if !found {
		return errGone
	}
	_, callee, text := x.files.calledBy(caller)
	if text != "" {
		return &problem{text}
	}
	if len(callee.On.Call.Outputs) == 0 {
		return nil
	}
	inputs, err := callInputs(caller)
	if err != nil {
		return err
	}
	children, err := a.db.ChildOutcomes(ctx, attempt, id)
	if err != nil {
		return err
	}
	c := workflowfile.JobContext{GitHub: x.githubIn(inputs), Inputs: inputs, Vars: x.run.Vars, Budget: x.budget}
	outputs, err := callee.CallOutputs(c, resultsOf(children))
	if err != nil {
		return err
	}
	return a.db.SetCallOutputs(ctx, id, outputs)
}

// resultsOf adds up the cells of each job.
func resultsOf(outcomes []db.NeedOutcome) map[string]workflowfile.NeedResult {
	results := mergeOutputs(outcomes)
	cells := map[string][]ci.Outcome{}
	for _, o := range outcomes {
		status, _ := ci.ParseStatus(o.Status) // written by ourselves
		cells[o.Key] = append(cells[o.Key], ci.Outcome{Status: status, Soft: o.ContinueOnError, FailFast: o.ByFailFast})
	}
	for key, r := range results {
		r.Result = ci.Aggregate(cells[key]).String()
		results[key] = r
	}
	return results
}
