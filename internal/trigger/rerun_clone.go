package trigger

import (
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

// cloneJobs makes the jobs of a new attempt out of those of the one before: of a single job, of those that failed, or of
// all. It finds the single one among them.
func cloneJobs(jobs []*db.Job, single int64, failedOnly bool, now time.Time) (clones []*db.Job, picked *db.Job, err error) {
	c := newChoice(jobs)
	switch {
	case single != 0:
		err = c.one(single)
	case failedOnly:
		c.failed()
	default:
		c.all()
	}
	if err != nil {
		return nil, nil, err
	}
	clones = c.clones(now)
	for _, j := range clones {
		if j.ID == single {
			picked = j
		}
	}
	return clones, picked, nil
}

// clones makes the rows of the next attempt. They have the ids of the jobs that they are made of, which the database
// replaces, and keep their cells, which name the same job in every attempt.
func (c *choice) clones(now time.Time) []*db.Job {
	var out []*db.Job
	for _, j := range c.jobs {
		switch c.fates[j.ID] {
		case fateAgain:
			out = append(out, definition(j))
		case fateOpen:
			out = append(out, reopened(j, now))
		case fateKeep:
			out = append(out, kept(j))
		}
	}
	return out
}

// definition is what the workflow file says of a job, without anything that has happened to it.
func definition(j *db.Job) *db.Job {
	out := &db.Job{
		ID: j.ID, ParentID: j.ParentID, OriginID: j.OriginID, Cell: j.Cell, Kind: j.Kind, File: j.File, Uses: j.Uses,
		Key: j.Key, Name: j.Name, Needs: nonNil(j.Needs), RunsOn: nonNil(j.RunsOn), LabelSetID: j.LabelSetID,
		IfExpr: j.IfExpr, IfAt: j.IfAt, IfMatrix: j.IfMatrix, Matrix: j.Matrix, JobIndex: j.JobIndex, JobTotal: j.JobTotal,
		FailFast: j.FailFast, MaxParallel: j.MaxParallel, ContinueOnError: j.ContinueOnError, TimeoutMinutes: j.TimeoutMinutes,
		StepNames: nonNil(j.StepNames), Payload: j.Payload, IsGated: j.IsGated, Priority: j.Priority, Retry: j.Retry,
	}
	out.Status = out.InitialStatus()
	return out
}

// reopened is a caller whose children are there, and of which some run again with what it gave to them before.
func reopened(j *db.Job, now time.Time) *db.Job {
	out := definition(j)
	out.Status, out.StartedAt, out.ExpandedAt = ci.StatusRunning, now, j.ExpandedAt
	out.CallInputs, out.CallSecrets = j.CallInputs, j.CallSecrets
	return out
}

// kept is a job that has ended, as it is, or one that follows a job which has not. Of several attempts in a row that
// follow each other, all follow the one in which the job runs.
func kept(j *db.Job) *db.Job {
	out := *j
	out.Needs, out.RunsOn, out.StepNames = nonNil(j.Needs), nonNil(j.RunsOn), nonNil(j.StepNames)
	out.CreatedAt, out.UpdatedAt = time.Time{}, time.Time{}
	if j.IsHidden || j.Status.Terminal() {
		out.FollowsID = 0
		return &out
	}
	if j.FollowsID == 0 {
		out.FollowsID = j.ID
	}
	out.ExpandedAt = time.Time{} // its children, if it has any, are in that attempt only
	return &out
}
