package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/client"
)

// watched is a server of one run, in memory, so that its clock is that of the test.
type watched struct {
	mu      sync.Mutex
	status  string // of the run
	down    bool
	stream  bool // it has one
	looks   int
	streams []string // the Last-Event-ID of each
	open    *io.PipeWriter
}

// RoundTrip answers as the server.
func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	events := strings.HasSuffix(r.URL.Path, "/events")
	switch {
	case w.down:
		return nil, io.ErrUnexpectedEOF
	case events && !w.stream:
		return response(r, http.StatusNotFound, io.NopCloser(strings.NewReader(`{"message":"404 page not found"}`))), nil
	case events:
		w.streams = append(w.streams, r.Header.Get("Last-Event-ID"))
		out, in := io.Pipe()
		context.AfterFunc(r.Context(), func() { _ = in.CloseWithError(r.Context().Err()) })
		w.open = in
		return response(r, http.StatusOK, out), nil
	case strings.HasSuffix(r.URL.Path, "/jobs"):
		return response(r, http.StatusOK, io.NopCloser(strings.NewReader(`{"jobs":[],"total_count":0}`))), nil
	}
	w.looks++
	body := fmt.Sprintf(`{"id":7,"status":%q}`, w.status)
	if w.status == "success" {
		body = `{"id":7,"status":"completed","conclusion":"success"}`
	}
	return response(r, http.StatusOK, io.NopCloser(strings.NewReader(body))), nil
}

func response(r *http.Request, status int, body io.ReadCloser) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: body, Request: r}
}

// becomes changes the run and, if it has one, says so in the stream.
func (w *watched) becomes(status, id string) {
	w.mu.Lock()
	w.status = status
	stream := w.open
	w.mu.Unlock()
	if stream != nil {
		fmt.Fprintf(stream, "id: %s\nevent: run\ndata: {\"run_id\":7}\n\n", id)
	}
}

// restart breaks everything off, and answers nothing for a while.
func (w *watched) restart(d time.Duration) {
	w.mu.Lock()
	w.down = true
	_ = w.open.Close()
	w.mu.Unlock()
	time.Sleep(d)
	w.mu.Lock()
	w.down = false
	w.mu.Unlock()
}

// count is how often the run was looked at.
func (w *watched) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.looks
}

// watching is a watcher of the run.
func (w *watched) watching(ctx context.Context, out io.Writer) chan error {
	s := &session{
		printer: printer{&Terminal{Out: out}}, flags: &Flags{},
		Client: &client.Client{URL: "http://pawl.example", HTTP: &http.Client{Transport: w}},
	}
	done := make(chan error, 1)
	go func() { done <- s.explain(ctx, s.watch(ctx, "a/b", 7, time.Second, true)) }()
	return done
}

func TestWatchLooksWhenTheStreamSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, out := &watched{status: "queued", stream: true}, &bytes.Buffer{}
		done := w.watching(t.Context(), out)
		synctest.Wait()
		w.becomes("queued", "1-1") // the stream lives
		time.Sleep(9 * time.Second)
		require.LessOrEqual(t, w.count(), 2, "nothing is asked while nothing happens")
		for i := range 50 { // many changes at once
			w.becomes("in_progress", fmt.Sprintf("2-%d", i))
		}
		time.Sleep(time.Second)
		require.LessOrEqual(t, w.count(), 5)
		begin := time.Now()
		w.becomes("success", "3-1")
		require.NoError(t, <-done)
		require.LessOrEqual(t, time.Since(begin), minInterval)
		require.Equal(t, "run 7: queued\nrun 7: in_progress\nrun 7: success\n", out.String())
	})
}

// Not all that is shown comes with an event, such as why a job waits.
func TestWatchLooksNowAndThenAtAQuietRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, out := &watched{status: "queued", stream: true}, &bytes.Buffer{}
		done := w.watching(t.Context(), out)
		synctest.Wait()
		w.becomes("queued", "1-1")
		time.Sleep(time.Second)
		w.mu.Lock()
		w.status = "success" // and nobody says so
		w.mu.Unlock()
		begin := time.Now()
		require.NoError(t, <-done)
		require.LessOrEqual(t, time.Since(begin), quietLook+time.Second)
	})
}

func TestWatchPollsAServerWithoutAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, out := &watched{status: "queued"}, &bytes.Buffer{}
		done := w.watching(t.Context(), out)
		time.Sleep(10*time.Second + time.Millisecond)
		require.InDelta(t, 11, w.count(), 2)
		w.becomes("success", "")
		require.NoError(t, <-done)
		require.Equal(t, "run 7: queued\nrun 7: success\n", out.String())
	})
}

func TestWatchSurvivesARestartOfTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, out := &watched{status: "queued", stream: true}, &bytes.Buffer{}
		done := w.watching(t.Context(), out)
		synctest.Wait()
		w.becomes("in_progress", "1-1")
		synctest.Wait()
		w.restart(30 * time.Second)
		time.Sleep(2 * time.Second)
		w.becomes("success", "2-1")
		require.NoError(t, <-done)
		require.Equal(t, []string{"", "1-1"}, w.streams, "the stream goes on where it was")
		require.Equal(t, "run 7: queued\nrun 7: in_progress\nrun 7: success\n", out.String())
	})
}

func TestWatchGivesUpAServerThatStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, out := &watched{status: "queued", stream: true}, &bytes.Buffer{}
		done := w.watching(t.Context(), out)
		synctest.Wait()
		w.becomes("queued", "1-1")
		go w.restart(time.Hour)
		err := <-done
		require.ErrorContains(t, err, "http://pawl.example cannot be reached")
		require.Equal(t, exitAway, ExitStatus(err))
		time.Sleep(time.Hour) // until the server is back
	})
}

func TestWatchThatIsInterruptedIsNoSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, out := &watched{status: "queued", stream: true}, &bytes.Buffer{}
		ctx, cancel := context.WithCancel(t.Context())
		done := w.watching(ctx, out)
		synctest.Wait()
		cancel()
		err := <-done
		require.ErrorIs(t, err, errInterrupted)
		require.Equal(t, exitInterrupted, ExitStatus(err))
	})
}
