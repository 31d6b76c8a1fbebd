// Package worker registers the workflows and activities of Pawl on their task queue, and starts and stops the
// Temporal worker that runs them.
package worker

import (
	"fmt"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/pawl-ci/pawl/activities"
	"github.com/pawl-ci/pawl/workflows"
)

// Options tune one worker process.
type Options struct {
	// Settings are handed to the jobs that start from now on.
	Settings workflows.Settings
	// StickyCache is the number of open workflows kept in memory, so that they need no replay; 0 means 4,000.
	StickyCache int
	// Hooks sends webhooks; nil: this worker sends none.
	Hooks *activities.Hooks
	// DrainTimeout is how long Stop lets activities finish; 0 means 10 s.
	DrainTimeout time.Duration
}

// Worker is the part of Pawl that decides. Any number of processes may run one.
type Worker struct {
	worker worker.Worker
	hooks  worker.Worker // sends webhooks; nil without
	failed chan error
	cause  atomic.Pointer[error] // what failed has got
}

// defaultStickyCache holds four of the largest runs.
const defaultStickyCache = 4000

// New makes a worker; it does nothing until Start.
func New(c client.Client, a *activities.Activities, o Options) *Worker {
	if o.StickyCache == 0 {
		o.StickyCache = defaultStickyCache
	}
	if o.DrainTimeout == 0 {
		o.DrainTimeout = 10 * time.Second
	}
	worker.SetStickyWorkflowCacheSize(o.StickyCache)
	w := newWorker()
	w.worker = worker.New(c, workflows.TaskQueue, w.options(o))
	Register(w.worker, &o.Settings)
	a.Register(w.worker)
	if o.Hooks != nil {
		o.Hooks.Register(w.worker)
		w.hooks = worker.New(c, workflows.HookTaskQueue, w.hookOptions(o))
		o.Hooks.RegisterSending(w.hooks)
	}
	return w
}

func newWorker() *Worker { return &Worker{failed: make(chan error, 1)} }

func (w *Worker) options(o Options) worker.Options {
	return worker.Options{
		MaxConcurrentWorkflowTaskPollers: 8,
		MaxConcurrentActivityTaskPollers: 4,
		WorkerStopTimeout:                o.DrainTimeout,
		OnFatalError:                     w.fail,
		//lint:ignore SA1019 worker deployments are not used; a name of its own saves hashing the whole binary at start.
		BuildID: buildID,
	}
}

// hooksAtOnce bounds the messages that one worker sends at a time; each receiver has a few of them (hook.EachReceiver).
const hooksAtOnce = 128

func (w *Worker) hookOptions(o Options) worker.Options {
	options := w.options(o)
	options.DisableWorkflowWorker = true
	options.MaxConcurrentActivityTaskPollers = 2
	options.MaxConcurrentActivityExecutionSize = hooksAtOnce
	return options
}

// buildID names the code for Temporal; workflow versions, not build ids, keep histories replayable.
const buildID = "pawl"

// Registry is what workflows are registered with: a worker, a replayer or a test environment.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// Register makes the workflows known by their names.
func Register(r Registry, s *workflows.Settings) {
	r.RegisterWorkflowWithOptions(s.Run, workflow.RegisterOptions{Name: workflows.RunWorkflowName})
	r.RegisterWorkflowWithOptions(workflows.Job, workflow.RegisterOptions{Name: workflows.JobWorkflowName})
	r.RegisterWorkflowWithOptions(workflows.Delivery, workflow.RegisterOptions{Name: workflows.DeliveryWorkflowName})
	r.RegisterWorkflowWithOptions(workflows.Retention, workflow.RegisterOptions{Name: workflows.RetentionWorkflowName})
}

// Start begins to poll. It returns an error when Temporal cannot be reached.
func (w *Worker) Start() error {
	if err := w.worker.Start(); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	if w.hooks == nil {
		return nil
	}
	if err := w.hooks.Start(); err != nil {
		w.worker.Stop()
		return fmt.Errorf("start worker of webhooks: %w", err)
	}
	return nil
}

// Stop ends polling and waits for running activities. It may be called more than once.
func (w *Worker) Stop() {
	if w.hooks != nil {
		w.hooks.Stop()
	}
	w.worker.Stop()
}
