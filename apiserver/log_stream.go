package apiserver

import (
	"bytes"
	"cmp"
	"net/http"
	"strconv"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/logchunk"
)

// sealGrace is how long after the end of a job its log may still grow, when its runner has not sealed it.
const sealGrace = 10 * time.Second

// streamLog follows the log of a job as server-sent events, from its first row or the one after Last-Event-ID, or
// from the row in ?from=. The events:
//
//	id: 7
//	event: log
//	data: {"row":7,"time":"2026-11-24T02:15:22.1234567Z","line":"hello"}
//
//	event: restart      the job was handed to another runner; rows begin at 0 again
//	data: {"task_id":12}
//
//	event: end          the job is done, and this was all of its log
//	data: {"status":"completed","conclusion":"success"}
//
// With ?task= it is the log of that task, until its end. A job that no runner has yet is waited for. Quiet streams carry
// a comment every 15 s. A stream ends early when the server stops, and when its reader may not read the repository any
// more. It is woken by rows that arrive in this process, and looks every second for those that arrived in another.
func streamLog(c *call) error {
	v, err := c.server.DB.Job(c.ctx(), c.repo.ID, c.id("job_id"))
	if err != nil {
		return err
	}
	task, err := c.taskParam()
	if err == nil && task != 0 {
		_, err = c.server.DB.JobTask(c.ctx(), v.Job, task)
	}
	if err != nil {
		return err
	}
	leave, err := c.enterStream()
	if err != nil {
		return err
	}
	defer leave()
	f := &follower{
		call: c, job: v.Job.ID, only: task, task: cmp.Or(task, v.Job.TaskID), next: c.firstRow(), out: newEventWriter(c.w),
		recheck: c.newRecheck(reader(), func(*call) error { return nil }),
	}
	defer f.close()
	return f.run()
}

// enterStream takes a place for one more stream.
func (c *call) enterStream() (leave func(), err error) {
	leave, ok := c.server.streams.enter(c.placeKey())
	if !ok {
		return nil, fault.TooManyRequests("too many streams are being followed, try again later")
	}
	return leave, nil
}

// firstRow is where the client wants to begin. What is no number is the beginning.
func (c *call) firstRow() int64 {
	if last, err := strconv.ParseInt(c.r.Header.Get("Last-Event-ID"), 10, 64); err == nil && last >= 0 {
		return last + 1
	}
	from, err := strconv.ParseInt(c.values.Get("from"), 10, 64)
	if err != nil || from < 0 {
		return 0
	}
	return from
}

// follower is one stream.
type follower struct {
	call *call
	job  int64
	only int64 // the one task that is followed; 0: whichever is the job's latest
	task int64 // whose log is being sent; 0 before there is one
	next int64 // row
	out  *eventWriter

	recheck *recheck

	woken  <-chan struct{}
	cancel func()
	text   []byte // of the chunk being sent, used again for the next
}

func (f *follower) close() {
	if f.cancel != nil {
		f.cancel()
	}
	f.out.close()
}

// run sends until the job is done or somebody goes away. Once the stream has begun there is nobody to tell errors to:
// it breaks off, and the client comes back with the row that it has.
func (f *follower) run() error {
	f.subscribe()
	state, err := f.call.server.DB.JobLogState(f.call.ctx(), f.job, f.only)
	if err != nil {
		return err
	}
	if state.Expired {
		return fault.NotFound(textLogsExpired)
	}
	if err := f.out.start(); err != nil || f.call.r.Method == http.MethodHead {
		return nil // the client is gone, or asked for the header only
	}
	for {
		done, err := f.send(state)
		if err != nil || done || !f.wait() {
			return f.broken(err)
		}
		if err := f.recheck.due(); err != nil {
			return f.broken(err)
		}
		if state, err = f.call.server.DB.JobLogState(f.call.ctx(), f.job, f.only); err != nil {
			return f.broken(err)
		}
	}
}

func (f *follower) broken(err error) error {
	if err != nil && f.call.ctx().Err() == nil {
		f.call.server.Logger.WarnContext(f.call.ctx(), "followed log breaks off", "job", f.job, "error", err)
	}
	return nil
}

// subscribe asks to be woken by the log of the present task.
func (f *follower) subscribe() {
	if f.cancel != nil {
		f.cancel()
	}
	f.woken, f.cancel = f.call.server.Hub.Subscribe(f.task)
}

// send sends what is new. done means that nothing will follow.
func (f *follower) send(s db.LogState) (done bool, err error) {
	if s.TaskID != f.task {
		if err := f.switchTo(s.TaskID); err != nil {
			return false, err
		}
	}
	if s.RowCount > f.next {
		if err := f.sendRows(s.RowCount); err != nil {
			return false, err
		}
	}
	if !s.Status.Terminal() || (s.TaskID != 0 && !s.IsSealed && s.SinceEnd < sealGrace) {
		return false, f.out.flush()
	}
	if err := f.sendLast(s); err != nil {
		return false, err
	}
	status, conclusion := s.Status.API()
	return true, f.out.event("end", "", map[string]string{"status": status, "conclusion": conclusion})
}

// sendLast sends the line that the log of a task closes with that the server ended, unless the client has it.
func (f *follower) sendLast(s db.LogState) error {
	line := lastLine(s.Reason, s.StoppedAt)
	if line == "" || f.next > s.RowCount {
		return nil
	}
	f.next++
	return f.sendLines(s.RowCount, []byte(line))
}

// switchTo begins with another task's log, after what is left of the one before.
func (f *follower) switchTo(task int64) error {
	first := f.task == 0
	if !first {
		if err := f.leave(); err != nil {
			return err
		}
	}
	f.task = task
	f.subscribe()
	if first {
		return nil
	}
	f.next = 0
	return f.out.event("restart", "", map[string]int64{"task_id": task})
}

// leave sends what is left of the log of a task that came to nothing, with why.
func (f *follower) leave() error {
	s, err := f.call.server.DB.JobLogState(f.call.ctx(), f.job, f.task)
	if err != nil || s.Expired {
		return err
	}
	if s.RowCount > f.next {
		if err := f.sendRows(s.RowCount); err != nil {
			return err
		}
	}
	return f.sendLast(s)
}

// sendRows sends the rows up to end, chunk by chunk, each as soon as it is read.
func (f *follower) sendRows(end int64) error {
	for chunk, err := range f.call.server.DB.LogChunks(f.call.ctx(), f.task, f.next, end) {
		if err == nil {
			err = f.recheck.due()
		}
		if err != nil {
			return err
		}
		if f.text, err = f.call.server.codec.Text(f.text[:0], chunk.Data); err != nil {
			return err
		}
		row := max(f.next, chunk.FirstRow)
		if err := f.sendLines(row, logchunk.Rows(f.text, row-chunk.FirstRow, -1)); err != nil {
			return err
		}
		f.next = chunk.FirstRow + int64(chunk.RowCount)
	}
	f.next = end // rows above the size limit of a log are counted and not kept
	return nil
}

// logEvent is one row.
type logEvent struct {
	Row  int64  `json:"row"`
	Time string `json:"time"`
	Line string `json:"line"`
}

func (f *follower) sendLines(row int64, text []byte) error {
	for line := range bytes.Lines(text) {
		at, content, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
		err := f.out.event("log", strconv.FormatInt(row, 10), logEvent{Row: row, Time: string(at), Line: string(content)})
		if err != nil {
			return err
		}
		row++
	}
	return f.out.flush()
}

// wait returns when there may be something new, and false when the stream is to end.
func (f *follower) wait() bool {
	poll := time.NewTimer(f.call.server.LogPoll)
	defer poll.Stop()
	select {
	case <-f.woken:
	case <-poll.C:
		if f.out.quietFor(f.call.server.LogHeartbeat) {
			return f.out.comment() == nil
		}
	case <-f.call.server.draining:
		return false
	case <-f.call.ctx().Done():
		return false
	}
	return true
}
