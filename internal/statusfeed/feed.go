// Package statusfeed hands the status changes of runs and jobs to whoever follows them in this process. However many
// follow, one goroutine reads the log of changes, and none while nobody does.
package statusfeed

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/pawl-ci/pawl/db"
)

const (
	// batch bounds what one look at the log reads.
	batch = 1000
	// readTimeout is how long a look may take.
	readTimeout = 10 * time.Second
)

// Log is what the feed reads; *db.DB is one.
type Log interface {
	StatusEvents(ctx context.Context, after db.EventPlace, limit int) ([]db.StatusEvent, error)
	EventsEnd(ctx context.Context) (db.EventPlace, error)
}

// Config is what a Feed is made of.
type Config struct {
	Log    Log
	Logger *slog.Logger
	// Every is the pause between two looks at the log; default 500 ms.
	Every time.Duration
	// Buffer is how many events a follower may be behind before it is dropped; default 1,000.
	Buffer int
}

// Feed is safe for concurrent use.
type Feed struct {
	Config
	mu   sync.Mutex
	subs map[int64]map[*Subscription]struct{} // by repository
	// reading: the one goroutine is there that reads the log. It goes when it finds no followers.
	reading bool
	place   db.EventPlace // up to which the log was handed out; of no meaning without subs
}

// New makes a feed.
func New(c Config) *Feed {
	if c.Every == 0 {
		c.Every = 500 * time.Millisecond
	}
	if c.Buffer == 0 {
		c.Buffer = 1000
	}
	return &Feed{Config: c, subs: map[int64]map[*Subscription]struct{}{}}
}

// Subscription is one follower of one repository.
type Subscription struct {
	// Events delivers what comes after From. It is closed when the follower was too slow: it has to read the log itself
	// from where it is.
	Events <-chan db.StatusEvent
	From   db.EventPlace

	feed   *Feed
	repo   int64
	run    int64
	events chan db.StatusEvent
}

// Subscribe follows a repository, or one run of it unless run is 0, until Close.
func (f *Feed) Subscribe(ctx context.Context, repo, run int64) (*Subscription, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.subs) == 0 {
		place, err := f.Log.EventsEnd(ctx)
		if err != nil {
			return nil, err
		}
		f.place = place
		if !f.reading {
			f.reading = true
			go f.read()
		}
	}
	events := make(chan db.StatusEvent, f.Buffer)
	s := &Subscription{Events: events, From: f.place, feed: f, repo: repo, run: run, events: events}
	if f.subs[repo] == nil {
		f.subs[repo] = map[*Subscription]struct{}{}
	}
	f.subs[repo][s] = struct{}{}
	return s, nil
}

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	s.feed.remove(s)
}

func (f *Feed) remove(s *Subscription) {
	delete(f.subs[s.repo], s)
	if len(f.subs[s.repo]) == 0 {
		delete(f.subs, s.repo)
	}
}

// read looks at the log until nobody follows any more.
func (f *Feed) read() {
	ticker := time.NewTicker(f.Every)
	defer ticker.Stop()
	for range ticker.C {
		more := true
		for more {
			var followed bool
			if more, followed = f.look(); !followed {
				return
			}
		}
	}
}

// look hands out what is new. more: there may be something left.
func (f *Feed) look() (more, followed bool) {
	from, followed := f.where()
	if !followed {
		return false, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	events, err := f.Log.StatusEvents(ctx, from, batch)
	if err != nil {
		f.Logger.WarnContext(ctx, "followed events are late", "error", err)
		return false, true
	}
	f.handOut(from, events)
	return len(events) == batch, true
}

// where is from where to read. When nobody follows, the reader is no reader any more, and the next follower starts another.
func (f *Feed) where() (from db.EventPlace, followed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reading = len(f.subs) > 0
	return f.place, f.reading
}

// handOut does nothing when all followers have left meanwhile and others came, who begin elsewhere.
func (f *Feed) handOut(from db.EventPlace, events []db.StatusEvent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.place != from {
		return
	}
	for _, e := range events {
		for s := range f.subs[e.RepoID] {
			s.take(e)
		}
		f.place = e.Place
	}
}

// take drops the follower when it is too far behind.
func (s *Subscription) take(e db.StatusEvent) {
	if s.run != 0 && s.run != e.RunID {
		return
	}
	select {
	case s.events <- e:
	default:
		close(s.events)
		s.feed.remove(s)
	}
}
