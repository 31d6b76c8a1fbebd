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
)

// SendHook sends a delivery once and notes what came of it. It may be repeated by a crash after the sending; the receiver
// knows repetitions by the id of the delivery. One that is over, or gone with its hook, is left alone.
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
	result, err := h.sender.Send(ctx, d, int(activity.GetInfo(ctx).Attempt))
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

// tryAgain has Temporal repeat the activity after its pause, or later if the receiver wants.
func tryAgain(r hook.Result) error {
	kind, text := hookNotAnswered, "the receiver did not answer"
	if r.Try.StatusCode != 0 {
		kind, text = hookRefused, fmt.Sprintf("the receiver answered %d", r.Try.StatusCode)
	}
	return temporal.NewApplicationErrorWithOptions(text, kind, temporal.ApplicationErrorOptions{NextRetryDelay: r.RetryAfter})
}

// GiveUpHook ends a delivery that was tried often enough.
func (h *Hooks) GiveUpHook(ctx context.Context, in workflows.DeliveryInput) (struct{}, error) {
	failed, err := h.db.FailDelivery(ctx, in.DeliveryID, "it was given up")
	if failed {
		h.metrics.Ended(db.DeliveryFailed)
	}
	return struct{}{}, err
}
