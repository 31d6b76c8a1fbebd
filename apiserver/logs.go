package apiserver

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

func (s *Server) logRoutes() []endpoint {
	return []endpoint{
		{http.MethodGet, job + "/logs", reader(), downloadLog},
		{http.MethodGet, job + "/logs/stream", reader(), streamLog},
	}
}

// downloadLog serves the log of the job's latest task as it is now, also while the job runs (rest-api.md §3.3).
func downloadLog(c *call) error {
	v, err := c.server.DB.Job(c.ctx(), c.repo.ID, c.id("job_id"))
	if err != nil {
		return err
	}
	log, err := c.logOf(v.Job.TaskID)
	if err != nil {
		return err
	}
	reader := c.newLogReader(log)
	defer reader.Close()
	h := c.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": logName(v)}))
	http.ServeContent(c.w, c.r, "", time.Time{}, reader)
	reader.logFailure()
	return nil
}

// logOf is how much log a task has, if it has any that can be read.
func (c *call) logOf(task int64) (*db.TaskLog, error) {
	if task == 0 {
		return nil, fault.NotFound("job is not started")
	}
	log, err := c.server.DB.TaskLog(c.ctx(), task)
	if errors.Is(err, db.ErrNotFound) {
		return nil, fault.NotFound("logs not found")
	}
	if err != nil {
		return nil, err
	}
	if !log.ExpiredAt.IsZero() {
		return nil, fault.NotFound("logs have been cleaned up")
	}
	return log, nil
}

// logName is <workflow>-<job>-<task>.log.
func logName(v *db.JobView) string {
	base := path.Base(v.Run.WorkflowFile)
	base = strings.TrimSuffix(base, path.Ext(base))
	return fmt.Sprintf("%s-%s-%d.log", base, v.Job.Name, v.Job.TaskID)
}
