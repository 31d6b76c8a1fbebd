package activities

import (
	"context"
	"fmt"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/workflowfile"
	"github.com/pawl-ci/pawl/workflows"
)

// AdmitJobs tells what jobs that are to run still wait for: first their environment, with its reviewers and its wait
// timer, and then their concurrency group, so that nobody holds a group while a person makes up their mind. Last comes the
// group of the workflow that a job calls. It may be repeated, and is, whenever something has changed.
func (a *Activities) AdmitJobs(ctx context.Context, in workflows.IfQueries) ([]workflows.Admission, error) {
	x, err := a.expander(ctx, in)
	if err == nil {
		x.places, err = a.places(ctx, in.AttemptID)
	}
	return answerAll(ctx, a, in.Queries, err,
		func(q workflows.IfQuery) (workflows.Admission, error) { return a.admitOne(ctx, x, q) },
		func(q workflows.IfQuery, v verdict) workflows.Admission { return turnedAway(q.JobID, v) })
}

// placeKey names the group of a job, or that of the workflow which it calls.
type placeKey struct {
	job    int64
	called bool
}

// places are the groups in which jobs of an attempt are already. Who is in one need not enter it again, which takes a
// lock.
func (a *Activities) places(ctx context.Context, attempt int64) (map[placeKey]db.GateRow, error) {
	rows, err := a.db.GatesOf(ctx, attempt)
	if err != nil {
		return nil, err
	}
	places := make(map[placeKey]db.GateRow, len(rows))
	for _, r := range rows {
		places[placeKey{r.JobID, r.Called}] = r
	}
	return places, nil
}

func (a *Activities) admitOne(ctx context.Context, x expander, q workflows.IfQuery) (workflows.Admission, error) {
	job, found := x.jobs[q.JobID]
	if !found {
		return workflows.Admission{}, errGone
	}
	w, err := x.files.writtenIn(job)
	if err != nil {
		return workflows.Admission{}, err
	}
	held, err := a.enterCallers(ctx, x, job)
	inGate := held.InGate
	if err == nil && isFree(held) {
		held, err = a.enterAll(ctx, x, w, job, x.context(job, q))
	}
	if text := problemOf(err); text != "" {
		held, err = turnedAway(job.ID, verdict{text, ci.ErrorPermanent}), nil
	}
	held.InGate = held.InGate || inGate
	return held, err
}

// turnedAway ends a job that cannot be admitted.
func turnedAway(job int64, v verdict) workflows.Admission {
	return workflows.Admission{JobID: job, Status: ci.StatusFailure, Reason: workflows.ShortReason(v.text), Class: v.class}
}

// enterCallers has the callers of a job enter their concurrency groups, the outermost first. They are in them already, but
// in a rerun of some of the jobs that they call: there they are callers from the start, and never candidates.
func (a *Activities) enterCallers(ctx context.Context, x expander, job *db.Job) (workflows.Admission, error) {
	out := workflows.Admission{JobID: job.ID}
	chain, err := a.chainOf(ctx, x, job)
	for i := len(chain) - 1; i >= 0 && err == nil && isFree(out); i-- {
		out, err = a.enterCaller(ctx, x, chain[i], out)
		out.JobID = job.ID
	}
	return out, err
}

func (a *Activities) enterCaller(ctx context.Context, x expander, caller *db.Job, out workflows.Admission) (workflows.Admission, error) {
	w, err := x.files.writtenIn(caller)
	if err != nil {
		return out, err
	}
	c := x.context(caller, workflows.IfQuery{})
	outcomes, err := a.db.NeedOutcomes(ctx, caller.AttemptID, caller.ParentID, caller.Needs)
	if err != nil {
		return out, err
	}
	c.Needs = resultsOf(outcomes)
	return a.enterGates(ctx, x, w, caller, c, out)
}

// chainOf are the callers of a job, the innermost first.
func (a *Activities) chainOf(ctx context.Context, x expander, job *db.Job) ([]*db.Job, error) {
	var chain []*db.Job
	for id := job.ParentID; id != 0; id = chain[len(chain)-1].ParentID {
		found, err := a.db.JobsToDecide(ctx, []int64{id})
		if err != nil {
			return nil, err
		}
		caller, ok := found[id]
		if !ok {
			return nil, errGone
		}
		if err := x.knowCaller(caller); err != nil {
			return nil, err
		}
		chain = append(chain, caller)
	}
	return chain, nil
}

// enterAll goes from one thing that a job waits for to the next, until one of them holds it or ends it.
func (a *Activities) enterAll(ctx context.Context, x expander, w *workflowfile.Workflow, job *db.Job, c workflowfile.JobContext) (workflows.Admission, error) {
	out, err := a.enterEnvironment(ctx, w, job, c)
	if err != nil || !isFree(out) {
		return out, err
	}
	return a.enterGates(ctx, x, w, job, c, out)
}

func (a *Activities) enterGates(
	ctx context.Context, x expander, w *workflowfile.Workflow, job *db.Job, c workflowfile.JobContext, out workflows.Admission,
) (workflows.Admission, error) {
	gates, err := x.gatesOf(w, job, c)
	if err != nil {
		return out, err
	}
	for _, g := range gates {
		if out, err = a.enterJobGate(ctx, x, g); err != nil || !isFree(out) {
			break
		}
	}
	return out, err
}

func isFree(held workflows.Admission) bool { return held.Hold == "" && !held.Status.Terminal() }

func refusal(job int64, reason string) workflows.Admission {
	return workflows.Admission{JobID: job, Status: ci.StatusFailure, Reason: reason}
}

func (a *Activities) enterEnvironment(ctx context.Context, w *workflowfile.Workflow, job *db.Job, c workflowfile.JobContext) (workflows.Admission, error) {
	free := workflows.Admission{JobID: job.ID}
	name, err := w.JobEnvironment(job.Key, c)
	if err != nil || name == "" {
		return free, err
	}
	h, err := a.db.EnterEnvironment(ctx, job, name)
	switch {
	case err != nil:
		return free, err
	case h.State == db.DeploymentRejected:
		return refusal(job.ID, fmt.Sprintf("%s rejected the deployment to %s: %s", h.ReviewedBy, name, h.Comment)), nil
	case h.State == db.DeploymentWaiting:
		free.Hold, free.WaitUntil = fmt.Sprintf("environment %s waits for a reviewer", name), h.WaitUntil
	case !h.WaitUntil.IsZero():
		free.Hold, free.WaitUntil = fmt.Sprintf("environment %s has a wait timer", name), h.WaitUntil
	}
	return free, nil
}

// gatesOf are the entries of a job into concurrency groups: its own, and that of the workflow that it calls.
func (x expander) gatesOf(w *workflowfile.Workflow, job *db.Job, c workflowfile.JobContext) ([]db.GateEntry, error) {
	own, err := w.JobConcurrency(job.Key, c)
	if err != nil {
		return nil, err
	}
	called, err := x.calledGroup(w, job, c)
	if err != nil {
		return nil, err
	}
	var gates []db.GateEntry
	for i, group := range []*ci.Concurrency{own, called} {
		if group != nil {
			gates = append(gates, db.GateEntry{
				RepoID: job.RepoID, RunID: job.RunID, AttemptID: job.AttemptID, JobID: job.ID, Called: i > 0, Concurrency: *group,
			})
		}
	}
	return gates, nil
}

// calledGroup is the concurrency group of the workflow that a job calls; nil when there is none. What cannot be called
// tells so when it is expanded.
func (x expander) calledGroup(w *workflowfile.Workflow, job *db.Job, c workflowfile.JobContext) (*ci.Concurrency, error) {
	if job.Kind != ci.JobCall {
		return nil, nil
	}
	_, callee, text := x.files.calledBy(job)
	if text != "" || !callee.HasConcurrency() {
		return nil, nil
	}
	call, err := w.Call(job.Key, c, callee)
	if err != nil {
		return nil, err
	}
	return callee.CallConcurrency(workflowfile.JobContext{GitHub: x.githubIn(call.Inputs), Inputs: call.Inputs, Vars: c.Vars, Budget: x.budget})
}

func (a *Activities) enterJobGate(ctx context.Context, x expander, e db.GateEntry) (workflows.Admission, error) {
	if place, isMember := x.places[placeKey{e.JobID, e.Called}]; isMember {
		return admittedBy(e.JobID, place.Title, place.State, place.Reason), nil
	}
	answer, err := a.db.EnterGate(ctx, e)
	if err != nil {
		return workflows.Admission{JobID: e.JobID}, err
	}
	a.wake(ctx, answer.Wake)
	return admittedBy(e.JobID, e.Group, answer.State, answer.Reason), nil
}

// admittedBy is what the place of a job in its group means for it.
func admittedBy(job int64, group string, state db.GateState, reason string) workflows.Admission {
	out := workflows.Admission{JobID: job, InGate: true}
	switch state {
	case db.GatePending:
		out.Hold = fmt.Sprintf("concurrency group %s is taken", group)
	case db.GateReplaced, db.GateRefused, db.GateLeaving:
		out.Status, out.Reason = ci.StatusCancelled, reason
	}
	return out
}
