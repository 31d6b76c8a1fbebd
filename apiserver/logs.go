package apiserver

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/logchunk"
)

func (s *Server) logRoutes() []endpoint {
	return []endpoint{
		{http.MethodGet, job + "/logs", reader(), getLog},
		{http.MethodGet, job + "/logs/stream", reader(), streamLog},
	}
}

// getLog serves the log of the job's latest task, or of the one in ?task=: as a file, or a page of it as JSON when the
// query has step, cursor or limit.
func getLog(c *call) error {
	v, err := c.server.DB.Job(c.ctx(), c.repo.ID, c.id("job_id"))
	if err != nil {
		return err
	}
	return c.serveLog(v)
}

func (c *call) serveLog(v *db.JobView) error {
	task, err := c.loggedTask(v.Job)
	if err != nil {
		return err
	}
	if c.wantsLogPage() {
		return c.pageLog(v, task)
	}
	return c.downloadLog(v, task)
}

// downloadLog serves the log of a task as it is now, also while the job runs (rest-api.md §3.3).
func (c *call) downloadLog(v *db.JobView, task *db.Task) error {
	log, err := c.logOf(task.ID)
	if err != nil {
		return err
	}
	reader := c.newLogReader(log, lastLine(task.Reason, task.StoppedAt))
	defer reader.Close()
	// A range is read from the beginning of the log on. Who asks for several at once gets all of it, as HTTP permits:
	// otherwise one call could have a large log read a thousand times.
	if strings.Contains(c.r.Header.Get("Range"), ",") {
		c.r.Header.Del("Range")
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Disposition", attachment(logName(v, task.ID)))
	http.ServeContent(c.w, c.r, "", time.Time{}, reader)
	reader.logFailure()
	return nil
}

// loggedTask is the task whose log is wanted: the one in the query, or the latest.
func (c *call) loggedTask(j *db.Job) (*db.Task, error) {
	id, err := c.taskParam()
	if err != nil {
		return nil, err
	}
	if id == 0 {
		id = j.TaskID
	}
	if id == 0 {
		return nil, fault.NotFound("job is not started")
	}
	return c.server.DB.JobTask(c.ctx(), j, id)
}

// taskParam is the task in the query; 0 when there is none. What is no id is nobody's.
func (c *call) taskParam() (int64, error) {
	text := c.values.Get("task")
	if text == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 {
		return 0, errNotFound()
	}
	return id, nil
}

// lastLine is what the log of a task that the server ended closes with: why. It is made where a log is read, and stored
// nowhere.
func lastLine(reason string, at time.Time) string {
	if reason == "" || at.IsZero() {
		return ""
	}
	var w logchunk.Writer
	return string(w.AppendRow(nil, at, "Pawl: "+reason))
}

// logOf is how much log a task has, if it has any that can be read.
func (c *call) logOf(task int64) (*db.TaskLog, error) {
	log, err := c.server.DB.TaskLog(c.ctx(), task)
	if err != nil {
		return nil, logFault(err)
	}
	if !log.ExpiredAt.IsZero() {
		return nil, fault.NotFound(textLogsExpired)
	}
	return log, nil
}

// logFault is for tasks that have no log.
func logFault(err error) error {
	if errors.Is(err, db.ErrNotFound) {
		return fault.NotFound("logs not found")
	}
	return err
}

// attachment is the header Content-Disposition of a file. A name is quoted even where it need not be, as Gitea does: clients
// look for the quotes.
func attachment(name string) string {
	header := mime.FormatMediaType("attachment", map[string]string{"filename": name})
	if bare, found := strings.CutPrefix(header, "attachment; filename="); found && !strings.HasPrefix(bare, `"`) {
		return `attachment; filename="` + bare + `"`
	}
	return header
}

// logName is <workflow>-<job>-<task>.log.
func logName(v *db.JobView, task int64) string {
	base := path.Base(v.Run.WorkflowFile)
	base = strings.TrimSuffix(base, path.Ext(base))
	return fmt.Sprintf("%s-%s-%d.log", base, v.Job.Name, task)
}
