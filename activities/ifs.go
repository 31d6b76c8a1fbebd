package activities

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/workflowfile"
	"github.com/pawl-ci/pawl/workflows"
)

// EvaluateIfs decides the `if` of jobs whose needs are done (execution-semantics.md §4). An expression that cannot
// be evaluated is an answer, not an error: it fails its job with the message, at once (known-problems.md B7).
func (a *Activities) EvaluateIfs(ctx context.Context, in workflows.IfQueries) ([]workflows.IfAnswer, error) {
	known, err := a.loadIfs(ctx, in)
	if err != nil {
		return nil, failed(err)
	}
	answers := make([]workflows.IfAnswer, len(in.Queries))
	for i, q := range in.Queries {
		answers[i] = known.answer(q)
	}
	return answers, nil
}

// ifs is what is known when the `if` of some jobs of one attempt is decided.
type ifs struct {
	github, inputs map[string]any
	jobs           map[int64]*db.Job
	needs          map[string]workflowfile.NeedResult
}

func (a *Activities) loadIfs(ctx context.Context, in workflows.IfQueries) (*ifs, error) {
	run, err := a.db.RunContext(ctx, in.RunID, in.Attempt)
	if err != nil {
		return nil, err
	}
	github, err := run.Facts.GitHub()
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(in.Queries))
	for i, q := range in.Queries {
		ids[i] = q.JobID
	}
	jobs, err := a.db.JobsForIf(ctx, ids)
	if err != nil {
		return nil, err
	}
	needs, err := a.needsOf(ctx, in)
	return &ifs{github: github, inputs: run.Inputs, jobs: jobs, needs: needs}, err
}

func (k *ifs) answer(q workflows.IfQuery) workflows.IfAnswer {
	job, found := k.jobs[q.JobID]
	if !found {
		return workflows.IfAnswer{JobID: q.JobID, Error: "if: the job is gone"}
	}
	holds, err := workflowfile.EvalIf(job.IfExpr, k.context(job, q))
	if err != nil {
		return workflows.IfAnswer{JobID: q.JobID, Error: workflows.ShortReason("if: " + err.Error())}
	}
	return workflows.IfAnswer{JobID: q.JobID, Run: holds}
}

func (k *ifs) context(job *db.Job, q workflows.IfQuery) workflowfile.IfContext {
	c := workflowfile.IfContext{
		GitHub: k.github, Inputs: k.inputs, Needs: map[string]workflowfile.NeedResult{},
		FailFast: job.FailFast, MaxParallel: job.MaxParallel, Index: job.JobIndex, Total: job.JobTotal, Facts: q.Facts,
	}
	_ = json.Unmarshal(job.Matrix, &c.Matrix) // written by ourselves
	for _, n := range q.Needs {
		need := k.needs[n.Key]
		need.Result = n.Result.String()
		c.Needs[n.Key] = need
	}
	return c
}

// needsOf reads the outputs of all jobs that are needed by any of the queries.
func (a *Activities) needsOf(ctx context.Context, in workflows.IfQueries) (map[string]workflowfile.NeedResult, error) {
	var keys []string
	for _, q := range in.Queries {
		for _, n := range q.Needs {
			keys = append(keys, n.Key)
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	if len(keys) == 0 {
		return nil, nil
	}
	outcomes, err := a.db.NeedOutcomes(ctx, in.AttemptID, keys)
	if err != nil {
		return nil, err
	}
	return mergeOutputs(outcomes), nil
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
