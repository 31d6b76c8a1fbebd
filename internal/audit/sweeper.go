package audit

import (
	"context"
	"log/slog"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/pacing"
)

const (
	sweepEvery = time.Hour
	// sweepBatch keeps each transaction short.
	sweepBatch = 5000
)

// Sweeper forgets old entries. Any number of processes may run one: they delete the same rows, and the later ones find none.
type Sweeper struct {
	DB  *db.DB
	Log *slog.Logger
	// Keep is how long entries are kept; 0 is for ever.
	Keep time.Duration
}

// Run sweeps now and every hour until ctx ends.
func (s *Sweeper) Run(ctx context.Context) {
	if s.Keep == 0 {
		return
	}
	sweep := func(ctx context.Context) {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "sweep audit log", "error", err)
		}
	}
	sweep(ctx)
	pacing.Every(ctx, sweepEvery, sweep)
}

// Sweep forgets all that is too old now.
func (s *Sweeper) Sweep(ctx context.Context) error {
	for {
		n, err := s.DB.SweepAudit(ctx, s.Keep, sweepBatch)
		if err != nil || n < sweepBatch {
			return err
		}
	}
}
