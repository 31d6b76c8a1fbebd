package workflows

import "go.temporal.io/sdk/workflow"

// timeline is what was decided, when and why, for the query and for the projection.
type timeline struct {
	events []TimelineEvent
	// recorded is how many of them are in the projection.
	recorded int
}

// maxTimeline bounds the events of an attempt, far above what its jobs can make.
const maxTimeline = 20_000

// note adds an event; job is 0 for the run as a whole.
func (r *run) note(event string, job int64, detail string) {
	t := &r.timeline
	if len(t.events) == maxTimeline {
		return
	}
	t.events = append(t.events, TimelineEvent{
		N: len(t.events) + 1, At: workflow.Now(r.ctx).UTC(), JobID: job, Event: event, Detail: ShortReason(detail),
	})
}

func (t *timeline) all() ([]TimelineEvent, error) { return t.events, nil }

// take returns what is not recorded yet.
func (t *timeline) take() []TimelineEvent {
	fresh := t.events[t.recorded:]
	t.recorded = len(t.events)
	return fresh
}

func (t *timeline) unrecorded() bool { return t.recorded < len(t.events) }
