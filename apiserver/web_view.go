package apiserver

import (
	"fmt"
	"net/http"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/fault"
)

// webViewRoutes are the poll of Gitea's web pages, by which some clients follow runs and read logs step by step
// (rest-api.md §9), and the download of logs beside it.
func (s *Server) webViewRoutes() []webRoute {
	const (
		run = "/{owner}/{repo}/actions/runs/{run}"
		job = run + "/jobs/{job}"
	)
	return []webRoute{
		{http.MethodPost, run, postView},
		{http.MethodPost, run + "/attempts/{attempt}", postView},
		{http.MethodPost, job, postView},
		{http.MethodPost, job + "/attempts/{attempt}", postView},
		{http.MethodGet, job + "/logs", webLog},
	}
}

func webLog(c *call) error {
	if err := c.enterRepo(false); err != nil {
		return err
	}
	v, err := c.jobOfRun(c.id("run"), c.id("job"))
	if err != nil {
		return err
	}
	return c.serveLog(v)
}

// postView answers with the state of a run and of one of its jobs, and with new lines of the steps that are expanded.
func postView(c *call) error {
	if err := c.enterRepo(false); err != nil {
		return err
	}
	var in viewRequest
	if err := c.bind(&in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	v, err := c.newView()
	if err != nil {
		return err
	}
	out := viewReply{Artifacts: []any{}}
	out.Logs.StepsLog = []viewStepLog{}
	if out.State.Run, err = v.run(); err != nil {
		return err
	}
	out.State.CurrentJob.Steps = []viewStep{}
	if v.current != nil {
		err = v.fillJob(in.LogCursors, &out)
	}
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, out)
}

// view is what a poll is about.
type view struct {
	call    *call
	latest  *db.Run
	shown   *db.RunView // as of the attempt that is looked at
	jobs    []*db.JobView
	current *db.JobView // nil in a run without jobs
	reasons map[int64]db.PendingReason
	writes  bool // the caller may act
}

// newView looks up what the path names. A job is looked at within its own attempt; without one, it is the first.
func (c *call) newView() (*view, error) {
	latest, err := c.latestRun()
	if err != nil {
		return nil, err
	}
	v := &view{call: c, latest: latest.Run, shown: latest, writes: c.access.Permission.Includes(db.PermissionWrite)}
	_, named := c.params["attempt"]
	if named {
		if v.shown, err = c.attemptView(); err != nil {
			return nil, err
		}
	}
	if c.params["job"] != "" {
		if v.current, err = c.jobOfRun(latest.Run.ID, c.id("job")); err != nil {
			return nil, err
		}
		switch attempt := v.current.Job.Attempt; {
		case attempt == v.shown.Run.Attempt:
		case named:
			return nil, errNotFound()
		default:
			if v.shown, err = c.server.DB.Run(c.ctx(), c.repo.ID, latest.Run.ID, attempt); err != nil {
				return nil, err
			}
		}
	}
	return v, v.loadJobs()
}

func (v *view) loadJobs() (err error) {
	c := v.call
	v.jobs, _, err = c.server.DB.Jobs(c.ctx(), db.JobFilter{RepoID: c.repo.ID, RunID: v.shown.Run.ID, Attempt: v.shown.Run.Attempt})
	if err != nil {
		return err
	}
	if v.current == nil && len(v.jobs) > 0 {
		v.current = v.jobs[0]
	}
	if v.current != nil {
		v.reasons, err = c.server.DB.PendingReasons(c.ctx(), []*db.Job{v.current.Job})
	}
	return err
}

func (v *view) run() (viewRun, error) {
	c, r, a := v.call, v.shown.Run, v.shown.Attempt
	attempts, err := c.server.DB.Attempts(c.ctx(), r.ID)
	if err != nil {
		return viewRun{}, err
	}
	l := c.pathLinks()
	done := v.latest.Status.Terminal()
	out := viewRun{
		RepoID: c.repo.ID, Link: l.runHTML(r.ID), ViewLink: l.runHTML(r.ID), Index: r.RunNumber, Title: r.Title,
		Status: a.Status.String(), Done: a.Status.Terminal(), WorkflowID: r.WorkflowFile, IsSchedule: r.Event == "schedule",
		CanCancel: v.writes && !done, CanApprove: v.writes && !done && v.latest.Approval == db.ApprovalNeeded,
		CanRerun: v.writes && done, CanRerunFailed: v.writes && done && anyFailed(v.jobs),
		RunAttempt: r.Attempt, Jobs: make([]viewJob, len(v.jobs)), Commit: v.commit(),
		Duration: v.duration(a.StartedAt, a.StoppedAt), TriggeredAt: a.CreatedAt.Unix(), TriggerEvent: r.Event,
	}
	if r.Attempt != v.latest.Attempt {
		out.ViewLink = attemptHTML(l, r.ID, r.Attempt)
	}
	for _, one := range attempts {
		out.Attempts = append(out.Attempts, viewAttempt{
			Attempt: one.Number, Link: attemptHTML(l, r.ID, one.Number), Status: one.Status.String(), Done: one.Status.Terminal(),
			Current: one.Number == r.Attempt, Latest: one.Number == v.latest.Attempt, TriggeredAt: one.CreatedAt.Unix(),
		})
	}
	for i, j := range v.jobs {
		out.Jobs[i] = v.job(l, j.Job)
	}
	return out, nil
}

func attemptHTML(l links, run int64, attempt int) string {
	return fmt.Sprintf("%s/attempts/%d", l.runHTML(run), attempt)
}

func anyFailed(jobs []*db.JobView) bool {
	for _, j := range jobs {
		if j.Job.Status == ci.StatusFailure || j.Job.Status == ci.StatusCancelled {
			return true
		}
	}
	return false
}

func (v *view) job(l links, j *db.Job) viewJob {
	return viewJob{
		ID: j.ID, Link: l.jobHTML(j.RunID, j.ID), JobID: j.Key, Name: j.Name, Status: j.Status.String(),
		CanRerun: v.writes && j.Status.Terminal() && j.Attempt == v.latest.Attempt, Duration: v.duration(j.StartedAt, j.StoppedAt),
		Needs: append([]string{}, j.Needs...), ParentJobID: j.ParentID, IsReusableCaller: j.Kind == ci.JobCall, CallUses: j.Uses,
	}
}

// shortSHA is how much of a commit's id people are shown.
const shortSHA = 10

func (v *view) commit() viewCommit {
	c, r := v.call, v.shown.Run
	name, _ := ci.ShortRef(r.Ref)
	html := c.pathLinks().html
	out := viewCommit{ShortSHA: r.SHA[:min(shortSHA, len(r.SHA))], Link: html + "/commit/" + r.SHA}
	out.Branch.Name, out.Branch.Link = name, html+"/src/branch/"+escapePath(name)
	if v.shown.Actor != nil {
		out.Pusher.DisplayName = v.shown.Actor.Login
		out.Pusher.Link = c.rootPath() + "/" + v.shown.Actor.Login
	}
	return out
}

// duration is how long something took, or has taken by now; 0s before it began.
func (v *view) duration(from, to time.Time) string {
	if from.IsZero() {
		return "0s"
	}
	if to.IsZero() {
		to = v.call.server.Now()
	}
	return max(to.Sub(from), 0).Round(time.Second).String()
}

// fillJob shows the current job, its steps and what the cursors ask for of their logs.
func (v *view) fillJob(cursors []viewCursor, out *viewReply) error {
	j := v.current.Job
	current := &out.State.CurrentJob
	current.Title, current.Detail = j.Name, v.detail(j)
	if j.Task == nil {
		return nil
	}
	log, err := v.call.server.DB.TaskLog(v.call.ctx(), j.Task.ID)
	if err != nil {
		return logFault(err)
	}
	steps, _ := v.call.logParts(j, j.Task, log)
	for _, s := range steps {
		current.Steps = append(current.Steps, viewStep{Summary: s.name, Duration: v.duration(s.started, s.stopped), Status: s.status.String()})
	}
	out.Logs.StepsLog, err = v.stepLogs(cursors, steps, log)
	return err
}

// detail says how the job stands, or what it waits for.
func (v *view) detail(j *db.Job) string {
	switch reason := v.reasons[j.ID]; {
	case reason.Text != "":
		return reason.Text
	case j.Reason != "":
		return j.Reason
	}
	return j.Status.String()
}

// stepLogs answers the cursors of expanded steps. One answer carries a bounded number of lines; the cursors in it say how
// far it has come, and the client asks again.
func (v *view) stepLogs(cursors []viewCursor, steps []logStep, log *db.TaskLog) ([]viewStepLog, error) {
	budget := logBudget{lines: maxLogLines, bytes: maxLogPageBytes}
	out, answered := []viewStepLog{}, map[int]bool{}
	for _, cursor := range cursors {
		n := cursor.Step
		if !cursor.Expanded || n < 0 || n >= len(steps) || answered[n] {
			continue
		}
		answered[n] = true
		if !log.ExpiredAt.IsZero() {
			if cursor.at() == 0 {
				out = append(out, expiredStep(n, steps[n], log.ExpiredAt))
			}
			continue
		}
		one, err := v.stepLog(cursor, steps[n], log.TaskID, &budget)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (v *view) stepLog(cursor viewCursor, s logStep, task int64, b *logBudget) (viewStepLog, error) {
	out := viewStepLog{Step: cursor.Step, Cursor: cursor.at(), Lines: []viewLine{}, Started: startOf(s)}
	if out.Cursor < 0 {
		return out, nil
	}
	rows, next, err := v.call.readStep(task, s, out.Cursor, b)
	if err != nil {
		return out, err
	}
	out.Cursor = next // which also passes over rows that were not stored
	for _, r := range rows {
		out.Lines = append(out.Lines, viewLine{Index: r.Row - s.first + 1, Message: r.Line, Timestamp: secondsOf(r.Time)})
	}
	return out, nil
}

// expiredStep is the one line of a step whose log is gone.
func expiredStep(n int, s logStep, at time.Time) viewStepLog {
	line := viewLine{Index: 1, Message: textLogsExpired, Timestamp: float64(at.UnixMicro()) / 1e6}
	return viewStepLog{Step: n, Cursor: 1, Lines: []viewLine{line}, Started: startOf(s)}
}

// startOf is when a step began, in seconds; 0 if it has not.
func startOf(s logStep) int64 {
	if s.started.IsZero() {
		return 0
	}
	return s.started.Unix()
}

// secondsOf is the time of a row as a number of seconds.
func secondsOf(text string) float64 {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0
	}
	return float64(at.UnixMicro()) / 1e6
}

// maxLogCursors is above the number of steps that a job can sensibly have.
const maxLogCursors = 10_000

func (in viewRequest) check() error {
	if len(in.LogCursors) > maxLogCursors {
		return fault.Unprocessable("MaxSize(%d)", maxLogCursors).In("LogCursors")
	}
	return nil
}
