// Package planrow turns the jobs that a workflow file was expanded into into rows. Runs are planned in two places: when
// they are created, and, for what depends on outputs, while they run.
package planrow

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/workflowfile"
)

// Job is the row of a planned job. It lacks what the job belongs to: run, attempt, caller, origin and file.
func Job(p workflowfile.PlannedJob) *db.Job {
	j := &db.Job{
		Kind: p.Kind, Key: p.Key, Name: Text(p.Name), Needs: texts(p.Needs), RunsOn: texts(p.RunsOn),
		IfExpr: Text(p.If), IfAt: Text(p.IfAt), IfMatrix: p.IfMatrix, Matrix: matrix(p), JobIndex: p.Index, JobTotal: p.Total,
		FailFast: p.FailFast && p.Total > 1, MaxParallel: p.MaxParallel, ContinueOnError: p.ContinueOnError,
		TimeoutMinutes: p.TimeoutMinutes, StepNames: texts(p.StepNames), Payload: payload(p),
		Uses: Text(p.Uses), IsGated: p.Gated, Priority: p.Priority, Retry: p.Retry,
	}
	j.Status = j.InitialStatus()
	return j
}

func matrix(p workflowfile.PlannedJob) json.RawMessage {
	if p.MatrixJSON == "" {
		return json.RawMessage("{}")
	}
	return JSON(json.RawMessage(p.MatrixJSON))
}

// payload is never nil, which would be NULL.
func payload(p workflowfile.PlannedJob) []byte {
	if p.Payload == nil {
		return []byte{}
	}
	return p.Payload
}

// JSON removes the one character that jsonb refuses.
func JSON(raw json.RawMessage) json.RawMessage {
	return bytes.ReplaceAll(raw, []byte(`\u0000`), []byte(`\ufffd`))
}

// Text removes what Postgres cannot hold as text.
func Text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// texts is never nil, which would be NULL.
func texts(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = Text(s)
	}
	return out
}
