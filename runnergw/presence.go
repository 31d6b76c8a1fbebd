package runnergw

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/pacing"
)

// How often the times of a runner's calls are written (runner-protocol.md §6).
const (
	onlineEvery   = 30 * time.Second
	activeEvery   = 5 * time.Second
	presenceEvery = time.Second
)

// presence writes when runners called, of many at once and of each only now and then.
type presence struct {
	db  *db.DB
	now func() time.Time

	mu      sync.Mutex
	written map[int64]seen
	pending map[int64]bool // runner to whether it was active
}

// seen are the times at which a runner's calls were noted last.
type seen struct{ online, active time.Time }

func newPresence(d Deps) *presence {
	return &presence{db: d.DB, now: d.Now, written: map[int64]seen{}, pending: map[int64]bool{}}
}

// online notes that a runner called; active, that it reported on a task.
func (p *presence) online(runner int64) { p.note(runner, false) }
func (p *presence) active(runner int64) { p.note(runner, true) }

func (p *presence) note(runner int64, active bool) {
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.written[runner]
	switch {
	case active && now.Sub(s.active) >= activeEvery:
		p.written[runner] = seen{online: now, active: now}
		p.pending[runner] = true
	case now.Sub(s.online) >= onlineEvery:
		p.written[runner] = seen{online: now, active: s.active}
		if _, waits := p.pending[runner]; !waits {
			p.pending[runner] = false
		}
	}
}

// take empties the list of what is to be written, and forgets runners that have not called for long.
func (p *presence) take() []db.RunnerSeen {
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, s := range p.written {
		if now.Sub(s.online) > 2*onlineEvery {
			delete(p.written, id)
		}
	}
	all := make([]db.RunnerSeen, 0, len(p.pending))
	for id, active := range p.pending {
		all = append(all, db.RunnerSeen{ID: id, Active: active})
	}
	clear(p.pending)
	return all
}

func (p *presence) run(ctx context.Context, log *slog.Logger) {
	for pacing.Pause(ctx, presenceEvery) == nil {
		p.flush(ctx, log)
	}
	p.flush(context.WithoutCancel(ctx), log)
}

// flush loses what it cannot write: the next call of each runner is only some seconds away.
func (p *presence) flush(ctx context.Context, log *slog.Logger) {
	all := p.take()
	if len(all) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, queryLimit)
	defer cancel()
	if err := p.db.TouchRunners(ctx, all); err != nil {
		log.Warn("times of runners not written", "runners", len(all), "error", err)
	}
}
