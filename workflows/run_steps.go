package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pawl-ci/pawl/internal/ci"
)

// decide brings the schedule as far as it goes: every job whose needs are done is to run, skipped, failed or
// cancelled.
func (r *run) decide() error {
	if err := r.applyCancel(); err != nil {
		return err
	}
	for cs := r.schedule.Candidates(); len(cs) > 0; cs = r.schedule.Candidates() {
		decisions, err := r.decisions(cs)
		if err != nil {
			return err
		}
		for i, c := range cs {
			if err := r.schedule.Decide(c.ID, decisions[i]); err != nil {
				return fmt.Errorf("decide job %d: %w", c.ID, err)
			}
			if decisions[i] == ci.DecisionRun {
				r.ready = append(r.ready, c.ID)
			}
		}
	}
	return nil
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
		case !evaluated:
			out[i] = ci.DefaultDecision(c)
		case answer.Error != "":
			out[i] = ci.DecisionFail
			r.reasons[c.ID] = ShortReason(answer.Error)
		default:
			out[i] = ci.DecisionForIf(c, answer.Run)
		}
	}
	return out, nil
}

func (r *run) evaluateIfs(cs []ci.Candidate) (map[int64]IfAnswer, error) {
	in := IfQueries{RunInput: r.RunInput}
	for _, c := range cs {
		if c.HasIf {
			in.Queries = append(in.Queries, IfQuery{JobID: c.ID, Needs: c.Needs, Facts: c.Facts})
		}
	}
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

// recordStep writes into the projection what changed, and makes the offers of the jobs that are ready. All of it is
// one transaction.
func (r *run) recordStep() error {
	step := Step{RunInput: r.RunInput, Offered: r.ready, CancelSeen: r.cancel.unseen}
	for _, c := range r.schedule.TakeChanges() {
		if c.Status.Terminal() {
			step.Ended = append(step.Ended, JobEnd{JobID: c.ID, Status: c.Status, Reason: r.reasons[c.ID]})
			delete(r.reasons, c.ID)
		}
	}
	if r.schedule.Done() {
		step.Status = r.schedule.Status()
	}
	if step.empty() {
		return nil
	}
	if _, err := local[struct{}](r.ctx, ActivityRecordStep, step); err != nil {
		return fmt.Errorf("record step: %w", err)
	}
	r.cancel.unseen = false
	return nil
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
		child := workflow.ExecuteChildWorkflow(ctx, JobWorkflowName, JobInput{
			JobID: id, TimeoutMinutes: r.jobs[id].TimeoutMinutes, Settings: r.settings.Job,
		})
		r.selector.AddFuture(child, func(f workflow.Future) { r.childEnded(id, f) })
	}
}

// childEnded takes the end of a job into the schedule, and stops the cells of its matrix that fail-fast ends.
func (r *run) childEnded(id int64, f workflow.Future) {
	delete(r.stops, id)
	var end JobResult
	if err := f.Get(r.ctx, &end); err != nil {
		end = r.childFailed(id, err)
	}
	r.reasons[id] = end.Reason
	stop, err := r.schedule.Finish(id, end.Status)
	if err != nil {
		workflow.GetLogger(r.ctx).Error("finish job", "job", id, "error", err)
		return
	}
	for _, sibling := range stop {
		r.stop(sibling)
	}
}

// childFailed is for a job whose workflow was cancelled before it began, or ended from outside.
func (r *run) childFailed(id int64, err error) JobResult {
	r.abandoned = append(r.abandoned, id)
	if temporal.IsCanceledError(err) {
		return JobResult{Status: ci.StatusCancelled, Reason: "cancelled"}
	}
	workflow.GetLogger(r.ctx).Error("the workflow of a job failed", "job", id, "error", err)
	return JobResult{Status: ci.StatusFailure, Reason: "the workflow of the job failed; its history in Temporal says why"}
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

func (r *run) stop(id int64) {
	if stop, open := r.stops[id]; open {
		stop()
	}
}
