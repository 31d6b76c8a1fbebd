package runnergw

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/engine"
	"github.com/pawl-ci/pawl/internal/logchunk"
	"github.com/pawl-ci/pawl/internal/loghub"
	"github.com/pawl-ci/pawl/internal/secretbox"
	"github.com/pawl-ci/pawl/internal/token"
)

// Options are the settings of a gateway. The zero value of each means its default.
type Options struct {
	// MaxHold is the longest that a poll is held, and how long one is held that carries no deadline; default 50 s.
	MaxHold time.Duration
	// MaxHeldPolls is how many polls are held at once; one more is answered empty. Default 20,000.
	MaxHeldPolls int
	// SearchEvery is how often a held poll looks for work without having been woken; default 5 s, ±20 %.
	SearchEvery time.Duration
	// ConfirmWithin is how long a runner may take from the claim of a task to its first report; default 30 s.
	ConfirmWithin time.Duration
	// LostAfter is the heartbeat timeout of SuperviseTask. Heartbeats are sent at most every third of it. Default 60 s.
	LostAfter time.Duration
	// MaxLogBytes is the size of one task's log as downloaded; later rows are counted and dropped. Default 1 GiB.
	MaxLogBytes int64
	// RootURL is the address of this server as jobs see it, without a slash at its end. By default it is the address
	// that the runner used (known-problems.md C1).
	RootURL string
	// ActionsURL is where `uses: owner/repo@ref` is cloned from; default RootURL, or the address the runner used.
	ActionsURL string
	// CallEventName is the event that jobs of called workflows see: ci.CallEventCaller (default) or ci.CallEventOwn.
	CallEventName string
}

func (o Options) withDefaults() Options {
	o.MaxHold = cmp.Or(o.MaxHold, 50*time.Second)
	o.MaxHeldPolls = cmp.Or(o.MaxHeldPolls, 20_000)
	o.SearchEvery = cmp.Or(o.SearchEvery, 5*time.Second)
	o.ConfirmWithin = cmp.Or(o.ConfirmWithin, 30*time.Second)
	o.LostAfter = cmp.Or(o.LostAfter, time.Minute)
	o.MaxLogBytes = cmp.Or(o.MaxLogBytes, 1<<30)
	o.CallEventName = cmp.Or(o.CallEventName, ci.CallEventCaller)
	o.RootURL = strings.TrimRight(o.RootURL, "/")
	o.ActionsURL = strings.TrimRight(o.ActionsURL, "/")
	return o
}

// Deps are what a gateway works with. All but Now are required.
type Deps struct {
	DB    *db.DB
	Tasks engine.Tasks
	// Tokens hashes the secrets of runners, registrations and tasks.
	Tokens *token.Hasher
	// Keys opens the secrets of jobs.
	Keys *secretbox.Keyring
	// RuntimeKey signs the runtime tokens of jobs (runner-protocol.md §9.1); at least 32 bytes.
	RuntimeKey []byte
	Logs       *loghub.Hub
	Chunks     *logchunk.Codec
	Log        *slog.Logger
	Metrics    prometheus.Registerer
	// Now is the clock for what is debounced; default time.Now.
	Now func() time.Time
}

// check finds what has no meaning; defaults are set.
func (o Options) check() error {
	if o.CallEventName != ci.CallEventCaller && o.CallEventName != ci.CallEventOwn {
		return fmt.Errorf("runner gateway: there is no event %q for called workflows", o.CallEventName)
	}
	return nil
}

func (d Deps) check() error {
	switch {
	case d.DB == nil, d.Tasks == nil, d.Tokens == nil, d.Keys == nil, d.Logs == nil, d.Chunks == nil, d.Log == nil, d.Metrics == nil:
		return errors.New("runner gateway: a dependency is missing")
	case len(d.RuntimeKey) < 32:
		return errors.New("runner gateway: the key of runtime tokens needs at least 32 bytes")
	}
	return nil
}
