package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/pawl-ci/pawl/internal/ci"
)

// beginning is what a run waits for before its first job: an approval, and its place in its concurrency group.
type beginning struct {
	needsApproval, hasGate bool
	gate                   GateNews
	// blocked: the projection shows that the run waits.
	blocked bool
}

func (b *beginning) over() bool {
	return !b.needsApproval && (!b.hasGate || b.gate.State == GateHolding)
}

// begin returns when the run may begin, or is cancelled before. A run that never began runs nothing at all, not even
// jobs with always(): its group belongs to somebody else.
func (r *run) begin() error {
	b := &r.beginning
	b.blocked = b.hasGate || b.needsApproval // it may have waited before this workflow began
	if b.over() {
		r.note("started", 0, "")
		return nil
	}
	if b.needsApproval {
		r.note("waiting", 0, "for an approval")
	}
	for !b.over() {
		if r.cancel.requested {
			r.cancel.force = true
			return nil
		}
		if entered, err := r.enterGate(); err != nil || entered {
			if err != nil {
				return err
			}
			continue
		}
		if err := r.wait(); err != nil {
			return err
		}
	}
	r.note("started", 0, "")
	return nil
}

// enterGate enters the run's concurrency group as soon as it is approved; who waits for an approval is passed over
// (execution-semantics.md §6). It tells whether it did.
func (r *run) enterGate() (bool, error) {
	b := &r.beginning
	if b.needsApproval || !b.hasGate || b.gate.State != "" {
		return false, nil
	}
	gate, err := local[GateNews](r.ctx, ActivityEnterGate, r.RunInput)
	if err != nil {
		return false, fmt.Errorf("enter concurrency group: %w", err)
	}
	r.takeGate(gate)
	return true, nil
}

// takeGate takes in the run's place in its group. A member that lost its place ends.
func (r *run) takeGate(gate GateNews) {
	b := &r.beginning
	if gate.State == "" || gate.State == b.gate.State {
		return
	}
	b.gate = gate
	r.note("concurrency", 0, gateDetail(gate))
	switch gate.State {
	case GateReplaced, GateLeaving:
		r.cancel.unseen = true // who made it leave has marked the attempt as cancelled
		r.requestCancel(CancelRequest{Reason: gate.Reason})
	case GateRefused:
		r.requestCancel(CancelRequest{Reason: gate.Reason})
	}
}

func gateDetail(gate GateNews) string {
	if gate.Reason == "" {
		return string(gate.State)
	}
	return string(gate.State) + ": " + gate.Reason
}

// startLife bounds how long the run may take (execution-semantics.md §7.4).
func (r *run) startLife() {
	if r.Version < VersionSemantics {
		return
	}
	r.selector.AddFuture(workflow.NewTimer(r.ctx, ci.MaxRunDuration), func(workflow.Future) {
		r.requestCancel(CancelRequest{Reason: fmt.Sprintf("the run took longer than %d days", int(ci.MaxRunDuration.Hours())/24)})
	})
}
