package workflows

import (
	"strings"
	"time"

	"github.com/pawl-ci/pawl/internal/ci"
)

// RunInput starts the workflow of one attempt. It carries ids only: everything else is read by activities, so that
// histories stay small and hold nothing secret.
type RunInput struct {
	RunID     int64 `json:"run_id"`
	AttemptID int64 `json:"attempt_id"`
	Attempt   int   `json:"attempt"`
	// Version is the behaviour that the workflow keeps for its whole life (version.go).
	Version int `json:"version,omitempty"`
}

// RunResult is how an attempt ended.
type RunResult struct {
	Status ci.Status `json:"status"`
}

// CancelRequest is the argument of SignalCancel.
type CancelRequest struct {
	// By is the id of the user who asked, 0 for the system.
	By int64 `json:"by"`
	// Who is the login of that user.
	Who string `json:"who,omitempty"`
	// Reason says why, where it was not a user's wish.
	Reason string `json:"reason,omitempty"`
	// Force ends everything at once: no `if` is asked, and no runner.
	Force bool `json:"force,omitempty"`
}

// RunState answers QueryState.
type RunState struct {
	Status    ci.Status  `json:"status"`
	Cancelled bool       `json:"cancelled"`
	Jobs      []JobState `json:"jobs"`
}

// JobState is one job as its run's workflow sees it.
type JobState struct {
	JobID  int64     `json:"job_id"`
	Key    string    `json:"key"`
	Status ci.Status `json:"status"`
}

// RunPlan is what LoadPlan returns. What the cells of a matrix share stands once, and needs are numbers: a plan of the
// largest run has to fit into one payload.
type RunPlan struct {
	// Keys are the jobs of the workflow file, in its order.
	Keys []PlannedKey `json:"keys"`
	// Jobs are their cells, in order; children stand behind their caller.
	Jobs []PlannedJob `json:"jobs"`
	// NeedsApproval: the run waits until somebody lets it begin.
	NeedsApproval bool `json:"needs_approval,omitempty"`
	// Gate is the run's place in its concurrency group; without a state it has none, or has not entered it yet.
	Gate GateNews `json:"gate,omitzero"`
	// HasGate says that the run has a concurrency group.
	HasGate bool `json:"has_gate,omitempty"`
	// HasNews says that there are news from before the workflow began, when there was nobody to be woken.
	HasNews bool `json:"has_news,omitempty"`
}

// PlannedKey is one job of the file with all its cells.
type PlannedKey struct {
	Key string `json:"key"`
	// Needs are indexes of Keys.
	Needs []int `json:"needs,omitempty"`
	// FailFast stops the other cells of the job's matrix when one fails.
	FailFast bool `json:"fail_fast,omitempty"`
	// MaxParallel bounds the cells of the matrix in flight at once; 0 means no limit.
	MaxParallel int `json:"max_parallel,omitempty"`
}

// PlannedJob is one cell.
type PlannedJob struct {
	ID int64 `json:"id"`
	// Key is an index of Keys.
	Key int `json:"key"`
	// HasIf says that the job has an `if`, which EvaluateIfs decides.
	HasIf bool `json:"has_if,omitempty"`
	// Soft is continue-on-error.
	Soft bool `json:"soft,omitempty"`
	// TimeoutMinutes bounds the time a runner may take, from its claim.
	TimeoutMinutes int `json:"timeout_minutes"`
	// Status is terminal for a job that needs no run in this attempt.
	Status ci.Status `json:"status"`
	// Kind is empty for a job that a runner gets.
	Kind ci.JobKind `json:"kind,omitempty"`
	// Parent is the caller whose child the job is.
	Parent int64 `json:"parent,omitempty"`
	// Started: the job is on its way already, because it follows one of an earlier attempt, or is a caller whose
	// children are there.
	Started bool `json:"started,omitempty"`
	// Gated: it has an environment or a concurrency group, which AdmitJobs looks at.
	Gated bool `json:"gated,omitempty"`
	// IfNeedsCells: a deferred job whose `if` can only be decided for each of its cells.
	IfNeedsCells bool `json:"if_needs_cells,omitempty"`
	// Retry is what the workflow file asks for.
	Retry *ci.Retry `json:"retry,omitempty"`
	// ByFailFast: a passed-through cell that was cancelled because another one had failed.
	ByFailFast bool `json:"by_fail_fast,omitempty"`
}

// specs are the jobs as the schedule takes them.
func (p RunPlan) specs() []ci.JobSpec {
	needs := make([][]string, len(p.Keys))
	for i, k := range p.Keys {
		for _, n := range k.Needs {
			needs[i] = append(needs[i], p.Keys[n].Key)
		}
	}
	specs := make([]ci.JobSpec, len(p.Jobs))
	for i, j := range p.Jobs {
		k := p.Keys[j.Key]
		specs[i] = ci.JobSpec{
			ID: j.ID, Key: k.Key, Needs: needs[j.Key], HasIf: j.HasIf, Soft: j.Soft, Status: j.Status,
			FailFast: k.FailFast, MaxParallel: k.MaxParallel, Parent: j.Parent, Kind: j.Kind, Started: j.Started,
			ByFailFast: j.ByFailFast,
		}
	}
	return specs
}

// maxReason bounds what is said of why a job ended, in bytes.
const maxReason = 1 << 10

// ShortReason cuts a reason to 1 KiB, so that histories stay small.
func ShortReason(s string) string {
	if len(s) <= maxReason {
		return s
	}
	return strings.ToValidUTF8(s[:maxReason], "") + "..."
}

// IfQuery asks whether a job whose needs are done shall run.
type IfQuery struct {
	JobID int64 `json:"job_id"`
	// Needs holds the result of each direct need.
	Needs []ci.Need `json:"needs,omitempty"`
	// Facts are what the status functions answer.
	Facts ci.Facts `json:"facts"`
}

// IfQueries is the input of EvaluateIfs.
type IfQueries struct {
	RunInput
	Queries []IfQuery `json:"queries"`
}

// IfAnswer says what became of a job's `if`; with an Error the job fails.
type IfAnswer struct {
	JobID int64  `json:"job_id"`
	Run   bool   `json:"run"`
	Error string `json:"error,omitempty"`
	// Class says what kind of fault the Error is; empty means that the author has to mend it.
	Class ci.ErrorClass `json:"class,omitempty"`
}

// JobEnd is a job that is over.
type JobEnd struct {
	JobID  int64     `json:"job_id"`
	Status ci.Status `json:"status"`
	Reason string    `json:"reason,omitempty"`
	// Class says what kind of fault ended it.
	Class ci.ErrorClass `json:"class,omitempty"`
	// FailFast: it was cancelled because another cell of its matrix failed.
	FailFast bool `json:"fail_fast,omitempty"`
}

// Step is one move of a run, which RecordStep puts into the projection in one transaction.
type Step struct {
	RunInput
	// Ended are the jobs that ended since the last step.
	Ended []JobEnd `json:"ended,omitempty"`
	// Offered are the jobs that are ready: their first offers are made.
	Offered []int64 `json:"offered,omitempty"`
	// Held are jobs that were to run and wait for something else than a runner: they are blocked.
	Held []int64 `json:"held,omitempty"`
	// Begun says that the run has got its approval and its place in its concurrency group.
	Begun bool `json:"begun,omitempty"`
	// CancelSeen says that the workflow has heard of a cancel request.
	CancelSeen bool `json:"cancel_seen,omitempty"`
	// Release says that some of what ended may have been in a concurrency group.
	Release bool `json:"release,omitempty"`
	// Status is terminal in the last step, and else StatusUnknown; Reason says why the run ended so.
	Status ci.Status `json:"status,omitempty"`
	Reason string    `json:"reason,omitempty"`
	// Events are for the timeline.
	Events []TimelineEvent `json:"events,omitempty"`
}

// empty does not look at the events.
func (s Step) empty() bool {
	return len(s.Ended) == 0 && len(s.Offered) == 0 && len(s.Held) == 0 && !s.Begun && !s.CancelSeen && s.Status == ci.StatusUnknown
}

// TimelineEvent is one thing that the workflow decided or heard of.
type TimelineEvent struct {
	// N counts the events of an attempt from 1.
	N  int       `json:"n"`
	At time.Time `json:"at"`
	// JobID is 0 for what concerns the run.
	JobID  int64  `json:"job_id,omitempty"`
	Event  string `json:"event"`
	Detail string `json:"detail,omitempty"`
}

// GateNews is the place of a run or job in its concurrency group.
type GateNews struct {
	// JobID is 0 for the run as a whole.
	JobID  int64     `json:"job_id,omitempty"`
	State  GateState `json:"state,omitempty"`
	Reason string    `json:"reason,omitempty"`
}

// GateState is how far a member of a concurrency group is (execution-semantics.md §6).
type GateState string

// The states of a member.
const (
	GatePending  GateState = "pending"
	GateHolding  GateState = "holding"
	GateLeaving  GateState = "leaving"  // it holds, and was told to stop
	GateReplaced GateState = "replaced" // a newer member has taken its place
	GateRefused  GateState = "refused"  // it cannot wait here
)

// RunNews is what the workflow of a run waits for, as it is now.
type RunNews struct {
	// ApprovedBy is the login of who let the run begin.
	Approved   bool   `json:"approved,omitempty"`
	ApprovedBy string `json:"approved_by,omitempty"`
	// Paused: no new job is given to a runner. PausedBy is the login of who asked for it.
	Paused   bool   `json:"paused,omitempty"`
	PausedBy string `json:"paused_by,omitempty"`
	// Gate is the run's own place.
	Gate GateNews `json:"gate,omitzero"`
	// Leaving are jobs that were told to stop by a newer member of their group.
	Leaving []GateNews `json:"leaving,omitempty"`
	// Ended are the ends of jobs of an earlier attempt which jobs of this one follow.
	Ended []JobEnd `json:"ended,omitempty"`
}

// Admission says what a job that is to run still waits for. With neither a hold nor an end it may go.
type Admission struct {
	JobID int64 `json:"job_id"`
	// Hold is a reason to wait in words, such as that a reviewer has to approve.
	Hold string `json:"hold,omitempty"`
	// WaitUntil is set when the passing of time is part of what is waited for.
	WaitUntil time.Time `json:"wait_until,omitzero"`
	// Status is terminal when the job ends instead, for the Reason.
	Status ci.Status     `json:"status,omitempty"`
	Reason string        `json:"reason,omitempty"`
	Class  ci.ErrorClass `json:"class,omitempty"` // as of IfAnswer
	// InGate: the job has entered a concurrency group.
	InGate bool `json:"in_gate,omitempty"`
}

// Expansion is what became of a deferred job or a caller: its cells or children, or why there are none.
type Expansion struct {
	JobID int64         `json:"job_id"`
	Error string        `json:"error,omitempty"`
	Class ci.ErrorClass `json:"class,omitempty"` // as of IfAnswer
	// Plan holds the new jobs.
	Plan RunPlan `json:"plan,omitzero"`
}

// CallEnd is a caller whose children have all ended.
type CallEnd struct {
	JobID  int64     `json:"job_id"`
	Status ci.Status `json:"status"`
}

// CallEnds is the input of ConcludeCalls.
type CallEnds struct {
	RunInput
	Calls []CallEnd `json:"calls"`
}

// CallAnswer says what became of a caller's outputs; with an Error the caller fails.
type CallAnswer struct {
	JobID int64         `json:"job_id"`
	Error string        `json:"error,omitempty"`
	Class ci.ErrorClass `json:"class,omitempty"` // as of IfAnswer
}

// JobInput starts the workflow of a job.
type JobInput struct {
	JobID int64 `json:"job_id"`
	// TimeoutMinutes bounds each task of the job, from the claim by a runner.
	TimeoutMinutes int `json:"timeout_minutes"`
	// Settings are the operator's, frozen when the job starts.
	Settings JobSettings `json:"settings"`
	// Retry is what the workflow file asks for.
	Retry *ci.Retry `json:"retry,omitempty"`
	// Version is that of the run.
	Version int `json:"version,omitempty"`
}

// JobSettings are the operator's limits for jobs.
type JobSettings struct {
	// QueueTimeout bounds the wait for a runner.
	QueueTimeout time.Duration `json:"queue_timeout"`
	// LostAfter is how long a runner may be silent before its task is given up.
	LostAfter time.Duration `json:"lost_after"`
	// CancelGrace is how long a runner that can finish its post steps may take after a cancel.
	CancelGrace time.Duration `json:"cancel_grace"`
	// MaxTries bounds how often runners may be given a job and be lost.
	MaxTries int `json:"max_tries"`
}

// JobResult is how a job ended.
type JobResult struct {
	Status ci.Status     `json:"status"`
	Reason string        `json:"reason,omitempty"`
	Class  ci.ErrorClass `json:"class,omitempty"`
}

// TaskRef names a task by its job.
type TaskRef struct {
	JobID int64 `json:"job_id"`
	// Try counts the offers of the job from 1.
	Try int `json:"try"`
	// TaskID is 0 while no runner has claimed the offer.
	TaskID int64 `json:"task_id,omitempty"`
}

// TaskState is what the rows say of an offer and its task.
type TaskState struct {
	// Phase tells whether the offer waits, a runner works on it, or all is over.
	Phase TaskPhase `json:"phase"`
	// TaskID is 0 when no runner has claimed the offer.
	TaskID int64 `json:"task_id,omitempty"`
	// Running is for how long a runner has had the task.
	Running time.Duration `json:"running,omitempty"`
	// Confirmed says that the runner has reported on the task, so that it did reach it.
	Confirmed bool `json:"confirmed,omitempty"`
	// Held: the offer is kept from runners, because its run or repository is paused.
	Held bool `json:"held,omitempty"`
	// Waited is for how long a queued offer has been one. A pause does not count: after it the wait begins anew.
	Waited time.Duration `json:"waited,omitempty"`
	// End is set in PhaseEnded.
	End TaskEnd `json:"end,omitzero"`
}

// TaskPhase is the part of its life in which an offer is.
type TaskPhase string

// The phases of an offer, in order.
const (
	PhaseQueued     TaskPhase = "queued"
	PhaseRunning    TaskPhase = "running"
	PhaseCancelling TaskPhase = "cancelling"
	PhaseEnded      TaskPhase = "ended"
)

// TaskEnd is how a task ended. It is also the result of the SuperviseTask activity, which the gateway completes.
type TaskEnd struct {
	TaskID int64 `json:"task_id"`
	// Status is a final db.TaskStatus in words; EndLost and EndWithdrawn are the ones that no job may end with.
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
	// Cause says more of an end: one of db's causes of a lost task, or CauseTimeout.
	Cause string `json:"cause,omitempty"`
}

// Causes of ends that the workflow tells apart.
const (
	CauseTimeout     = "timeout"     // the job's time was over
	CauseUnconfirmed = "unconfirmed" // no runner ever reported on the task
)

// Ends of a task that are no status of a job.
const (
	// EndLost means that the runner is gone: the job is offered again.
	EndLost = "lost"
	// EndWithdrawn means that the offer was taken back before a runner claimed it.
	EndWithdrawn = "withdrawn"
)

// EndTask is the input of the activity of this name: it ends an offer or its task from the server's side.
type EndTask struct {
	TaskRef
	Reason string `json:"reason"`
	// Force ends the task now; otherwise a runner that can is given time to finish its post steps.
	Force bool `json:"force,omitempty"`
	// OnlyQueued takes an offer back that has been queued for as long as Waited, and leaves a task alone that a runner
	// has.
	OnlyQueued bool          `json:"only_queued,omitempty"`
	Waited     time.Duration `json:"waited,omitempty"`
}

// CheckTask is the input of the activity of this name: it decides whether a silent runner is lost.
type CheckTask struct {
	TaskRef
	LostAfter time.Duration `json:"lost_after"`
}

// OfferAgain is the input of the activity of this name: it makes offer number Try of a job.
type OfferAgain struct {
	TaskRef
	// Reason says why the last try did not count, Cause the same in a word.
	Reason string `json:"reason"`
	Cause  string `json:"cause,omitempty"`
	// NotBefore keeps the offer from runners; a second call without it lets it go.
	NotBefore time.Time `json:"not_before,omitzero"`
}
