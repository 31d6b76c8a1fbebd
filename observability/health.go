package observability

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of HealthOptions.
const (
	DefaultCheckTimeout = time.Second
	DefaultCheckCache   = time.Second
)

// HealthOptions are the options of a [Health]; only Logger is required.
type HealthOptions struct {
	Logger *slog.Logger // hears when a check starts or ceases to fail, with the whole error
	// Timeout is how long a check may take. It should stay below the timeout of who probes.
	Timeout time.Duration
	// Cache is how long an outcome is given out again, so that no number of probes can load what they probe.
	Cache time.Duration
	Now   func() time.Time // time.Now by default
}

// Health knows whether the process should get work. All methods are safe for concurrent use.
type Health struct {
	opts     HealthOptions
	draining atomic.Bool

	mu     sync.Mutex
	probes []*probe // sorted by name
}

// NewHealth returns a Health without checks, which is ready.
func NewHealth(opts HealthOptions) *Health {
	if opts.Timeout <= 0 {
		opts.Timeout = DefaultCheckTimeout
	}
	if opts.Cache <= 0 {
		opts.Cache = DefaultCheckCache
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Health{opts: opts}
}

// Register adds a check under a name such as "postgres". A check of the same name is replaced.
func (h *Health) Register(name string, check Check) {
	h.mu.Lock()
	defer h.mu.Unlock()
	added := &probe{
		name: name, check: check, timeout: h.opts.Timeout, fresh: h.opts.Cache, now: h.opts.Now, changed: h.log,
	}
	at, found := slices.BinarySearchFunc(h.probes, name, func(p *probe, name string) int {
		return strings.Compare(p.name, name)
	})
	if found {
		h.probes[at] = added
		return
	}
	h.probes = slices.Insert(h.probes, at, added)
}

func (h *Health) log(name string, err error) {
	if err != nil {
		h.opts.Logger.Warn("a health check fails", "check", name, "error", err)
		return
	}
	h.opts.Logger.Info("a health check is well again", "check", name)
}

// Drain makes the process not ready for good, so that load balancers stop sending requests before it stops.
func (h *Health) Drain() { h.draining.Store(true) }

// Words of Report.Status and CheckReport.Status.
const (
	StatusOK       = "ok"
	StatusFailing  = "failing"
	StatusDraining = "draining"
)

// Report is the state of the process, and the body of /readyz.
type Report struct {
	Status string                 `json:"status"`
	Checks map[string]CheckReport `json:"checks"`
}

// CheckReport is the outcome of one check. Error is a fixed text: the page is open to everybody, so the whole error
// is in the log only.
type CheckReport struct {
	Status     string  `json:"status"`
	DurationMS float64 `json:"duration_ms"`
	Error      string  `json:"error,omitempty"`
}

// Report runs the checks whose last outcome is older than the cache time, all at once, and returns within the
// timeout of a check.
func (h *Health) Report() Report {
	h.mu.Lock()
	probes := slices.Clone(h.probes)
	h.mu.Unlock()

	outcomes := make([]outcome, len(probes))
	var group sync.WaitGroup
	for i, p := range probes {
		group.Go(func() { outcomes[i] = p.outcome() })
	}
	group.Wait()
	return h.summarize(probes, outcomes)
}

func (h *Health) summarize(probes []*probe, outcomes []outcome) Report {
	report := Report{Status: StatusOK, Checks: make(map[string]CheckReport, len(probes))}
	for i, p := range probes {
		report.Checks[p.name] = reportOf(outcomes[i])
		if outcomes[i].err != nil {
			report.Status = StatusFailing
		}
	}
	if h.draining.Load() {
		report.Status = StatusDraining
	}
	return report
}

func reportOf(o outcome) CheckReport {
	report := CheckReport{Status: StatusOK, DurationMS: float64(o.took.Microseconds()) / 1000}
	switch {
	case errors.Is(o.err, context.DeadlineExceeded):
		report.Status, report.Error = StatusFailing, "no answer in time"
	case o.err != nil:
		report.Status, report.Error = StatusFailing, "failed; the log of the server says why"
	}
	return report
}
