package db

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/pawl-ci/pawl/internal/ci"
)

// PendingKind is what kind of thing a job or run waits for. The words are part of the API.
type PendingKind string

// What can be waited for.
const (
	PendingApproval    PendingKind = "approval"     // somebody is to let the run begin
	PendingConcurrency PendingKind = "concurrency"  // the concurrency group is held
	PendingPaused      PendingKind = "paused"       // the run or its repository is paused
	PendingNeeds       PendingKind = "needs"        // jobs that it needs have not ended
	PendingEnvironment PendingKind = "environment"  // a reviewer of its environment
	PendingWaitTimer   PendingKind = "wait-timer"   // the time that its environment asks for
	PendingMaxParallel PendingKind = "max-parallel" // other cells of its matrix
	PendingFollowed    PendingKind = "followed"     // the same job of an earlier attempt, which still runs
	PendingRetry       PendingKind = "retry"        // the pause before it is tried again
	PendingRepoLimit   PendingKind = "repo-limit"   // the repository has as many jobs running as it may
	PendingOwnerLimit  PendingKind = "owner-limit"  // so has its owner
	PendingNoRunner    PendingKind = "no-runner"    // no runner that is online could take it
	PendingBusy        PendingKind = "busy"         // all that could are busy
	PendingQueued      PendingKind = "queued"       // a runner that is free will fetch it in a moment
	PendingRunQueued   PendingKind = "run-queued"   // the run's workflow has not begun
	PendingCancelling  PendingKind = "cancelling"   // the run is being cancelled
	PendingStarting    PendingKind = "starting"     // the run's workflow decides in a moment
)

// PendingReason says why a job or run does not run yet (known-problems.md C5). The zero value is for those that do not
// wait.
type PendingReason struct {
	Kind PendingKind
	Text string
	// WholeRun: it holds all jobs of the run alike.
	WholeRun bool
}

func pending(kind PendingKind, format string, args ...any) PendingReason {
	return PendingReason{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

func pendingRun(kind PendingKind, format string, args ...any) PendingReason {
	return PendingReason{Kind: kind, Text: fmt.Sprintf(format, args...), WholeRun: true}
}

// PendingReasons tells why jobs wait, by id; jobs that do not wait are missing. The jobs are as Jobs returns them. It
// takes one round trip, and a second one where reviewers are to be named, however many jobs there are.
func (d *DB) PendingReasons(ctx context.Context, jobs []*Job) (map[int64]PendingReason, error) {
	var waiting []*Job
	for _, j := range jobs {
		if isPending(j.Status) {
			waiting = append(waiting, j)
		}
	}
	out := make(map[int64]PendingReason, len(waiting))
	if len(waiting) == 0 {
		return out, nil
	}
	facts, err := d.pendingFacts(ctx, waiting)
	if err != nil {
		return nil, fmt.Errorf("pending reasons: %w", err)
	}
	for _, j := range waiting {
		out[j.ID] = facts.reason(j)
	}
	return out, nil
}

func isPending(s ci.Status) bool { return s == ci.StatusWaiting || s == ci.StatusBlocked }

// PendingRunReasons tells why runs wait, by id: for what holds all of an attempt, or else for what holds its first job
// that has not ended. Runs that do not wait are missing.
func (d *DB) PendingRunReasons(ctx context.Context, views []*RunView) (map[int64]PendingReason, error) {
	var attempts []int64
	for _, v := range views {
		if isPending(v.Attempt.Status) {
			attempts = append(attempts, v.Attempt.ID)
		}
	}
	if len(attempts) == 0 {
		return nil, nil
	}
	var jobs []*Job
	err := d.NewSelect().Model(&jobs).Column(jobColumns...).Where(`job.id IN (SELECT (
			SELECT j.id FROM jobs j WHERE j.attempt_id = a.id AND j.stopped_at IS NULL AND NOT j.is_hidden ORDER BY j.cell LIMIT 1
		) FROM unnest(?::bigint[]) AS a (id))`, int64Array(attempts)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("first jobs of runs: %w", err)
	}
	reasons, err := d.PendingReasons(ctx, jobs)
	if err != nil {
		return nil, err
	}
	out := make(map[int64]PendingReason, len(jobs))
	for _, j := range jobs {
		r, ok := reasons[j.ID]
		if !ok {
			continue
		}
		if !r.WholeRun {
			r.Text = j.Name + ": " + r.Text
		}
		out[j.RunID] = r
	}
	return out, nil
}

// reason asks in the order in which a job gets past each of these.
func (f *pendingFacts) reason(j *Job) PendingReason {
	for _, ask := range []func(*Job) PendingReason{
		f.ofAttempt, f.ofOffer, f.ofNeeds, f.ofDeployment, f.ofGate, f.ofMatrix, f.ofFollowed,
	} {
		if r := ask(j); r.Kind != "" {
			return r
		}
	}
	if f.attempts[j.AttemptID].cancelRequested {
		return pendingRun(PendingCancelling, "the run is being cancelled")
	}
	return pending(PendingStarting, "about to begin")
}

// ofAttempt is what holds all jobs of an attempt.
func (f *pendingFacts) ofAttempt(j *Job) PendingReason {
	a := f.attempts[j.AttemptID]
	switch gate, held := f.gates[gateMember{j.AttemptID, 0}]; {
	case a.approvalNeeded:
		return pendingRun(PendingApproval, "the run needs an approval")
	case held:
		return pendingRun(PendingConcurrency, "the run waits for %s", gate.text())
	case a.unstarted:
		return pendingRun(PendingRunQueued, "the run has not begun")
	}
	return PendingReason{}
}

// ofOffer is what holds a job that is ready for a runner.
func (f *pendingFacts) ofOffer(j *Job) PendingReason {
	a := f.attempts[j.AttemptID]
	switch o := f.offers[j.ID]; {
	case o.state == OfferHeld && o.early:
		return pending(PendingRetry, "tried again at %s%s", clock(o.notBefore), because(o.lastReason))
	case o.state == OfferHeld && a.runPaused:
		return pendingRun(PendingPaused, "the run is paused%s", by(a.runPausedBy))
	case o.state == OfferHeld && a.repoPaused:
		return pendingRun(PendingPaused, "the repository is paused%s", by(a.repoPausedBy))
	case o.state == OfferQueued:
		return f.ofQueue(j)
	}
	return PendingReason{}
}

// ofQueue is why no runner has taken an offer.
func (f *pendingFacts) ofQueue(j *Job) PendingReason {
	if most, full := f.fullLimits[limitKey{LimitRepository, j.RepoID}]; full {
		return pending(PendingRepoLimit, "the repository runs no more than %s at once", counted(most))
	}
	if most, full := f.fullLimits[limitKey{LimitOwner, j.OwnerID}]; full {
		return pending(PendingOwnerLimit, "the owner of the repository runs no more than %s at once", counted(most))
	}
	switch r := f.runners[runnerDemand{j.LabelSetID, j.OwnerID, j.RepoID}]; {
	case r.online == 0 && len(j.RunsOn) == 0:
		return pending(PendingNoRunner, "no runner is online")
	case r.online == 0:
		return pending(PendingNoRunner, "no online runner has the labels %s", strings.Join(j.RunsOn, ", "))
	case r.busy == r.online && r.online == 1:
		return pending(PendingBusy, "the matching runner is busy")
	case r.busy == r.online:
		return pending(PendingBusy, "all %d matching runners are busy", r.online)
	}
	return pending(PendingQueued, "a free runner will fetch it in a moment")
}

// maxNamed bounds how many things one text names.
const maxNamed = 10

func (f *pendingFacts) ofNeeds(j *Job) PendingReason {
	var open []string
	for _, need := range j.Needs {
		if f.openCells[keyOfJob{j.AttemptID, j.ParentID, need}] > 0 {
			open = append(open, need)
		}
	}
	if len(open) == 0 {
		return PendingReason{}
	}
	return pending(PendingNeeds, "needs %s to end first", listed(open, "and"))
}

func (f *pendingFacts) ofDeployment(j *Job) PendingReason {
	e, ok := f.deployments[j.ID]
	name := fmt.Sprintf("environment %q", e.environment)
	switch {
	case !ok:
		return PendingReason{}
	case e.state == DeploymentWaiting && len(e.reviewers) > 0:
		return pending(PendingEnvironment, "%s needs a review by %s%s", name, listed(f.logins(e.reviewers), "or"), e.notBefore())
	case e.early:
		return pending(PendingWaitTimer, "%s lets it begin at %s", name, clock(e.waitUntil))
	case e.state == DeploymentWaiting:
		return pending(PendingEnvironment, "%s needs a review", name)
	}
	return PendingReason{}
}

func (e deploymentFacts) notBefore() string {
	if !e.early {
		return ""
	}
	return ", and begins no earlier than " + clock(e.waitUntil)
}

// ofGate also says what the caller of a job waits for, since in a rerun of some of its jobs they wait with it.
func (f *pendingFacts) ofGate(j *Job) PendingReason {
	if gate, held := f.gates[gateMember{j.AttemptID, j.ID}]; held {
		return pending(PendingConcurrency, "waits for %s", gate.text())
	}
	if gate, held := f.gates[gateMember{j.AttemptID, j.ParentID}]; held && j.ParentID != 0 {
		return pending(PendingConcurrency, "its caller waits for %s", gate.text())
	}
	return PendingReason{}
}

// text names the group, who holds it, and the place in its queue.
func (g gateFacts) text() string {
	text := fmt.Sprintf("concurrency group %q", g.title)
	switch {
	case g.replaced:
		return text + ", and was " + g.reason
	case g.holderRun == 0:
		return text + ", which is about to be free"
	case g.holderJob != "":
		text += fmt.Sprintf(", held by job %s of run #%d", g.holderJob, g.holderRun)
	default:
		text += fmt.Sprintf(", held by run #%d", g.holderRun)
	}
	return text + fmt.Sprintf(" (position %d)", g.position)
}

func (f *pendingFacts) ofMatrix(j *Job) PendingReason {
	if j.MaxParallel <= 0 || f.openCells[keyOfJob{j.AttemptID, j.ParentID, j.Key}] <= j.MaxParallel {
		return PendingReason{}
	}
	return pending(PendingMaxParallel, "no more than %s of its matrix run at once", counted(j.MaxParallel))
}

func (f *pendingFacts) ofFollowed(j *Job) PendingReason {
	if number := f.followed[j.FollowsID]; j.FollowsID != 0 && number != 0 {
		return pending(PendingFollowed, "the same job of attempt %d has not ended", number)
	}
	return PendingReason{}
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func by(login string) string {
	if login == "" {
		return ""
	}
	return " by " + login
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}

func counted(jobs int) string {
	if jobs == 1 {
		return "1 job"
	}
	return fmt.Sprintf("%d jobs", jobs)
}

// listed is "a, b and c", or with many "a, b, c and 7 more".
func listed(names []string, word string) string {
	if len(names) > maxNamed {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), len(names)-maxNamed)
	}
	last := len(names) - 1
	if last <= 0 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " " + word + " " + names[last]
}
