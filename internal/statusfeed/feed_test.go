package statusfeed

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pawl-ci/pawl/db"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// log plays the table: what was added is there at once.
type log struct {
	mu    sync.Mutex
	all   []db.StatusEvent
	reads int
	err   error
}

func (l *log) add(repo, run int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, db.StatusEvent{Place: db.EventPlace{XID: uint64(len(l.all) + 1)}, RepoID: repo, RunID: run})
}

func (l *log) StatusEvents(_ context.Context, after db.EventPlace, limit int) ([]db.StatusEvent, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	rest := l.all[min(int(after.XID), len(l.all)):]
	return rest[:min(limit, len(rest))], l.err
}

func (l *log) EventsEnd(context.Context) (db.EventPlace, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return db.EventPlace{XID: uint64(len(l.all))}, l.err
}

func newFeed(l *log, buffer int) *Feed {
	return New(Config{Log: l, Logger: slog.New(slog.DiscardHandler), Every: time.Millisecond, Buffer: buffer})
}

func subscribe(t *testing.T, f *Feed, repo, run int64) *Subscription {
	t.Helper()
	s, err := f.Subscribe(t.Context(), repo, run)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func receive(t *testing.T, s *Subscription) db.StatusEvent {
	t.Helper()
	select {
	case e, open := <-s.Events:
		require.True(t, open)
		return e
	case <-time.After(time.Minute):
		require.FailNow(t, "nothing comes")
		return db.StatusEvent{}
	}
}

func TestEachFollowerGetsItsOwn(t *testing.T) {
	l := &log{}
	l.add(1, 1) // before anybody follows
	f := newFeed(l, 0)
	whole, one, other := subscribe(t, f, 1, 0), subscribe(t, f, 1, 8), subscribe(t, f, 2, 0)
	require.Equal(t, db.EventPlace{XID: 1}, whole.From)
	l.add(1, 7)
	l.add(1, 8)
	l.add(2, 9)
	require.Equal(t, int64(7), receive(t, whole).RunID)
	require.Equal(t, int64(8), receive(t, whole).RunID)
	require.Equal(t, int64(8), receive(t, one).RunID)
	require.Equal(t, int64(9), receive(t, other).RunID)
	late := subscribe(t, f, 1, 0)
	require.Equal(t, db.EventPlace{XID: 4}, late.From)
}

func TestASlowFollowerIsDropped(t *testing.T) {
	l := &log{}
	f := newFeed(l, 2)
	slow, fast := subscribe(t, f, 1, 0), subscribe(t, f, 1, 0)
	for i := range 5 {
		l.add(1, int64(i+1))
		require.Equal(t, int64(i+1), receive(t, fast).RunID)
	}
	var got []int64
	for e := range slow.Events { // it ends
		got = append(got, e.RunID)
	}
	require.Equal(t, []int64{1, 2}, got)
	slow.Close()
	slow.Close()
}

func TestNobodyReadsForNobody(t *testing.T) {
	l := &log{}
	f := newFeed(l, 0)
	for run := range int64(3) {
		s := subscribe(t, f, 1, 0)
		l.add(1, run+1)
		require.Equal(t, run+1, receive(t, s).RunID)
		s.Close()
		l.add(1, 99) // is told to nobody
	}
	require.Empty(t, f.subs)
	// goleak sees that the readers have ended.
}

func TestALogThatIsAwayForAWhile(t *testing.T) {
	l := &log{err: errors.New("away")}
	f := newFeed(l, 0)
	_, err := f.Subscribe(t.Context(), 1, 0)
	require.Error(t, err)
	l.err = nil
	s := subscribe(t, f, 1, 0)
	l.mu.Lock()
	l.err = errors.New("away")
	reads := l.reads
	l.mu.Unlock()
	require.Eventually(t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.reads > reads+2
	}, time.Minute, time.Millisecond)
	l.mu.Lock()
	l.err = nil
	l.mu.Unlock()
	l.add(1, 5)
	require.Equal(t, int64(5), receive(t, s).RunID)
}

// Followers that come and go one after the other, so fast that the reader never sees nobody, are served by one reader.
func TestFollowersThatComeAndGoShareOneReader(t *testing.T) {
	l := &log{}
	f := New(Config{Log: l, Logger: slog.New(slog.DiscardHandler), Every: 50 * time.Millisecond})
	before := runtime.NumGoroutine()
	for range 100 {
		s, err := f.Subscribe(t.Context(), 1, 0)
		require.NoError(t, err)
		s.Close()
	}
	s := subscribe(t, f, 1, 0)
	require.LessOrEqual(t, runtime.NumGoroutine(), before+1)
	l.add(1, 7)
	require.Equal(t, int64(7), receive(t, s).RunID)
}
