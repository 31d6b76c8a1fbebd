package activities

import (
	"context"
	"fmt"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/workflowfile"
)

// files are the workflow files of an attempt: its own and those that it calls. They never change.
type files struct {
	rows   []*db.AttemptFile
	parsed []*workflowfile.Workflow
}

// filesOf reads and parses the files of an attempt. They were checked before they were stored.
func (a *Activities) filesOf(ctx context.Context, attempt int64) (*files, error) {
	if f, ok := a.files.Get(attempt); ok {
		return f, nil
	}
	rows, err := a.db.AttemptFiles(ctx, attempt)
	if err != nil {
		return nil, err
	}
	f := &files{rows: rows, parsed: make([]*workflowfile.Workflow, len(rows))}
	for i, r := range rows {
		if f.parsed[i], err = workflowfile.Parse(r.Path, r.Content); err != nil {
			return nil, hopeless(fmt.Errorf("stored file %d of attempt %d: %w", i, attempt, err))
		}
	}
	a.files.Add(attempt, f)
	return f, nil
}

// writtenIn is the file in which a job is written.
func (f *files) writtenIn(j *db.Job) (*workflowfile.Workflow, error) {
	if j.File < 0 || j.File >= len(f.parsed) {
		return nil, hopeless(fmt.Errorf("job %d is in file %d of %d", j.ID, j.File, len(f.parsed)))
	}
	return f.parsed[j.File], nil
}

// calledBy is the file that a caller calls, or why there is none.
func (f *files) calledBy(j *db.Job) (number int, callee *workflowfile.Workflow, problem string) {
	if j.File < 0 || j.File >= len(f.rows) {
		return 0, nil, "the file of the job is gone"
	}
	target, known := f.rows[j.File].Calls[j.Uses]
	switch {
	case !known:
		return 0, nil, fmt.Sprintf("the workflow %q was not looked up", j.Uses)
	case target.Problem != "":
		return 0, nil, target.Problem
	case target.File <= 0 || target.File >= len(f.parsed):
		return 0, nil, fmt.Sprintf("the file of %q is gone", j.Uses)
	}
	return target.File, f.parsed[target.File], ""
}
