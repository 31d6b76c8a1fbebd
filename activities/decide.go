package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/expr"
	"github.com/pawl-ci/pawl/internal/workflowfile"
	"github.com/pawl-ci/pawl/workflows"
)

// EvaluateIfs decides the `if` of jobs whose needs are done (execution-semantics.md §4). An expression that cannot
// be evaluated is an answer, not an error: it fails its job with the message, at once (known-problems.md B7).
func (a *Activities) EvaluateIfs(ctx context.Context, in workflows.IfQueries) ([]workflows.IfAnswer, error) {
	known, err := a.know(ctx, in)
	return answerAll(ctx, a, in.Queries, err,
		func(q workflows.IfQuery) (workflows.IfAnswer, error) { return known.decideIf(q), nil },
		func(q workflows.IfQuery, v verdict) workflows.IfAnswer {
			return workflows.IfAnswer{JobID: q.JobID, Error: workflows.ShortReason(v.text), Class: v.class}
		})
}

// knowledge is what the expressions of some jobs of one attempt depend on.
type knowledge struct {
	run  *db.RunContext
	jobs map[int64]*db.Job
	// callers are those of the jobs that are written in called workflows.
	callers map[int64]caller
	needs   map[scopedKey]workflowfile.NeedResult
	github  map[string]any
	// ownCallEvent: called workflows have the event workflow_call.
	ownCallEvent bool
	// budget is for everything that is decided in one go: an activity has to end in time whatever its files ask for.
	budget *expr.Budget
}

// caller is what jobs have of the job that calls their workflow.
type caller struct {
	inputs   map[string]any
	priority int
}

func (a *Activities) know(ctx context.Context, in workflows.IfQueries) (*knowledge, error) {
	ids := make([]int64, len(in.Queries))
	for i, q := range in.Queries {
		ids[i] = q.JobID
	}
	k, err := a.knowJobs(ctx, in.RunInput, ids)
	if err != nil {
		return nil, err
	}
	return k, a.knowNeeds(ctx, in, k)
}

// knowJobs reads jobs and their run.
func (a *Activities) knowJobs(ctx context.Context, in workflows.RunInput, ids []int64) (*knowledge, error) {
	k := &knowledge{
		callers: map[int64]caller{}, needs: map[scopedKey]workflowfile.NeedResult{},
		ownCallEvent: a.ownCallEvent, budget: workflowfile.NewBudget(),
	}
	var err error
	if k.run, err = a.db.RunContext(ctx, in.RunID, in.Attempt); err != nil {
		return nil, err
	}
	if k.github, err = k.run.Facts.GitHub(); err != nil {
		return nil, hopeless(err)
	}
	if k.jobs, err = a.db.JobsToDecide(ctx, ids); err != nil {
		return nil, err
	}
	return k, a.knowCallers(ctx, k)
}

// knowCallers reads the callers of the jobs.
func (a *Activities) knowCallers(ctx context.Context, k *knowledge) error {
	var parents []int64
	for _, j := range k.jobs {
		if j.ParentID != 0 && !slices.Contains(parents, j.ParentID) {
			parents = append(parents, j.ParentID)
		}
	}
	if len(parents) == 0 {
		return nil
	}
	callers, err := a.db.JobsToDecide(ctx, parents)
	if err != nil {
		return err
	}
	for _, c := range callers {
		if err := k.knowCaller(c); err != nil {
			return err
		}
	}
	return nil
}

func (k *knowledge) knowCaller(c *db.Job) error {
	inputs, err := callInputs(c)
	k.callers[c.ID] = caller{inputs, c.Priority}
	return err
}

func callInputs(caller *db.Job) (inputs map[string]any, err error) {
	if err = json.Unmarshal(caller.CallInputs, &inputs); err != nil {
		err = hopeless(fmt.Errorf("inputs of caller %d: %w", caller.ID, err))
	}
	return inputs, err
}

// knowNeeds reads the outputs of all jobs that are needed by any of the queries.
func (a *Activities) knowNeeds(ctx context.Context, in workflows.IfQueries, k *knowledge) error {
	keys := map[int64][]string{} // by caller
	for _, q := range in.Queries {
		for _, n := range q.Needs {
			if j := k.jobs[q.JobID]; j != nil {
				keys[j.ParentID] = append(keys[j.ParentID], n.Key)
			}
		}
	}
	for parent, list := range keys {
		slices.Sort(list)
		outcomes, err := a.db.NeedOutcomes(ctx, in.AttemptID, parent, slices.Compact(list))
		if err != nil {
			return err
		}
		for key, need := range mergeOutputs(outcomes) {
			k.needs[scopedKey{parent, key}] = need
		}
	}
	return nil
}

// mergeOutputs joins the outputs of the cells of each job: a later cell's value wins unless it is empty
// (execution-semantics.md §5.1).
func mergeOutputs(outcomes []db.NeedOutcome) map[string]workflowfile.NeedResult {
	out := map[string]workflowfile.NeedResult{}
	for _, o := range outcomes {
		need, seen := out[o.Key]
		if !seen {
			need.Outputs = map[string]string{}
		}
		for k, v := range o.Outputs {
			if v != "" || need.Outputs[k] == "" {
				need.Outputs[k] = v
			}
		}
		out[o.Key] = need
	}
	return out
}

func (k *knowledge) decideIf(q workflows.IfQuery) workflows.IfAnswer {
	job, found := k.jobs[q.JobID]
	if !found {
		return workflows.IfAnswer{JobID: q.JobID, Error: errGone.Error()}
	}
	holds, err := workflowfile.EvalIf(job.IfExpr, job.IfAt, k.context(job, q))
	if err != nil {
		return workflows.IfAnswer{JobID: q.JobID, Error: workflows.ShortReason(err.Error())}
	}
	return workflows.IfAnswer{JobID: q.JobID, Run: holds}
}

// context is what the expressions of a job see.
func (k *knowledge) context(job *db.Job, q workflows.IfQuery) workflowfile.JobContext {
	c := workflowfile.JobContext{
		GitHub: k.githubOf(job), Inputs: k.inputsOf(job), Vars: k.run.Vars, Budget: k.budget,
		Needs:    map[string]workflowfile.NeedResult{},
		FailFast: job.FailFast, MaxParallel: job.MaxParallel, Index: job.JobIndex, Total: job.JobTotal, Facts: q.Facts,
	}
	_ = json.Unmarshal(job.Matrix, &c.Matrix) // written by ourselves
	for _, n := range q.Needs {
		need := k.needs[scopedKey{job.ParentID, n.Key}]
		need.Result = n.Result.String()
		c.Needs[n.Key] = need
	}
	return c
}

// inputsOf are the inputs of the workflow in which a job is written: those of the call, or of the dispatch.
func (k *knowledge) inputsOf(job *db.Job) map[string]any {
	if job.ParentID != 0 {
		return k.callers[job.ParentID].inputs
	}
	return k.run.Inputs
}

// githubOf is the `github` context of the workflow in which a job is written.
func (k *knowledge) githubOf(job *db.Job) map[string]any {
	if job.ParentID != 0 {
		return k.githubIn(k.callers[job.ParentID].inputs)
	}
	return k.github
}

// githubIn is the `github` context of a workflow that is called with these inputs.
func (k *knowledge) githubIn(inputs map[string]any) map[string]any {
	if k.ownCallEvent {
		return ci.InCall(k.github, inputs)
	}
	return k.github
}
