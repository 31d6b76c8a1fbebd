package apiserver

import (
	"net/http"
	"time"

	"github.com/pawl-ci/pawl/db"
)

func (s *Server) timelineRoutes() []endpoint {
	return []endpoint{
		{http.MethodGet, run + "/timeline", anyReader(), getTimeline},
	}
}

// apiTimelineEvent is one thing that was decided or happened in a run. Its time is exact to the millisecond, because the
// order is what matters here.
type apiTimelineEvent struct {
	At     time.Time `json:"at"`
	Event  string    `json:"event"`
	JobID  int64     `json:"job_id,omitempty"`
	Job    string    `json:"job,omitempty"`
	Detail string    `json:"detail,omitempty"`
}

type apiTimeline struct {
	Events     []apiTimelineEvent `json:"events"`
	TotalCount int                `json:"total_count"`
}

// getTimeline is Pawl's own: what was decided in an attempt, when and why. It is of the latest attempt, or of the one in
// ?attempt=.
func getTimeline(c *call) error {
	v, err := c.queriedAttempt()
	if err != nil {
		return err
	}
	page := c.page()
	events, total, err := c.server.DB.Timeline(c.ctx(), v.Attempt.ID, page)
	if err != nil {
		return err
	}
	out := apiTimeline{Events: make([]apiTimelineEvent, len(events)), TotalCount: total}
	for i, e := range events {
		out.Events[i] = apiTimelineEvent{
			At: e.At.UTC().Truncate(time.Millisecond), Event: e.Event, JobID: e.JobID, Job: e.Job, Detail: e.Detail,
		}
	}
	c.paginate(page, total)
	return c.json(http.StatusOK, out)
}

// queriedAttempt is the run that the path names, as of the attempt in the query, or else of the latest.
func (c *call) queriedAttempt() (*db.RunView, error) {
	text := c.values.Get("attempt")
	if text == "" {
		return c.latestRun()
	}
	return c.runAsOf(text)
}
