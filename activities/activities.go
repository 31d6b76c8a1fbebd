// Package activities carries out what the workflows decide. Each activity is one short transaction that may be
// repeated, on a struct that holds its dependencies.
package activities

import (
	"context"
	"errors"
	"log/slog"

	lru "github.com/hashicorp/golang-lru/v2"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/workflows"
)

// Waker has the workflow of an attempt read its news; *engine.Temporal is one. What it fails to wake, the reconciler
// wakes.
type Waker interface {
	WakeRun(ctx context.Context, run int64, attempt int) error
}

// Activities is the set of all activities.
type Activities struct {
	db      *db.DB
	waker   Waker
	metrics *Metrics
	logger  *slog.Logger
	// ownCallEvent: called workflows have the event workflow_call.
	ownCallEvent bool
	files        *lru.Cache[int64, *files] // by attempt
}

// cachedFiles is of how many attempts the parsed workflow files are kept in memory.
const cachedFiles = 200

// Options are the settings of the activities.
type Options struct {
	Logger *slog.Logger
	// CallEventName is the event that jobs of called workflows see: ci.CallEventCaller or ci.CallEventOwn. It must be that
	// of the gateways, so that runners see what was decided by.
	CallEventName string
}

// New makes the activities on one database.
func New(d *db.DB, w Waker, m *Metrics, o Options) (*Activities, error) {
	cache, err := lru.New[int64, *files](cachedFiles)
	if err != nil {
		return nil, err
	}
	return &Activities{db: d, waker: w, metrics: m, logger: o.Logger, ownCallEvent: o.CallEventName == ci.CallEventOwn, files: cache}, nil
}

// Registry is the part of a worker that takes activities.
type Registry interface {
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

// Register makes the activities known by the names that the workflows use.
func (a *Activities) Register(r Registry) {
	for name, fn := range map[string]any{
		workflows.ActivityLoadPlan:      a.LoadPlan,
		workflows.ActivityEnterGate:     a.EnterGate,
		workflows.ActivityReadNews:      a.ReadNews,
		workflows.ActivityEvaluateIfs:   a.EvaluateIfs,
		workflows.ActivityExpandJobs:    a.ExpandJobs,
		workflows.ActivityAdmitJobs:     a.AdmitJobs,
		workflows.ActivityConcludeCalls: a.ConcludeCalls,
		workflows.ActivityRecordStep:    a.RecordStep,
		workflows.ActivityAttachTask:    a.AttachTask,
		workflows.ActivityOfferAgain:    a.OfferAgain,
		workflows.ActivityCheckTask:     a.CheckTask,
		workflows.ActivityEndTask:       a.EndTask,
		workflows.ActivitySuperviseTask: a.SuperviseTask,
	} {
		r.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
	}
}

// failed gives Temporal an error: what is not there will not come by trying again, all else may.
func failed(err error) error {
	if errors.Is(err, db.ErrNotFound) {
		return temporal.NewNonRetryableApplicationError(err.Error(), string(fault.CodeNotFound), err)
	}
	return err
}

// wake tells other runs that they have news, after the commit that gave them.
func (a *Activities) wake(ctx context.Context, runs []db.RunRef) {
	for _, r := range runs {
		if err := a.waker.WakeRun(ctx, r.RunID, r.Attempt); err != nil {
			a.logger.WarnContext(ctx, "the news are stored, the run hears of them later", "run", r.RunID, "error", err)
		}
	}
}

// SuperviseTask stands in Temporal for a runner at work. It returns at once, pending: the gateway sends its
// heartbeats and completes it by id. A task that has ended already is answered directly.
func (a *Activities) SuperviseTask(ctx context.Context, ref workflows.TaskRef) (workflows.TaskEnd, error) {
	task, err := a.db.Supervise(ctx, ref.TaskID)
	if err != nil {
		return workflows.TaskEnd{}, failed(err)
	}
	if task.Status.Final() {
		return endOf(task), nil
	}
	return workflows.TaskEnd{}, activity.ErrResultPending
}
