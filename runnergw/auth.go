package runnergw

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/token"
)

// Headers of every call but Ping and Register (runner-protocol.md §1).
const (
	headerUUID  = "x-runner-uuid"
	headerToken = "x-runner-token"
)

const (
	// runnerTTL is how long a runner is believed to be as it was, should the notification of a change be lost.
	runnerTTL = 30 * time.Second
	// maxCachedRunners bounds the memory of authenticator, not the number of runners.
	maxCachedRunners = 20_000
	// lateReports is how long after its end an ephemeral runner may still deliver the log of its task.
	lateReports = time.Hour
)

// authenticator knows the runners. A poll of a known runner costs no query.
type authenticator struct {
	db      *db.DB
	tokens  *token.Hasher
	runners *cache[uuid.UUID, *db.Runner]
	// epoch counts invalidations: what was read before one is not cached after it.
	epoch atomic.Int64
}

func newAuthenticator(d Deps) *authenticator {
	return &authenticator{db: d.DB, tokens: d.Tokens, runners: newCache[uuid.UUID, *db.Runner](d.Now, maxCachedRunners, runnerTTL)}
}

// runner returns the runner with the uuid, a removed one too. errUnregistered if there is none.
func (a *authenticator) runner(ctx context.Context, id uuid.UUID) (*db.Runner, error) {
	if r, ok := a.runners.get(id); ok {
		return r, nil
	}
	epoch := a.epoch.Load()
	r, err := a.db.RunnerByUUID(ctx, id)
	if errors.Is(err, db.ErrNotFound) {
		return nil, errUnregistered
	}
	if err != nil {
		return nil, dbFault(err)
	}
	if epoch == a.epoch.Load() {
		a.runners.put(id, r)
	}
	return r, nil
}

// forget makes the next call of the runner read it afresh.
func (a *authenticator) forget(id uuid.UUID) {
	a.epoch.Add(1)
	a.runners.drop(id)
}

// forgetAll is for when notifications may have been lost.
func (a *authenticator) forgetAll() {
	a.epoch.Add(1)
	a.runners.clear()
}

// authenticate returns the runner whose uuid and token the headers hold.
func (a *authenticator) authenticate(ctx context.Context, h http.Header) (*db.Runner, error) {
	id, err := uuid.Parse(h.Get(headerUUID))
	if err != nil {
		return nil, errUnregistered
	}
	r, err := a.runner(ctx, id)
	if err != nil {
		return nil, err
	}
	secret := h.Get(headerToken)
	if !a.tokens.Matches(secret, r.TokenHash) {
		return nil, errUnregistered
	}
	if a.tokens.IsOld(secret, r.TokenHash) {
		if err := a.db.RehashRunner(ctx, r.ID, r.TokenHash, a.tokens.Hash(secret)); err != nil {
			return nil, dbFault(err)
		}
		a.forget(id)
	}
	return r, nil
}

// mayReport tells whether a runner may report on its tasks. One that was removed because its only task has ended
// still has its log to deliver, and repeats its final report if the answer was lost.
func mayReport(r *db.Runner, now time.Time) bool {
	return r.RemovedAt.IsZero() || (r.IsEphemeral && now.Before(r.RemovedAt.Add(lateReports)))
}
