package apiserver

import (
	"errors"
	"net/http"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/statusfeed"
)

const (
	// openRuns bounds the runs in the snapshot of a repository.
	openRuns = 100
	// catchUp is how many missed events are read at a time.
	catchUp = 500
)

func (s *Server) eventRoutes() []endpoint {
	return []endpoint{
		{http.MethodGet, run + "/events", anyReader(), streamRunEvents},
		{http.MethodGet, "/repos/{owner}/{repo}/actions/events", reader(), streamRepoEvents},
	}
}

// streamRunEvents follows the status of a run and its jobs as server-sent events. The events:
//
//	id: 812-40
//	event: snapshot     where everything stands
//	data: {"run":{...},"jobs":[{...}]}
//
//	id: 813-41
//	event: job          or run: one change
//	data: {"run_id":7,"run_number":3,"run_attempt":1,"job_id":9,"name":"build","status":"in_progress","at":"..."}
//
//	event: end          the run has ended, and nothing follows
//	data: {"run_id":7,"run_attempt":1,"status":"completed","conclusion":"success"}
//
// Who comes back with Last-Event-ID gets what it has missed; if the log of changes does not reach back so far, it gets a
// snapshot. Quiet streams carry a comment every 15 s. A stream ends early when the server stops, when its reader is too
// slow, and when the reader may not read the repository any more.
func streamRunEvents(c *call) error { return followEvents(c, c.id("run"), anyReader()) }

// streamRepoEvents is streamRunEvents for all runs of a repository, without an end. Its snapshot has the runs that have
// not ended: {"runs":[{...}]}.
func streamRepoEvents(c *call) error { return followEvents(c, 0, reader()) }

// followEvents follows a run, or with run 0 the repository.
func followEvents(c *call, run int64, guards []guard) error {
	leave, err := c.enterStream()
	if err != nil {
		return err
	}
	defer leave()
	f := &eventFollower{call: c, run: run, out: newEventWriter(c.w), ends: toldEnds{}}
	f.recheck = c.newRecheck(guards, f.stillThere)
	defer f.out.close()
	if run == 0 && c.params["run"] != "" {
		return errNotFound()
	}
	if f.sub, err = c.server.feed.Subscribe(c.ctx(), c.repo.ID, run); err != nil {
		return err
	}
	defer f.sub.Close()
	if f.now, err = f.snapshot(); err != nil {
		return err
	}
	return f.follow()
}

// eventFollower is one stream.
type eventFollower struct {
	call    *call
	run     int64 // 0: all of the repository
	recheck *recheck
	out     *eventWriter
	sub     *statusfeed.Subscription
	now     db.StatusSnapshot // where things stood when the stream began
	seen    db.EventsSeen     // what the client knows by a snapshot
	sent    db.EventPlace     // what the client has
	ends    toldEnds
}

func (f *eventFollower) stillThere(again *call) error {
	if f.run == 0 {
		return nil
	}
	_, err := again.latestRun()
	return err
}

func (f *eventFollower) snapshot() (db.StatusSnapshot, error) {
	if f.run == 0 {
		return f.call.server.DB.OpenRunsSnapshot(f.call.ctx(), f.call.repo.ID, openRuns)
	}
	return f.call.server.DB.RunSnapshot(f.call.ctx(), f.call.repo.ID, f.run)
}

// follow sends until the run ends or somebody goes away. Once the stream has begun there is nobody to tell errors to.
func (f *eventFollower) follow() error {
	last, resume, err := f.resumeAt()
	if err != nil {
		return err
	}
	if f.out.start() != nil || f.call.r.Method == http.MethodHead {
		return nil // the client is gone, or asked for the header only
	}
	done := false
	if resume {
		done, err = f.sendMissed(last)
	} else {
		err = f.sendSnapshot()
	}
	if err == nil && !done {
		if done, err = f.sendIfEnded(resume); !done && err == nil {
			err = f.sendChanges()
		}
	}
	if err != nil && f.call.ctx().Err() == nil {
		f.call.server.Logger.InfoContext(f.call.ctx(), "followed events break off", "repository", f.call.repo.ID, "error", err)
	}
	return nil
}

// resumeAt is the place that the client has come to, if the log still holds all that came after it.
func (f *eventFollower) resumeAt() (at db.EventPlace, resume bool, err error) {
	at, ok := db.ParseEventPlace(f.call.r.Header.Get("Last-Event-ID"))
	if !ok {
		return at, false, nil
	}
	resume, err = f.call.server.DB.EventsSince(f.call.ctx(), at)
	return at, resume, err
}

// sendMissed sends what came between the place of the client and that of the feed.
func (f *eventFollower) sendMissed(last db.EventPlace) (done bool, err error) {
	f.sent = last
	for {
		events, err := f.call.server.DB.RepoStatusEvents(f.call.ctx(), f.call.repo.ID, f.run, f.sent, f.sub.From, catchUp)
		if err != nil {
			return false, err
		}
		for _, e := range events {
			if done, err := f.send(e); done || err != nil {
				return done, err
			}
		}
		if len(events) < catchUp {
			return false, nil
		}
	}
}

// eventRun is a run in events, and eventJob a job.
type eventRun struct {
	ID         int64     `json:"id"`
	RunNumber  int64     `json:"run_number"`
	RunAttempt int       `json:"run_attempt"`
	Status     string    `json:"status"`
	Conclusion string    `json:"conclusion,omitempty"`
	UpdatedAt  time.Time `json:"updated_at"`
}

type eventJob struct {
	ID         int64     `json:"id"`
	RunAttempt int       `json:"run_attempt"`
	Name       string    `json:"name"`
	Status     string    `json:"status"`
	Conclusion string    `json:"conclusion,omitempty"`
	UpdatedAt  time.Time `json:"updated_at"`
}

func (f *eventFollower) sendSnapshot() error {
	runs, jobs := make([]eventRun, len(f.now.Runs)), make([]eventJob, len(f.now.Jobs))
	for i, r := range f.now.Runs {
		runs[i] = eventRun{ID: r.ID, RunNumber: r.RunNumber, RunAttempt: r.Attempt, UpdatedAt: shown(r.UpdatedAt)}
		runs[i].Status, runs[i].Conclusion = r.Status.API()
	}
	for i, j := range f.now.Jobs {
		jobs[i] = eventJob{ID: j.ID, RunAttempt: j.Attempt, Name: j.Name, UpdatedAt: shown(j.UpdatedAt)}
		jobs[i].Status, jobs[i].Conclusion = j.Status.API()
	}
	f.seen, f.sent = f.now.Seen, f.now.Seen.End()
	if f.run == 0 {
		return f.out.event("snapshot", f.sent.String(), map[string]any{"runs": runs})
	}
	return f.out.event("snapshot", f.sent.String(), map[string]any{"run": runs[0], "jobs": jobs})
}

// sendIfEnded ends the stream of a run that had ended when the stream began. A client that came back gets a snapshot
// before that, since the last changes may not have been among those it had missed.
func (f *eventFollower) sendIfEnded(resumed bool) (done bool, err error) {
	if f.run == 0 || !f.now.Runs[0].Status.Terminal() {
		return false, nil
	}
	if resumed {
		if err := f.sendSnapshot(); err != nil {
			return false, err
		}
	}
	r := f.now.Runs[0]
	return true, f.sendEnd(db.StatusEvent{RunID: r.ID, Attempt: r.Attempt, Status: r.Status})
}

// eventEnd is the last event of a run.
type eventEnd struct {
	RunID      int64  `json:"run_id"`
	RunAttempt int    `json:"run_attempt"`
	Status     string `json:"status"`
	Conclusion string `json:"conclusion,omitempty"`
}

func (f *eventFollower) sendEnd(e db.StatusEvent) error {
	end := eventEnd{RunID: e.RunID, RunAttempt: e.Attempt}
	end.Status, end.Conclusion = e.Status.API()
	return f.out.event("end", "", end)
}

// sendChanges sends what the feed delivers.
func (f *eventFollower) sendChanges() error {
	heartbeat, recheck := time.NewTicker(f.call.server.LogHeartbeat), time.NewTicker(f.call.server.StreamRecheck)
	defer heartbeat.Stop()
	defer recheck.Stop()
	for {
		var done bool
		var err error
		select {
		case e, ok := <-f.sub.Events:
			if !ok {
				return errors.New("the reader is too slow")
			}
			done, err = f.send(e)
		case <-heartbeat.C:
			if f.out.quietFor(f.call.server.LogHeartbeat) {
				err = f.out.comment()
			}
		case <-recheck.C:
			err = f.recheck.now()
		case <-f.call.server.draining:
			return nil
		case <-f.call.ctx().Done():
			return nil
		}
		if done || err != nil {
			return err
		}
	}
}

// statusChange is one change.
type statusChange struct {
	RunID      int64     `json:"run_id"`
	RunNumber  int64     `json:"run_number"`
	RunAttempt int       `json:"run_attempt"`
	JobID      int64     `json:"job_id,omitempty"`
	Name       string    `json:"name,omitempty"`
	Status     string    `json:"status"`
	Conclusion string    `json:"conclusion,omitempty"`
	At         time.Time `json:"at"`
}

// send sends one change, unless the client has it already. done: it was the end of the run.
func (f *eventFollower) send(e db.StatusEvent) (done bool, err error) {
	if !f.sent.Before(e.Place) || f.seen.Has(e) {
		return false, nil
	}
	f.sent = e.Place
	if f.ends.late(e) {
		return false, nil
	}
	name := "job"
	if e.JobID == 0 {
		name = "run"
	}
	change := statusChange{
		RunID: e.RunID, RunNumber: e.RunNumber, RunAttempt: e.Attempt, JobID: e.JobID, Name: e.JobName, At: shown(e.At),
	}
	change.Status, change.Conclusion = e.Status.API()
	if err := f.out.event(name, e.Place.String(), change); err != nil {
		return false, err
	}
	// The end of an attempt that was rerun meanwhile is not the end of the run.
	if f.run == 0 || e.JobID != 0 || !e.Status.Terminal() || e.Attempt < f.now.Runs[0].Attempt {
		return false, nil
	}
	return true, f.sendEnd(e)
}
