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
// timer, and then their concurrency group, so that nobody holds a group while a person makes up their mind. It may be
// repeated, and is, whenever something has changed.
func (a *Activities) AdmitJobs(ctx context.Context, in workflows.IfQueries) ([]workflows.Admission, error) {
	x, err := a.expander(ctx, in)
	if err == nil {
		x.places, err = a.places(ctx, in.AttemptID)
	}
	return answerAll(ctx, a, in.Queries, err,
		func(q workflows.IfQuery) (workflows.Admission, error) { return a.admitOne(ctx, x, q) },
		func(q workflows.IfQuery, v verdict) workflows.Admission {
			return workflows.Admission{JobID: q.JobID, Status: ci.StatusFailure, Reason: workflows.ShortReason(v.text), Class: v.class}
		})
}

// places are the groups in which jobs of an attempt are already, by job. Who is in one need not enter it again, which
// takes a lock.
func (a *Activities) places(ctx context.Context, attempt int64) (map[int64]db.GateRow, error) {
	rows, err := a.db.GatesOf(ctx, attempt)
	if err != nil {
		return nil, err
	}
	places := make(map[int64]db.GateRow, len(rows))
	for _, r := range rows {
		places[r.JobID] = r
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
	c := x.context(job, q)
	held, err := a.enterEnvironment(ctx, w, job, c)
	if err == nil && held.Hold == "" && !held.Status.Terminal() {
		held, err = a.enterJobGate(ctx, x, w, job, c)
	}
	return held, err
}

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

func (a *Activities) enterJobGate(ctx context.Context, x expander, w *workflowfile.Workflow, job *db.Job, c workflowfile.JobContext) (workflows.Admission, error) {
	if place, isMember := x.places[job.ID]; isMember {
		return admittedBy(job.ID, place.Title, place.State, place.Reason), nil
	}
	group, err := w.JobConcurrency(job.Key, c)
	if err != nil || group == nil {
		return workflows.Admission{JobID: job.ID}, err
	}
	answer, err := a.db.EnterGate(ctx, db.GateEntry{
		RepoID: job.RepoID, RunID: job.RunID, AttemptID: job.AttemptID, JobID: job.ID, Concurrency: *group,
	})
	if err != nil {
		return workflows.Admission{}, err
	}
	a.wake(ctx, answer.Wake)
	return admittedBy(job.ID, group.Group, answer.State, answer.Reason), nil
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
