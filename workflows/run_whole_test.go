package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/workflows"
)

// span is the time from the first event of a run to the last.
func (p *projection) span() time.Duration {
	var first, last time.Time
	for _, s := range p.steps {
		for _, e := range s.Events {
			if first.IsZero() {
				first = e.At
			}
			last = e.At
		}
	}
	return last.Sub(first)
}

// These go through the workflow of the run and that of its job together.

func TestARunWhoseJobNoRunnerTakesEnds(t *testing.T) {
	p := &projection{
		plan:  plan(planned(1, "a"), planned(2, "b", "a"), withIf(planned(3, "report", "a"))),
		ifs:   map[int64]workflows.IfAnswer{3: {Run: false}},
		whole: &rows{attach: states(queued), ends: states(ended(workflows.EndWithdrawn, "no runner took the job within 24h0m0s"))},
	}
	status, ends := p.run(t, nil)
	require.Equal(t, cancelled, status)
	require.Equal(t, map[int64]ci.Status{1: cancelled, 2: skipped, 3: skipped}, ends)
	require.Equal(t, "no runner took the job within 24h0m0s", p.reasonOf(1))
	require.Equal(t, 24*time.Hour, p.span().Round(time.Minute))
}

func TestARunThatTakesTooLongEndsItsJobs(t *testing.T) {
	paused := queued
	paused.Held = true
	p := &projection{
		plan: plan(planned(1, "a"), planned(2, "b", "a")),
		// For 35 days each look finds the offer held; the cancel takes it back.
		whole: &rows{attach: states(queued), ends: append(repeated(paused, 35), withdrawn)},
	}
	status, ends := p.run(t, nil)
	require.Equal(t, cancelled, status)
	require.Equal(t, map[int64]ci.Status{1: cancelled, 2: cancelled}, ends)
	require.Equal(t, "the run took longer than 35 days", p.reasonOf(1))
	require.Equal(t, ci.MaxRunDuration, p.span().Round(time.Minute))
	require.False(t, p.whole.ended[len(p.whole.ended)-1].OnlyQueued, "it is the cancel that ends the wait")
}

func TestARunnerThatDoesNotEndAfterTheRunsTimeIsNotWaitedFor(t *testing.T) {
	p := &projection{
		plan: plan(planned(1, "a")),
		whole: &rows{
			attach: states(running), supervise: pending,
			ends: states(cancelling, ended("cancelled", "by force")),
		},
	}
	p.plan.Jobs[0].TimeoutMinutes = ci.MaxTimeoutMinutes + 60
	status, _ := p.run(t, nil)
	require.Equal(t, cancelled, status)
	require.True(t, p.whole.ended[len(p.whole.ended)-1].Force)
	require.Less(t, p.span(), ci.MaxRunDuration+settings.CancelGrace+time.Minute)
}

func repeated[T any](v T, n int) []T {
	list := make([]T, n)
	for i := range list {
		list[i] = v
	}
	return list
}
