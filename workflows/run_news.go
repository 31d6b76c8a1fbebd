package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/pawl-ci/pawl/internal/ci"
)

// news is what the workflow was woken for and has not read yet.
type news struct {
	unread bool
	paused bool
}

func (r *run) listenForNews() {
	r.selector.AddReceive(workflow.GetSignalChannel(r.ctx, SignalChanged), func(c workflow.ReceiveChannel, _ bool) {
		c.Receive(r.ctx, nil)
		r.news.unread = true
	})
}

// readNews takes in what has changed since it last looked. The rows are the truth: whatever was missed before is in
// them.
func (r *run) readNews() error {
	if !r.news.unread {
		return nil
	}
	r.news.unread = false
	n, err := local[RunNews](r.ctx, ActivityReadNews, r.RunInput)
	if err != nil {
		return fmt.Errorf("read news: %w", err)
	}
	if n.Approved && r.beginning.needsApproval {
		r.beginning.needsApproval = false
		r.note("approved", 0, "by "+n.ApprovedBy)
	}
	r.takePause(n)
	r.takeGate(n.Gate)
	r.readmit()
	for _, g := range n.Leaving {
		r.stopFor(g.JobID, g.Reason)
	}
	for _, e := range n.Ended {
		if e.FailFast {
			r.schedule.StoppedByFailFast(e.JobID)
		}
		r.endings[e.JobID] = ending{reason: e.Reason, class: e.Class}
		r.finish(e.JobID, e.Status)
	}
	return nil
}

// takePause is for the timeline only: the offers of a paused run are kept back in the rows.
func (r *run) takePause(n RunNews) {
	if n.Paused == r.news.paused {
		return
	}
	r.news.paused = n.Paused
	if n.Paused {
		r.note("paused", 0, "by "+n.PausedBy)
	} else {
		r.note("resumed", 0, "")
	}
}

// finish takes the end of a job into the schedule, and stops the cells of its matrix that fail-fast ends.
func (r *run) finish(id int64, status ci.Status) {
	stop, err := r.schedule.Finish(id, status)
	if err != nil {
		workflow.GetLogger(r.ctx).Error("finish job", "job", id, "error", err)
		return
	}
	delete(r.held, id)
	for _, sibling := range stop {
		r.stopFor(sibling, "another job of its matrix failed (fail-fast)")
	}
}
