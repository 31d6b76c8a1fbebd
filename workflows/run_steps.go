package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pawl-ci/pawl/internal/ci"
)

// decide brings the schedule as far as it goes: every job whose needs are done is to run, skipped, failed or
// cancelled; what is to run is admitted, and callers and late matrices are expanded.
func (r *run) decide() error {
	if err := r.applyCancel(); err != nil {
		return err
	}
	for {
		decided, err := r.decideCandidates()
		if err != nil {
			return err
		}
		chosen := len(r.chosen) > 0
		if err := r.admit(); err != nil {
			return err
		}
		concluded, err := r.concludeCalls()
		if err != nil {
			return err
		}
		if !decided && !chosen && !concluded {
			return nil
		}
	}
}

// decideCandidates tells whether there were any.
func (r *run) decideCandidates() (decided bool, err error) {
	for cs := r.schedule.Candidates(); len(cs) > 0; cs = r.schedule.Candidates() {
		decided = true
		decisions, err := r.decisions(cs)
		if err != nil {
			return decided, err
		}
		var deferred []ci.Candidate
		for i, c := range cs {
			if c.Kind == ci.JobDeferred && decisions[i] == ci.DecisionRun {
				deferred = append(deferred, c)
				continue
			}
			if err := r.decideOne(c, decisions[i]); err != nil {
				return decided, err
			}
		}
		if err := r.expandDeferred(deferred); err != nil {
			return decided, err
		}
	}
	return decided, nil
}

func (r *run) decideOne(c ci.Candidate, d ci.Decision) error {
	if err := r.schedule.Decide(c.ID, d); err != nil {
		return fmt.Errorf("decide job %d: %w", c.ID, err)
	}
	switch d {
	case ci.DecisionRun:
		r.chosen = append(r.chosen, c)
	case ci.DecisionSkip:
		r.note("skipped", c.ID, skipDetail(c))
	}
	return nil
}

// skipDetail says why a job is skipped.
func skipDetail(c ci.Candidate) string {
	if c.HasIf {
		return "its `if` does not hold"
	}
	for _, n := range c.Needs {
		if n.Result != ci.StatusSuccess {
			return fmt.Sprintf("%s ended with %s", n.Key, n.Result)
		}
	}
	return ""
}

// decisions answers for each candidate, those with an `if` by one activity.
func (r *run) decisions(cs []ci.Candidate) ([]ci.Decision, error) {
	answers, err := r.evaluateIfs(cs)
	if err != nil {
		return nil, err
	}
	out := make([]ci.Decision, len(cs))
	for i, c := range cs {
		answer, evaluated := answers[c.ID]
		switch {
		case c.HasIf && r.jobs[c.ID].IfNeedsCells:
			out[i] = ci.DecisionRun // its cells are decided one by one
		case !evaluated:
			out[i] = ci.DefaultDecision(c)
		case answer.Error != "":
			out[i] = ci.DecisionFail
			r.endings[c.ID] = broken(answer.Error, answer.Class)
		default:
			out[i] = ci.DecisionForIf(c, answer.Run)
		}
	}
	return out, nil
}

func (r *run) evaluateIfs(cs []ci.Candidate) (map[int64]IfAnswer, error) {
	in := r.queries(cs, func(c ci.Candidate) bool { return c.HasIf && !r.jobs[c.ID].IfNeedsCells })
	if len(in.Queries) == 0 {
		return nil, nil
	}
	list, err := local[[]IfAnswer](r.ctx, ActivityEvaluateIfs, in)
	if err != nil {
		return nil, fmt.Errorf("evaluate if: %w", err)
	}
	answers := make(map[int64]IfAnswer, len(list))
	for _, a := range list {
		answers[a.JobID] = a
	}
	return answers, nil
}

// queries are what an activity needs to know of those candidates that are wanted; nil wants all.
func (r *run) queries(cs []ci.Candidate, wanted func(ci.Candidate) bool) IfQueries {
	in := IfQueries{RunInput: r.RunInput}
	for _, c := range cs {
		if wanted == nil || wanted(c) {
			in.Queries = append(in.Queries, IfQuery{JobID: c.ID, Needs: c.Needs, Facts: c.Facts})
		}
	}
	return in
}

// recordStep writes into the projection what changed, and makes the offers of the jobs that are ready. All of it is
// one transaction.
func (r *run) recordStep() error {
	step := Step{
		RunInput: r.RunInput, Offered: r.ready, Held: r.newlyHeld, CancelSeen: r.cancel.unseen, Release: r.inGates,
		Begun: r.beginning.blocked && r.beginning.over(),
	}
	for _, c := range r.schedule.TakeChanges() {
		if c.Status.Terminal() {
			step.Ended = append(step.Ended, r.jobEnd(c))
		}
	}
	for _, id := range r.ready {
		r.note("offered", id, "")
	}
	if r.schedule.Done() {
		step.Status, step.Reason = r.schedule.Status(), r.cancel.reason
		r.note("ended", 0, step.Status.String())
	}
	if step.empty() && !(r.Version >= VersionSemantics && r.timeline.unrecorded()) {
		return nil
	}
	step.Events = r.timeline.take()
	if _, err := local[struct{}](r.ctx, ActivityRecordStep, step); err != nil {
		return fmt.Errorf("record step: %w", err)
	}
	r.cancel.unseen, r.newlyHeld = false, nil
	r.beginning.blocked = r.beginning.blocked && !step.Begun
	return nil
}

func (r *run) jobEnd(c ci.Change) JobEnd {
	e := r.endings[c.ID]
	delete(r.endings, c.ID)
	if e.reason == "" && c.Status == ci.StatusCancelled && r.cancel.done {
		e.reason = r.cancelReason()
	}
	detail := c.Status.String()
	if e.reason != "" {
		detail += ": " + e.reason
	}
	r.note("ended", c.ID, detail)
	return JobEnd{JobID: c.ID, Status: c.Status, Reason: e.reason, Class: e.class, FailFast: r.schedule.FailFast(c.ID)}
}

// startChildren starts a Job workflow for each job that was offered.
func (r *run) startChildren() {
	ready := r.ready
	r.ready = nil
	for _, id := range ready {
		ctx, stop := workflow.WithCancel(r.ctx)
		r.stops[id] = stop
		ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
			WorkflowID:          JobWorkflowID(id),
			WorkflowTaskTimeout: WorkflowTaskTimeout,
			WaitForCancellation: true,
		})
		job := r.jobs[id]
		child := workflow.ExecuteChildWorkflow(ctx, JobWorkflowName, JobInput{
			JobID: id, TimeoutMinutes: job.TimeoutMinutes, Settings: r.settings.Job, Retry: job.Retry, Version: r.Version,
		})
		r.selector.AddFuture(child, func(f workflow.Future) { r.childEnded(id, f) })
	}
}

// childEnded takes in the end of a job's workflow. What the job was stopped for says more than that it was cancelled.
func (r *run) childEnded(id int64, f workflow.Future) {
	delete(r.stops, id)
	var end JobResult
	if err := f.Get(r.ctx, &end); err != nil {
		end = r.childFailed(id, err)
	}
	if end.Status != ci.StatusCancelled || r.endings[id].reason == "" {
		r.endings[id] = ending{reason: end.Reason, class: end.Class}
	}
	r.finish(id, end.Status)
}

// childFailed is for a job whose workflow was cancelled before it began, or ended from outside.
func (r *run) childFailed(id int64, err error) JobResult {
	r.abandoned = append(r.abandoned, id)
	if temporal.IsCanceledError(err) {
		return JobResult{Status: ci.StatusCancelled, Reason: "cancelled"}
	}
	workflow.GetLogger(r.ctx).Error("the workflow of a job failed", "job", id, "error", err)
	return JobResult{
		Status: ci.StatusFailure, Class: ci.ErrorUnknown,
		Reason: ShortReason("the workflow of the job failed; its history in Temporal says more: " + err.Error()),
	}
}

// endAbandoned ends the offers and tasks that no Job workflow stands by any more.
func (r *run) endAbandoned() {
	for _, id := range r.abandoned {
		end := EndTask{TaskRef: TaskRef{JobID: id}, Reason: "the workflow of the job ended", Force: true}
		if _, err := local[TaskState](r.ctx, ActivityEndTask, end); err != nil {
			workflow.GetLogger(r.ctx).Error("end abandoned task", "job", id, "error", err)
		}
	}
	r.abandoned = nil
}
