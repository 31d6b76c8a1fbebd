package apiserver_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/apiserver"
	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/logchunk"
	"github.com/pawl-ci/pawl/internal/loghub"
)

var logTime = time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)

// logger plays the gateway: it appends rows to the log of a task.
type logger struct {
	rig   *rig
	task  int64
	rows  int64
	codec *logchunk.Codec
}

func (r *rig) logger(task int64) *logger {
	codec, err := logchunk.NewCodec()
	require.NoError(r.t, err)
	return &logger{rig: r, task: task, codec: codec}
}

// append adds rows in one chunk and returns the text as it is downloaded.
func (l *logger) append(seal bool, lines ...string) string {
	l.rig.t.Helper()
	var w logchunk.Writer
	var text []byte
	for i, line := range lines {
		text = w.AppendRow(text, logTime.Add(time.Duration(l.rows+int64(i))*time.Millisecond), line)
	}
	a := db.LogAppend{TaskID: l.task, Expected: l.rows, Rows: int64(len(lines)), Bytes: int64(len(text)), Seal: seal}
	if len(lines) > 0 {
		a.Chunks = []db.LogChunk{{FirstRow: l.rows, RowCount: len(lines), Data: l.codec.Compress(nil, text)}}
	}
	ok, err := l.rig.db.AppendLog(l.rig.t.Context(), a)
	require.NoError(l.rig.t, err)
	require.True(l.rig.t, ok)
	l.rows += int64(len(lines))
	l.rig.hub.Publish(l.task)
	return string(text)
}

func TestLogDownload(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	job := r.jobs(r.latestRun(repo))[0]
	path := repoPath(repo, "/actions/jobs/%d/logs", job.ID)
	anna.do("GET", path, nil).refused(http.StatusNotFound, "job is not started")

	task, _ := r.claim(job)
	log := r.logger(task)
	empty := anna.do("GET", path, nil)
	empty.wants(http.StatusOK)
	require.Empty(t, empty.body)

	// The job runs, and what there is of its log can be had.
	text := log.append(false, "hello", `two\nlines`)
	a := anna.do("GET", path, nil)
	a.wants(http.StatusOK)
	require.Equal(t, "2026-01-02T03:04:05.6789000Z hello\n2026-01-02T03:04:05.6799000Z two\\nlines\n", string(a.body))
	require.Equal(t, "text/plain; charset=utf-8", a.Header.Get("Content-Type"))
	require.Equal(t, fmt.Sprintf(`attachment; filename="ci-build-%d.log"`, task), a.Header.Get("Content-Disposition"))
	require.EqualValues(t, len(text), a.ContentLength)

	for range 40 { // more than one page of chunks
		text += log.append(false, strings.Repeat("x", 500), "y")
	}
	text += log.append(true)
	a = anna.do("GET", path, nil)
	require.Equal(t, text, string(a.body))
	require.EqualValues(t, len(text), a.ContentLength)
	head := anna.do("HEAD", path, nil)
	require.EqualValues(t, len(text), head.ContentLength)

	for ranges, want := range map[string]string{
		"bytes=0-9":                             text[:10],
		"bytes=20-20":                           text[20:21],
		"bytes=30-":                             text[30:],
		"bytes=-7":                              text[len(text)-7:],
		fmt.Sprintf("bytes=%d-%d", 5000, 1<<40): text[5000:],
		fmt.Sprintf("bytes=%d-", len(text)-1):   "\n",
	} {
		a := anna.do("GET", path, nil, "Range", ranges)
		a.wants(http.StatusPartialContent)
		require.Equal(t, want, string(a.body), ranges)
	}
	anna.do("GET", path, nil, "Range", fmt.Sprintf("bytes=%d-", len(text))).wants(http.StatusRequestedRangeNotSatisfiable)
	many := anna.do("GET", path, nil, "Range", "bytes=1000-1003,4-7")
	many.wants(http.StatusOK)
	require.Equal(t, text, string(many.body), "several ranges would have the log read several times")

	r.sql(`UPDATE task_logs SET expired_at = now() WHERE task_id = $1`, task)
	anna.do("GET", path, nil).refused(http.StatusNotFound, "logs have been cleaned up")
	r.sql(`DELETE FROM task_logs WHERE task_id = $1`, task)
	anna.do("GET", path, nil).refused(http.StatusNotFound, "logs not found")
}

func TestLogNamesCannotForgeHeaders(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	job := r.jobs(r.latestRun(repo))[0]
	task, _ := r.claim(job)
	r.logger(task).append(true, "x")
	r.sql(`UPDATE jobs SET name = $2 WHERE id = $1`, job.ID, "a\"; x=\r\nSet-Cookie: y/é")
	a := anna.do("GET", repoPath(repo, "/actions/jobs/%d/logs", job.ID), nil)
	a.wants(http.StatusOK)
	require.Empty(t, a.Header.Get("Set-Cookie"))
	require.Contains(t, a.Header.Get("Content-Disposition"), "attachment; filename*=utf-8''ci-a%22%3B%20x%3D%0D%0ASet-Cookie")
}

// event is one of server-sent events; a comment has only its text.
type event struct {
	name, id, data, comment string
}

func (e event) row(t testing.TB) (row int64, line string) {
	var got struct {
		Row  int64
		Time string
		Line string
	}
	require.Equal(t, "log", e.name, e)
	require.NoError(t, json.Unmarshal([]byte(e.data), &got))
	require.Equal(t, fmt.Sprint(got.Row), e.id)
	return got.Row, got.Line
}

// follow opens a stream; what it brings comes through the channel, which is closed when it ends.
func (c *client) follow(path string, header ...string) (<-chan event, func()) {
	t := c.rig.t
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.rig.url+"/api/v1"+path, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", c.auth)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	events := make(chan event, 100)
	go func() {
		defer close(events)
		defer response.Body.Close()
		readEvents(bufio.NewScanner(response.Body), events)
	}()
	return events, cancel
}

func readEvents(lines *bufio.Scanner, events chan<- event) {
	var e event
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ": ")
		switch key {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data = value
		case "":
			if value != "" {
				e.comment = value
			} else if e != (event{}) {
				events <- e
				e = event{}
			}
		}
	}
}

func next(t testing.TB, events <-chan event) event {
	t.Helper()
	select {
	case e, open := <-events:
		require.True(t, open, "the stream has ended")
		return e
	case <-time.After(10 * time.Second):
		require.FailNow(t, "nothing comes")
		return event{}
	}
}

func TestLogStream(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	job := r.jobs(v)[0]
	path := repoPath(repo, "/actions/jobs/%d/logs/stream", job.ID)

	// It may begin before a runner has the job.
	events, _ := anna.follow(path)
	task, _ := r.claim(job)
	log := r.logger(task)
	log.append(false, "zero", "one two")
	for want, text := range []string{"zero", "one two"} {
		row, line := next(t, events).row(t)
		require.EqualValues(t, want, row)
		require.Equal(t, text, line)
	}
	log.append(false, "two", "three")
	row, _ := next(t, events).row(t)
	require.EqualValues(t, 2, row)

	for header, from := range map[string]int64{"0": 1, "2": 3} {
		again, stop := anna.follow(path, "Last-Event-ID", header)
		row, _ := next(t, again).row(t)
		require.Equal(t, from, row)
		stop()
	}
	from, stop := anna.follow(path + "?from=3")
	row, line := next(t, from).row(t)
	require.EqualValues(t, 3, row)
	require.Equal(t, "three", line)
	stop()

	_, _ = next(t, events).row(t)
	log.append(true, "last")
	r.finish(v, "failure")
	_, line = next(t, events).row(t)
	require.Equal(t, "last", line)
	end := next(t, events)
	require.Equal(t, event{name: "end", data: `{"conclusion":"failure","status":"completed"}`}, end)
	_, open := <-events
	require.False(t, open)
}

func TestLogStreamOfARetriedJobBeginsAgain(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	job := r.jobs(v)[0]
	first, _ := r.claim(job)
	r.logger(first).append(false, "first try")
	events, _ := anna.follow(repoPath(repo, "/actions/jobs/%d/logs/stream", job.ID))
	_, line := next(t, events).row(t)
	require.Equal(t, "first try", line)

	r.sql(`UPDATE tasks SET status = 'lost', reason = 'the runner is gone', stopped_at = now() WHERE id = $1`, first)
	second, _ := r.claim(job)
	r.logger(second).append(false, "second try")
	row, line := next(t, events).row(t)
	require.EqualValues(t, 1, row)
	require.Equal(t, "Pawl: the runner is gone", line, "the lost task says how it ended")
	require.Equal(t, event{name: "restart", data: fmt.Sprintf(`{"task_id":%d}`, second)}, next(t, events))
	row, line = next(t, events).row(t)
	require.Zero(t, row)
	require.Equal(t, "second try", line)

	// The runner never sealed its log; the stream ends some time after the job.
	r.finish(v, "failure")
	r.sql(`UPDATE jobs SET stopped_at = now() - interval '1 minute' WHERE id = $1`, job.ID)
	require.Equal(t, "end", next(t, events).name)
}

func TestLogStreamOfAJobThatNeverRan(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	r.finish(v, "skipped")
	events, _ := anna.follow(repoPath(repo, "/actions/jobs/%d/logs/stream", r.jobs(v)[1].ID))
	require.Equal(t, event{name: "end", data: `{"conclusion":"skipped","status":"completed"}`}, next(t, events))
	anna.do("GET", repoPath(repo, "/actions/jobs/999/logs/stream"), nil).refused(http.StatusNotFound, "not found")
}

func TestLogStreamHeartbeatLimitAndDrain(t *testing.T) {
	r := newRig(t, func(c *apiserver.Config) { c.LogHeartbeat, c.MaxStreams = 50*time.Millisecond, 1 })
	anna := r.user("anna")
	repo := anna.pushed("demo")
	path := repoPath(repo, "/actions/jobs/%d/logs/stream", r.jobs(r.latestRun(repo))[0].ID)
	events, _ := anna.follow(path)
	require.Equal(t, "still here", next(t, events).comment)
	anna.do("GET", path, nil).wants(http.StatusTooManyRequests)
	head := anna.do("HEAD", repoPath(repo, "/actions/jobs/999/logs/stream"), nil)
	require.Equal(t, http.StatusNotFound, head.StatusCode)

	r.server.Drain()
	r.server.Drain()
	for e := range events { // ends, with nothing said
		require.Equal(t, "still here", e.comment)
	}
}

func TestWhoFollowsALogIsAskedAgain(t *testing.T) {
	r := newRig(t, func(c *apiserver.Config) {
		c.StreamRecheck, c.LogHeartbeat, c.LogPoll = 20*time.Millisecond, 10*time.Millisecond, 5*time.Millisecond
	})
	anna, ben := r.user("anna"), r.user("ben")
	repo := anna.pushed("demo")
	r.sql(`UPDATE repositories SET is_private = true WHERE id = $1`, repo.ID)
	anna.do("PUT", repoPath(repo, "/collaborators/ben"), `{"permission":"read"}`).wants(http.StatusNoContent)
	job := r.jobs(r.latestRun(repo))[0]
	task, _ := r.claim(job)
	log := r.logger(task)
	path := repoPath(repo, "/actions/jobs/%d/logs/stream", job.ID)
	annas, _ := anna.follow(path)
	bens, _ := ben.follow(path)
	log.append(false, "hello")
	for _, events := range []<-chan event{annas, bens} {
		for e := next(t, events); e.name != "log"; e = next(t, events) {
			require.Equal(t, "still here", e.comment)
		}
	}
	anna.do("DELETE", repoPath(repo, "/collaborators/ben"), nil).wants(http.StatusNoContent)
	ends(t, bens)
	require.Equal(t, "still here", next(t, annas).comment)
	r.sql(`DELETE FROM access_tokens WHERE user_id = $1`, anna.owner.ID)
	ends(t, annas)
}

// A log written through another server is found without a wake-up.
func TestLogStreamWithoutWakeUp(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	job := r.jobs(r.latestRun(repo))[0]
	task, _ := r.claim(job)
	events, _ := anna.follow(repoPath(repo, "/actions/jobs/%d/logs/stream", job.ID))
	r.hub = loghub.New() // nobody follows there
	r.logger(task).append(false, "hello")
	_, line := next(t, events).row(t)
	require.Equal(t, "hello", line)
}

// The log of a task that the server ended closes with why. The line is not stored.
func TestLastLineOfALog(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	job := r.jobs(v)[0]
	path := repoPath(repo, "/actions/jobs/%d/logs", job.ID)
	first, _ := r.claim(job)
	text := r.logger(first).append(true, "hello")
	r.sql(`UPDATE tasks SET reason = 'timed out after 1 minute' WHERE id = $1`, first)
	require.Equal(t, text, string(anna.do("GET", path, nil).body), "it has not ended")
	r.sql(`UPDATE tasks SET status = 'cancelled', stopped_at = '2026-01-02T03:05:00Z' WHERE id = $1`, first)

	last := "2026-01-02T03:05:00.0000000Z Pawl: timed out after 1 minute\n"
	a := anna.do("GET", path, nil)
	require.Equal(t, text+last, string(a.body))
	require.EqualValues(t, len(text+last), a.ContentLength)
	require.EqualValues(t, len(text+last), anna.do("HEAD", path, nil).ContentLength)
	for ranges, want := range map[string]string{
		"bytes=-9":                                   last[len(last)-9:],
		fmt.Sprintf("bytes=%d-", len(text)-3):        text[len(text)-3:] + last,
		fmt.Sprintf("bytes=%d-%d", len(text), 1<<40): last,
		fmt.Sprintf("bytes=0-%d", len(text)-1):       text,
	} {
		a := anna.do("GET", path, nil, "Range", ranges)
		a.wants(http.StatusPartialContent)
		require.Equal(t, want, string(a.body), ranges)
	}

	// Each task keeps its own.
	second, _ := r.claim(job)
	r.logger(second).append(true, "again")
	require.NotContains(t, string(anna.do("GET", path, nil).body), "Pawl:")
	a = anna.do("GET", fmt.Sprintf("%s?task=%d", path, first), nil)
	require.Equal(t, text+last, string(a.body))
	require.Contains(t, a.Header.Get("Content-Disposition"), fmt.Sprintf("ci-build-%d.log", first))
	other, _ := r.claim(r.jobs(v)[1])
	for _, task := range []string{fmt.Sprint(other), "0", "-1", "x", "999999"} {
		anna.do("GET", path+"?task="+task, nil).refused(http.StatusNotFound, "not found")
		anna.do("GET", path+"/stream?task="+task, nil).refused(http.StatusNotFound, "not found")
	}

	// A stream of the first task ends with it, though the job goes on.
	stream := fmt.Sprintf("%s/stream?task=%d", path, first)
	events, _ := anna.follow(stream)
	for want, line := range []string{"hello", "Pawl: timed out after 1 minute"} {
		row, got := next(t, events).row(t)
		require.EqualValues(t, want, row)
		require.Equal(t, line, got)
	}
	require.Equal(t, event{name: "end", data: `{"conclusion":"cancelled","status":"completed"}`}, next(t, events))
	again, _ := anna.follow(stream, "Last-Event-ID", "1")
	require.Equal(t, "end", next(t, again).name, "the client has the line")
	again, _ = anna.follow(stream, "Last-Event-ID", "0")
	_, got := next(t, again).row(t)
	require.Equal(t, "Pawl: timed out after 1 minute", got)

	r.sql(`UPDATE tasks SET status = 'cancelled', reason = 'cancelled by ben', stopped_at = now() WHERE id = $1`, second)
	r.finish(v, "cancelled")
	events, _ = anna.follow(path + "/stream")
	for _, line := range []string{"again", "Pawl: cancelled by ben"} {
		_, got := next(t, events).row(t)
		require.Equal(t, line, got)
	}
	require.Equal(t, "end", next(t, events).name)
}
