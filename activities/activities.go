// Package activities carries out what the workflows decide. Each activity is one short transaction that may be
// repeated, on a struct that holds its dependencies.
package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/workflows"
)

// Activities is the set of all activities.
type Activities struct {
	db      *db.DB
	metrics *Metrics
}

// New makes the activities on one database.
func New(d *db.DB, m *Metrics) *Activities { return &Activities{db: d, metrics: m} }

// Registry is the part of a worker that takes activities.
type Registry interface {
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

// Register makes the activities known by the names that the workflows use.
func (a *Activities) Register(r Registry) {
	for name, fn := range map[string]any{
		workflows.ActivityLoadPlan:      a.LoadPlan,
		workflows.ActivityEvaluateIfs:   a.EvaluateIfs,
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
