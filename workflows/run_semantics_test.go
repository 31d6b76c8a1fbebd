package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/workflows"
)

// at calls something while the workflow runs.
func at(after time.Duration, do func(*testsuite.TestWorkflowEnvironment)) func(*testsuite.TestWorkflowEnvironment) {
	return func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() { do(env) }, after)
	}
}

func changed(env *testsuite.TestWorkflowEnvironment) {
	env.SignalWorkflow(workflows.SignalChanged, nil)
}

func cancel(c workflows.CancelRequest) func(*testsuite.TestWorkflowEnvironment) {
	return func(env *testsuite.TestWorkflowEnvironment) { env.SignalWorkflow(workflows.SignalCancel, c) }
}

func gated(c cell) cell {
	c.Gated = true
	return c
}

func ofKind(kind ci.JobKind, c cell) cell {
	c.Kind = kind
	return c
}

func childOf(parent int64, c cell) cell {
	c.Parent = parent
	return c
}

// events are those of the timeline as the projection was told, as "event job detail".
func (p *projection) events() []string {
	var out []string
	for _, s := range p.steps {
		for _, e := range s.Events {
			out = append(out, strings.TrimSpace(e.Event+" "+e.Detail))
		}
	}
	return out
}

func (p *projection) reasonOf(job int64) string {
	for _, s := range p.steps {
		for _, e := range s.Ended {
			if e.JobID == job {
				return e.Reason
			}
		}
	}
	return ""
}

func TestARunWaitsForItsApprovalAndThenForItsGroup(t *testing.T) {
	p := &projection{plan: plan(planned(1, "a")), gate: workflows.GateNews{State: workflows.GatePending}}
	p.plan.NeedsApproval, p.plan.HasGate = true, true
	p.news = []workflows.RunNews{
		{}, // woken for nothing
		{Approved: true, ApprovedBy: "ada"},
		{Approved: true, Gate: workflows.GateNews{State: workflows.GateHolding}},
	}
	status, _ := p.run(t, func(env *testsuite.TestWorkflowEnvironment) {
		for _, after := range []time.Duration{time.Hour, 100 * 24 * time.Hour / 10, 20 * 24 * time.Hour} {
			at(after, changed)(env)
		}
	})
	require.Equal(t, success, status)
	require.True(t, p.steps[len(p.steps)-2].Begun || p.steps[len(p.steps)-3].Begun)
	require.Contains(t, p.events(), "approved by ada")
	require.Contains(t, p.events(), "concurrency holding")
}

func TestNewsFromBeforeTheWorkflowAreReadAtOnce(t *testing.T) {
	p := &projection{
		plan: plan(planned(1, "a")),
		news: []workflows.RunNews{{Paused: true, PausedBy: "ada", Approved: true, ApprovedBy: "bob"}},
	}
	p.plan.HasNews, p.plan.NeedsApproval = true, true
	status, _ := p.run(t, nil)
	require.Equal(t, success, status)
	require.Equal(t, []string{"approved by bob", "paused by ada", "started"}, p.events()[:3])
}

func TestARunThatLosesItsPlaceRunsNothing(t *testing.T) {
	p := &projection{
		plan: plan(planned(1, "a"), withIf(planned(2, "cleanup", "a"))),
		ifs:  map[int64]workflows.IfAnswer{2: {Run: true}}, // always()
		news: []workflows.RunNews{{Gate: workflows.GateNews{State: workflows.GateReplaced, Reason: "replaced by run #9"}}},
	}
	p.plan.HasGate, p.plan.Gate = true, workflows.GateNews{State: workflows.GatePending}
	status, ends := p.run(t, at(time.Minute, changed))
	require.Equal(t, cancelled, status)
	require.Equal(t, map[int64]ci.Status{1: cancelled, 2: cancelled}, ends)
	require.Empty(t, p.ran)
	require.Equal(t, "replaced by run #9", p.reasonOf(1))
	require.Equal(t, "replaced by run #9", p.steps[len(p.steps)-1].Reason)
	require.True(t, p.steps[len(p.steps)-1].CancelSeen, "nobody has to tell it once more")
}

func TestADeferredJobIsReplacedByItsCells(t *testing.T) {
	p := &projection{
		plan: plan(planned(1, "a"), ofKind(ci.JobDeferred, planned(2, "m", "a")), planned(3, "after", "m")),
		expansions: map[int64]workflows.Expansion{
			2: {Plan: plan(planned(10, "m"), planned(11, "m"))},
		},
	}
	status, ends := p.run(t, nil)
	require.Equal(t, success, status)
	require.Equal(t, map[int64]ci.Status{1: success, 10: success, 11: success, 3: success}, ends)
}

func TestAMatrixThatCannotBeMadeFailsItsJob(t *testing.T) {
	p := &projection{
		plan:       plan(ofKind(ci.JobDeferred, planned(1, "m")), planned(2, "after", "m"), planned(3, "other")),
		expansions: map[int64]workflows.Expansion{1: {Error: "ci.yml:7:9: the matrix is empty"}},
	}
	status, ends := p.run(t, nil)
	require.Equal(t, failure, status)
	require.Equal(t, map[int64]ci.Status{1: failure, 2: skipped, 3: success}, ends)
	require.Equal(t, "ci.yml:7:9: the matrix is empty", p.reasonOf(1))
	require.Equal(t, ci.ErrorPermanent, p.steps[0].Ended[0].Class)
}

func TestTooManyJobsFailTheOneThatBringsThem(t *testing.T) {
	for kind, parent := range map[ci.JobKind]int64{ci.JobDeferred: 0, ci.JobCall: 1} {
		var cells []cell
		for id := range int64(ci.MaxJobsPerRun) {
			cells = append(cells, childOf(parent, planned(id+10, "m")))
		}
		p := &projection{
			plan:       plan(ofKind(kind, planned(1, "m")), planned(2, "other")),
			expansions: map[int64]workflows.Expansion{1: {Plan: plan(cells...)}},
		}
		status, ends := p.run(t, nil)
		require.Equal(t, failure, status)
		require.Equal(t, map[int64]ci.Status{1: failure, 2: success}, ends)
		require.Contains(t, p.reasonOf(1), "the limit is 1000")
	}
}

func TestACallerEndsWithItsChildren(t *testing.T) {
	children := plan(childOf(1, planned(10, "x")), childOf(1, planned(11, "y", "x")))
	p := &projection{
		plan:       plan(ofKind(ci.JobCall, planned(1, "call")), planned(2, "after", "call")),
		expansions: map[int64]workflows.Expansion{1: {Plan: children}},
	}
	status, ends := p.run(t, nil)
	require.Equal(t, success, status)
	require.Equal(t, map[int64]ci.Status{1: success, 10: success, 11: success, 2: success}, ends)
	require.Equal(t, []int64{10, 11, 2}, p.ran, "a caller itself is never given to a runner")

	p = &projection{
		plan:       plan(ofKind(ci.JobCall, planned(1, "call")), planned(2, "after", "call")),
		expansions: map[int64]workflows.Expansion{1: {Plan: children}},
		calls:      map[int64]string{1: "called.yml:3:5: unknown output"},
	}
	status, ends = p.run(t, nil)
	require.Equal(t, failure, status, "outputs that cannot be evaluated fail the caller")
	require.Equal(t, failure, ends[1])
	require.Equal(t, skipped, ends[2])
}

func TestACallerWhoseWorkflowCannotBeReadFails(t *testing.T) {
	p := &projection{
		plan:       plan(ofKind(ci.JobCall, planned(1, "call")), planned(2, "other")),
		expansions: map[int64]workflows.Expansion{1: {Error: "no such file"}},
	}
	status, ends := p.run(t, nil)
	require.Equal(t, failure, status)
	require.Equal(t, map[int64]ci.Status{1: failure, 2: success}, ends)
	require.Equal(t, "no such file", p.reasonOf(1))
}

func TestAFailingCallerStopsTheOthersOfItsMatrix(t *testing.T) {
	call := func(id int64) cell {
		c := ofKind(ci.JobCall, planned(id, "call"))
		c.failFast = true
		return c
	}
	p := &projection{
		plan: plan(call(1), call(2)),
		expansions: map[int64]workflows.Expansion{
			1: {Error: "no such file"},
			2: {Plan: plan(childOf(2, planned(20, "x")), childOf(2, planned(21, "y", "x")))},
		},
	}
	status, ends := p.run(t, nil)
	require.Equal(t, failure, status)
	require.Equal(t, map[int64]ci.Status{1: failure, 2: cancelled, 20: cancelled, 21: cancelled}, ends)
	require.Empty(t, p.ran)
}

func TestAHeldJobGoesWhenNothingHoldsItAnyMore(t *testing.T) {
	p := &projection{
		plan:       plan(gated(planned(1, "deploy")), planned(2, "other")),
		admissions: map[int64][]workflows.Admission{1: {{Hold: "environment prod waits for a reviewer"}, {}}},
		news:       []workflows.RunNews{{}},
	}
	status, ends := p.run(t, at(300*24*time.Hour/10, changed))
	require.Equal(t, success, status)
	require.Equal(t, map[int64]ci.Status{1: success, 2: success}, ends)
	require.Equal(t, []int64{1}, p.steps[0].Held)
	require.Equal(t, []int64{2}, p.steps[0].Offered)
	require.Contains(t, p.events(), "held environment prod waits for a reviewer")
}

func TestAWaitTimerWakesTheRunByItself(t *testing.T) {
	until := time.Now().Add(20 * 24 * time.Hour)
	p := &projection{
		plan:       plan(gated(planned(1, "deploy"))),
		admissions: map[int64][]workflows.Admission{1: {{Hold: "environment prod has a wait timer", WaitUntil: until}, {}}},
	}
	var ended time.Time
	status, _ := p.run(t, func(env *testsuite.TestWorkflowEnvironment) {
		env.SetStartTime(until.Add(-20 * 24 * time.Hour))
	})
	require.Equal(t, success, status)
	for _, s := range p.steps {
		for _, e := range s.Events {
			if e.Event == "admitted" {
				ended = e.At
			}
		}
	}
	require.False(t, ended.Before(until.UTC()), "admitted at %s, not before %s", ended, until)
}

func TestWhatAdmissionEnds(t *testing.T) {
	for status, want := range map[ci.Status]ci.ErrorClass{failure: ci.ErrorPermanent, cancelled: ""} {
		p := &projection{
			plan:       plan(gated(planned(1, "deploy"))),
			admissions: map[int64][]workflows.Admission{1: {{Status: status, Reason: "because"}}},
		}
		got, ends := p.run(t, nil)
		require.Equal(t, status, got)
		require.Equal(t, map[int64]ci.Status{1: status}, ends)
		require.Equal(t, workflows.JobEnd{JobID: 1, Status: status, Reason: "because", Class: want}, p.steps[0].Ended[0])
	}
}

func TestAJobThatIsToldToLeaveItsGroupStops(t *testing.T) {
	p := &projection{
		plan:       plan(gated(planned(1, "deploy")), planned(2, "other")),
		admissions: map[int64][]workflows.Admission{1: {{InGate: true}}},
		hang:       map[int64]bool{1: true},
		news:       []workflows.RunNews{{Leaving: []workflows.GateNews{{JobID: 1, State: workflows.GateLeaving, Reason: "replaced by run #3"}}}},
	}
	status, ends := p.run(t, at(time.Minute, changed))
	require.Equal(t, cancelled, status)
	require.Equal(t, map[int64]ci.Status{1: cancelled, 2: success}, ends)
	require.Equal(t, "replaced by run #3", p.reasonOf(1))
	require.True(t, p.steps[len(p.steps)-1].Release)
}

func TestACancelEndsWhatIsHeld(t *testing.T) {
	p := &projection{
		plan:       plan(gated(planned(1, "deploy")), planned(2, "after", "deploy")),
		admissions: map[int64][]workflows.Admission{1: {{Hold: "environment prod waits for a reviewer"}}},
	}
	status, ends := p.run(t, at(time.Minute, cancel(workflows.CancelRequest{By: 1})))
	require.Equal(t, cancelled, status)
	require.Equal(t, map[int64]ci.Status{1: cancelled, 2: cancelled}, ends)
}

func TestACancelIsForcedAfterTheGrace(t *testing.T) {
	p := &projection{
		plan: plan(planned(1, "a"), withIf(planned(2, "cleanup", "a")), withIf(planned(3, "more", "cleanup"))),
		hang: map[int64]bool{1: true, 2: true},
		ifs:  map[int64]workflows.IfAnswer{2: {Run: true}, 3: {Run: true}}, // always()
	}
	status, ends := p.run(t, at(time.Minute, cancel(workflows.CancelRequest{By: 1})))
	require.Equal(t, cancelled, status)
	require.Equal(t, map[int64]ci.Status{1: cancelled, 2: cancelled, 3: cancelled}, ends)
	require.Equal(t, []int64{2}, p.forced)
	require.Contains(t, strings.Join(p.events(), "\n"), "force-cancel not ended within 5m0s after the cancel")
}

func TestAForcedCancelAsksNoIf(t *testing.T) {
	p := &projection{
		plan: plan(planned(1, "a"), withIf(planned(2, "cleanup", "a"))),
		hang: map[int64]bool{1: true},
		ifs:  map[int64]workflows.IfAnswer{2: {Run: true}},
	}
	status, ends := p.run(t, at(time.Minute, cancel(workflows.CancelRequest{By: 1, Force: true})))
	require.Equal(t, cancelled, status)
	require.Equal(t, map[int64]ci.Status{1: cancelled, 2: cancelled}, ends)
	require.Equal(t, []int64{1}, p.ran)
	require.Equal(t, []int64{1}, p.forced)
}

func TestARunDoesNotTakeForEver(t *testing.T) {
	p := &projection{plan: plan(planned(1, "a")), hang: map[int64]bool{1: true}}
	status, _ := p.run(t, nil)
	require.Equal(t, cancelled, status)
	require.Equal(t, "the run took longer than 35 days", p.reasonOf(1))
}

func TestFollowedJobsEndWithTheOnesTheyFollow(t *testing.T) {
	followed := planned(1, "a")
	followed.Started, followed.Status = true, ci.StatusRunning
	p := &projection{
		plan: plan(followed, planned(2, "b", "a")),
		news: []workflows.RunNews{{}, {Ended: []workflows.JobEnd{{JobID: 1, Status: success}}}},
	}
	status, ends := p.run(t, at(time.Hour, changed))
	require.Equal(t, success, status)
	require.Equal(t, map[int64]ci.Status{1: success, 2: success}, ends)
	require.Equal(t, []int64{2}, p.ran)
}

func TestAFollowedJobThatFailFastStoppedCountsAsFailed(t *testing.T) {
	followed := planned(1, "m")
	followed.Started, followed.Status = true, ci.StatusRunning
	p := &projection{
		plan: plan(followed, planned(2, "b")),
		news: []workflows.RunNews{{Ended: []workflows.JobEnd{{JobID: 1, Status: cancelled, FailFast: true}}}},
	}
	status, ends := p.run(t, nil)
	require.Equal(t, failure, status)
	require.Equal(t, map[int64]ci.Status{1: cancelled, 2: success}, ends)
	for _, e := range p.steps[0].Ended {
		require.True(t, e.FailFast, "and so it is in the attempt after this one")
	}
}

func TestPauseAndResumeStandInTheTimeline(t *testing.T) {
	p := &projection{
		plan: plan(planned(1, "a")), hang: map[int64]bool{1: true},
		news: []workflows.RunNews{{Paused: true, PausedBy: "ada"}, {}},
	}
	p.run(t, func(env *testsuite.TestWorkflowEnvironment) {
		at(time.Minute, changed)(env)
		at(2*time.Minute, changed)(env)
		at(3*time.Minute, cancel(workflows.CancelRequest{}))(env)
	})
	require.Subset(t, p.events(), []string{"paused by ada", "resumed"})
}

func TestTimelineQuery(t *testing.T) {
	p := &projection{plan: plan(planned(1, "a"), planned(2, "b", "a")), results: map[int64]ci.Status{1: failure}}
	var events []workflows.TimelineEvent
	p.run(t, at(500*time.Millisecond, func(env *testsuite.TestWorkflowEnvironment) {
		v, err := env.QueryWorkflow(workflows.QueryTimeline)
		require.NoError(t, err)
		require.NoError(t, v.Get(&events))
	}))
	require.Len(t, events, 2)
	require.Equal(t, []string{"started", "offered"}, []string{events[0].Event, events[1].Event})
	require.Equal(t, []string{"started", "offered", "skipped a ended with failure", "ended failure", "ended skipped", "ended failure"}, p.events())
	for i, s := range p.steps {
		for _, e := range s.Events {
			require.NotZero(t, e.At, "step %d", i)
		}
	}
}

func TestRetryIsGivenToTheJob(t *testing.T) {
	c := planned(1, "a")
	c.Retry = &ci.Retry{MaxAttempts: 3, OnFailure: true, Backoff: time.Second}
	p := &projection{plan: plan(c)}
	p.run(t, nil)
	require.Equal(t, c.Retry, p.inputs[1].Retry)
	require.Equal(t, workflows.CurrentVersion, p.inputs[1].Version)
}
