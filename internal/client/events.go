package client

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/pawl-ci/pawl/internal/pacing"
)

// Change is a change of the status of a run or, when JobID is not 0, of a job.
type Change struct {
	RunID      int64     `json:"run_id"`
	RunNumber  int64     `json:"run_number"`
	RunAttempt int       `json:"run_attempt"`
	JobID      int64     `json:"job_id"`
	Name       string    `json:"name"`
	Status     string    `json:"status"`
	Conclusion string    `json:"conclusion"`
	At         time.Time `json:"at"`
}

// StateOf is where a run or job stood when a stream began.
type StateOf struct {
	ID         int64     `json:"id"`
	RunNumber  int64     `json:"run_number"` // of runs
	RunAttempt int       `json:"run_attempt"`
	Name       string    `json:"name"` // of jobs
	Status     string    `json:"status"`
	Conclusion string    `json:"conclusion"`
	UpdatedAt  time.Time `json:"updated_at"`
}

// Snapshot is the first event of a stream: of a run with its jobs, or of the runs of a repository that have not ended.
type Snapshot struct {
	Run  StateOf   `json:"run"`
	Jobs []StateOf `json:"jobs"`
	Runs []StateOf `json:"runs"`
}

// StatusEvent is one event of a stream of changes: the one field that is set says of what kind.
type StatusEvent struct {
	ID       string
	Snapshot *Snapshot
	Change   *Change
	// End is the end of the run that is followed.
	End *Change
}

// FollowRun hands every change of a run and its jobs to fn until the run has ended, fn returns false, or ctx is over.
// When the stream breaks off it is taken up again where it was.
func (c *Client) FollowRun(ctx context.Context, repo string, run int64, fn func(StatusEvent) bool) error {
	return c.follow(ctx, fmt.Sprintf("/repos/%s/actions/runs/%d/events", repo, run), fn)
}

// FollowRepo is FollowRun for all runs of a repository.
func (c *Client) FollowRepo(ctx context.Context, repo string, fn func(StatusEvent) bool) error {
	return c.follow(ctx, "/repos/"+repo+"/actions/events", fn)
}

// followPause is the pause before a stream that broke off is taken up again.
const followPause = time.Second

func (c *Client) follow(ctx context.Context, path string, fn func(StatusEvent) bool) error {
	last := ""
	for {
		done := false
		err := c.stream(ctx, path, last, func(e Event) bool {
			event, err := e.status()
			if err != nil {
				return true // of a kind that this client does not know
			}
			if event.ID != "" {
				last = event.ID
			}
			done = !fn(event) || event.End != nil
			return !done
		})
		switch {
		case done:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case Refused(err):
			return err
		}
		if err := pacing.Pause(ctx, PauseAfter(err, followPause)); err != nil {
			return err
		}
	}
}

func (e Event) status() (StatusEvent, error) {
	out := StatusEvent{ID: e.ID}
	var into any
	switch e.Name {
	case "snapshot":
		out.Snapshot = &Snapshot{}
		into = out.Snapshot
	case "run", "job":
		out.Change = &Change{}
		into = out.Change
	case "end":
		out.End = &Change{}
		into = out.End
	default:
		return out, fmt.Errorf("event %q", e.Name)
	}
	return out, json.Unmarshal([]byte(e.Data), into)
}
