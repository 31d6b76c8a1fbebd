package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/hook"
	"github.com/pawl-ci/pawl/workflows"
)

// Hooks are the activities of webhooks.
type Hooks struct {
	db      *db.DB
	sender  *hook.Sender
	metrics *hook.Metrics
}

// NewHooks makes the activities of webhooks.
func NewHooks(d *db.DB, s *hook.Sender, m *hook.Metrics) *Hooks {
	return &Hooks{db: d, sender: s, metrics: m}
}

// RegisterSending makes the activity known that talks to receivers. It has a task queue of its own, so that those which
// do not answer keep no runner waiting.
func (h *Hooks) RegisterSending(r Registry) {
	r.RegisterActivityWithOptions(h.SendHook, activity.RegisterOptions{Name: workflows.ActivitySendHook})
}

// Register makes the rest known.
func (h *Hooks) Register(r Registry) {
	r.RegisterActivityWithOptions(h.GiveUpHook, activity.RegisterOptions{Name: workflows.ActivityGiveUpHook})
}

// The types of the errors of SendHook. Their texts hold nothing of the receiver but its status.
const (
	hookRefused     = "HookRefused"
	hookNotAnswered = "HookNotAnswered"
	hookWaits       = "HookWaits"
)

// SendHook sends a delivery once and notes what came of it. It may be repeated by a crash after the sending; the receiver
// knows repetitions by the id of the delivery. One that is over, or gone with its hook, is left alone. One whose receiver
// is being sent enough already waits for its turn in Temporal, and not here.
func (h *Hooks) SendHook(ctx context.Context, in workflows.DeliveryInput) error {
	d, err := h.db.HookDelivery(ctx, in.DeliveryID)
	if errors.Is(err, db.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if d.State != db.DeliveryPending {
		return nil
	}
	leave, wait := h.sender.Turn(d)
	if leave == nil {
		return again(hookWaits, "others are being sent to the receiver", wait)
	}
	defer leave()
	result, err := h.sender.Send(ctx, d)
	if err != nil {
		return err
	}
	// What the receiver has answered is noted even if the worker is stopping.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := h.db.RecordTry(ctx, result.Try); err != nil {
		return err
	}
	if result.Try.State != db.DeliveryPending {
		h.metrics.Ended(result.Try.State)
		return nil
	}
	return tryAgain(result)
}

// tryAgain has the next try made after its pause.
func tryAgain(r hook.Result) error {
	if r.Try.StatusCode == 0 {
		return again(hookNotAnswered, "the receiver did not answer", r.Pause)
	}
	return again(hookRefused, fmt.Sprintf("the receiver answered %d", r.Try.StatusCode), r.Pause)
}

// again has Temporal repeat the activity after a time. That is no fault of this installation.
func again(kind, text string, after time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(text, kind, temporal.ApplicationErrorOptions{
		NextRetryDelay: after, Category: temporal.ApplicationErrorCategoryBenign,
	})
}

// GiveUpHook ends a delivery that did not come to its end in time, or whose workflow was cancelled.
func (h *Hooks) GiveUpHook(ctx context.Context, in workflows.DeliveryInput) (struct{}, error) {
	failed, err := h.db.FailDelivery(ctx, in.DeliveryID, "it was given up")
	if failed {
		h.metrics.Ended(db.DeliveryFailed)
	}
	return struct{}{}, err
}
