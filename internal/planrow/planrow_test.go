package planrow_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/planrow"
	"github.com/pawl-ci/pawl/internal/workflowfile"
)

func TestJob(t *testing.T) {
	retry := &ci.Retry{MaxAttempts: 3, OnFailure: true, Backoff: time.Second}
	for name, c := range map[string]struct {
		planned workflowfile.PlannedJob
		want    db.Job
	}{
		"a cell": {
			workflowfile.PlannedJob{
				Kind: ci.JobTask, Key: "a", Name: "a (1)", Needs: []string{"b"}, RunsOn: []string{"linux"}, If: "always()",
				IfAt: "ci.yml:3:9", IfMatrix: true, MatrixJSON: `{"go":1}`, Index: 1, Total: 2, FailFast: true, MaxParallel: 1,
				ContinueOnError: true, TimeoutMinutes: 5, StepNames: []string{"one"}, Payload: []byte("x"), Gated: true,
				Priority: 7, Retry: retry,
			},
			db.Job{
				Kind: ci.JobTask, Key: "a", Name: "a (1)", Needs: []string{"b"}, RunsOn: []string{"linux"}, IfExpr: "always()",
				IfAt: "ci.yml:3:9", IfMatrix: true, Matrix: []byte(`{"go":1}`), JobIndex: 1, JobTotal: 2, FailFast: true, MaxParallel: 1,
				ContinueOnError: true, TimeoutMinutes: 5, StepNames: []string{"one"}, Payload: []byte("x"), IsGated: true,
				Priority: 7, Retry: retry, Status: ci.StatusBlocked,
			},
		},
		"a caller has no steps, labels or payload": {
			workflowfile.PlannedJob{Kind: ci.JobCall, Key: "a", Name: "a", Uses: "./x.yml", Total: 1, FailFast: true},
			db.Job{
				Kind: ci.JobCall, Key: "a", Name: "a", Uses: "./x.yml", Needs: []string{}, RunsOn: []string{}, Matrix: []byte("{}"),
				JobTotal: 1, StepNames: []string{}, Payload: []byte{}, Status: ci.StatusWaiting,
			},
		},
		"a cell that waits for others of its matrix": {
			workflowfile.PlannedJob{Kind: ci.JobTask, Key: "a", Name: "a (3)", Index: 2, Total: 3, MaxParallel: 2},
			db.Job{
				Kind: ci.JobTask, Key: "a", Name: "a (3)", Needs: []string{}, RunsOn: []string{}, Matrix: []byte("{}"), StepNames: []string{},
				Payload: []byte{}, JobIndex: 2, JobTotal: 3, MaxParallel: 2, Status: ci.StatusBlocked,
			},
		},
		"what Postgres cannot hold": {
			workflowfile.PlannedJob{Key: "a", Name: "a\x00b\xff", RunsOn: []string{"l\x00"}, MatrixJSON: `{"a":"\u0000"}`},
			db.Job{
				Key: "a", Name: "ab\uFFFD", Needs: []string{}, RunsOn: []string{"l"}, Matrix: []byte(`{"a":"\ufffd"}`), StepNames: []string{},
				Payload: []byte{}, Status: ci.StatusWaiting,
			},
		},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, &c.want, planrow.Job(c.planned)) })
	}
}
