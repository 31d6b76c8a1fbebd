package apiserver

import (
	"archive/zip"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

func (s *Server) runLogRoutes() []endpoint {
	return []endpoint{
		{http.MethodGet, run + "/logs", reader(), downloadRunLogs},
		{http.MethodGet, run + "/attempts/{attempt}/logs", reader(), downloadAttemptLogs},
		{http.MethodGet, run + "/logs/search", reader(), searchRunLogs},
	}
}

// downloadRunLogs sends the logs of the jobs of the latest attempt, as a zip with a file for each job.
func downloadRunLogs(c *call) error {
	v, err := c.latestRun()
	if err != nil {
		return err
	}
	return c.zipLogs(v)
}

func downloadAttemptLogs(c *call) error {
	v, err := c.attemptView()
	if err != nil {
		return err
	}
	return c.zipLogs(v)
}

// taskLog is the log of a job of a run.
type taskLog struct {
	job  *db.Job // its Task is the one whose log it is
	log  *db.TaskLog
	name string // of its file in a zip
}

// logsOfRun are the logs of an attempt that can be read, in the order of its jobs. Fault: 404 when there are none.
func (c *call) logsOfRun(v *db.RunView) ([]taskLog, error) {
	views, _, err := c.server.DB.Jobs(c.ctx(), db.JobFilter{RepoID: c.repo.ID, RunID: v.Run.ID, Attempt: v.Run.Attempt})
	if err != nil {
		return nil, err
	}
	var tasks []int64
	for _, j := range views {
		if j.Job.Task != nil {
			tasks = append(tasks, j.Job.Task.ID)
		}
	}
	logs, err := c.server.DB.TaskLogs(c.ctx(), tasks)
	if err != nil {
		return nil, err
	}
	var out []taskLog
	for i, j := range views {
		if j.Job.Task == nil || logs[j.Job.Task.ID] == nil || !logs[j.Job.Task.ID].ExpiredAt.IsZero() {
			continue
		}
		out = append(out, taskLog{job: j.Job, log: logs[j.Job.Task.ID], name: fmt.Sprintf("%d_%s.txt", i, safeName(j.Job.Name))})
	}
	switch {
	case len(out) > 0:
		return out, nil
	case len(logs) > 0:
		return nil, fault.NotFound(textLogsExpired)
	}
	return nil, fault.NotFound("logs not found")
}

// maxNameBytes bounds the names of files in a zip.
const maxNameBytes = 100

// safeName makes a name of a file, on whatever system, of the name of a job. It need not be unique.
func safeName(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	for len(name) > maxNameBytes {
		_, last := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-last]
	}
	return strings.TrimRight(name, ". ")
}

// enterScan takes one of the places for what reads many logs at once, until leave is called.
func (c *call) enterScan() (leave func(), err error) {
	leave, ok := c.server.scans.enter(c.placeKey())
	if !ok {
		return nil, fault.TooManyRequests("too many logs are being read, try again later")
	}
	return leave, nil
}

// zipLogs streams the logs of an attempt, of which it holds some chunks at a time. Once the zip has begun there is nobody
// to tell errors to: the connection is cut, so that half a zip is not taken for a whole one.
func (c *call) zipLogs(v *db.RunView) error {
	logs, err := c.logsOfRun(v)
	if err != nil {
		return err
	}
	leave, err := c.enterScan()
	if err != nil {
		return err
	}
	defer leave()
	h := c.w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Disposition", attachment(zipName(v)))
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodHead {
		return nil
	}
	if err := c.writeZip(logs); err != nil {
		if !errors.Is(err, context.Canceled) && c.ctx().Err() == nil {
			c.server.Logger.WarnContext(c.ctx(), "zip of logs breaks off", "run", v.Run.ID, "error", err)
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}

// zipName is <workflow>-<run number>-<attempt>.zip.
func zipName(v *db.RunView) string {
	base := path.Base(v.Run.WorkflowFile)
	return fmt.Sprintf("%s-%d-%d.zip", strings.TrimSuffix(base, path.Ext(base)), v.Run.RunNumber, v.Run.Attempt)
}

func (c *call) writeZip(logs []taskLog) error {
	defer c.setWriteDeadline(time.Time{})
	w := zip.NewWriter(c.w)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, flate.BestSpeed) })
	for _, l := range logs {
		if err := c.addToZip(w, l); err != nil {
			return err
		}
	}
	c.setWriteDeadline(time.Now().Add(progressTimeout))
	return w.Close()
}

func (c *call) addToZip(w *zip.Writer, l taskLog) error {
	task := l.job.Task
	c.setWriteDeadline(time.Now().Add(progressTimeout)) // of the end of the file before, too
	entry, err := w.CreateHeader(&zip.FileHeader{Name: l.name, Method: zip.Deflate, Modified: begun(task)})
	if err != nil {
		return err
	}
	reader := c.newLogReader(l.log, lastLine(task.Reason, task.StoppedAt))
	defer reader.Close()
	n, err := io.Copy(entry, reader)
	if err == nil && n < l.log.ByteCount {
		err = fmt.Errorf("log of task %d has gone while it was read", task.ID)
	}
	return err
}
