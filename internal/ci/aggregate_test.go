package ci

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func hard(list ...Status) []Outcome {
	out := make([]Outcome, len(list))
	for i, s := range list {
		out[i].Status = s
	}
	return out
}

var failedFast = Outcome{Status: StatusCancelled, FailFast: true}

var soft = Outcome{Status: StatusFailure, Soft: true}

// TestAggregate holds every row and example of execution-semantics.md §2.2.
func TestAggregate(t *testing.T) {
	for _, tc := range []struct {
		name string
		jobs []Outcome
		want Status
	}{
		{"row 1: all skipped", hard(StatusSkipped, StatusSkipped), StatusSkipped},
		{"row 2: success", hard(StatusSuccess, StatusSuccess), StatusSuccess},
		{"row 2: success and skipped", hard(StatusSuccess, StatusSkipped), StatusSuccess},
		{"row 2: soft alone", []Outcome{soft}, StatusSuccess},
		{"row 2: soft and success", append(hard(StatusSuccess), soft), StatusSuccess},
		{"row 3: cancelling first", hard(StatusRunning, StatusWaiting, StatusCancelling, StatusFailure), StatusCancelling},
		{"row 4: running", hard(StatusWaiting, StatusBlocked, StatusRunning, StatusCancelled), StatusRunning},
		{"row 5: waiting", hard(StatusBlocked, StatusWaiting, StatusCancelled, StatusFailure), StatusWaiting},
		{"row 6: blocked", hard(StatusCancelled, StatusFailure, StatusBlocked), StatusBlocked},
		{"row 7: cancelled", hard(StatusSuccess, StatusCancelled, StatusFailure), StatusCancelled},
		{"row 8: failure", hard(StatusSuccess, StatusSkipped, StatusFailure), StatusFailure},
		{"row 8: failure and soft", append(hard(StatusFailure), soft), StatusFailure},
		{"row 9: empty", nil, StatusUnknown},
		{"row 9: none of these", hard(StatusUnknown, StatusSuccess), StatusUnknown},
		{"row 9: no status at all", hard(Status(77)), StatusUnknown},
		{"example: success and waiting", hard(StatusSuccess, StatusWaiting), StatusWaiting},
		{"example: failure and blocked", hard(StatusFailure, StatusBlocked), StatusBlocked},
		{"example: failure and cancelled", hard(StatusFailure, StatusCancelled), StatusCancelled},
		{"example: soft and skipped", append(hard(StatusSkipped), soft), StatusSuccess},
		{"example: skipped and cancelled", hard(StatusSkipped, StatusCancelled), StatusCancelled},
		{"fail-fast: cancelled cells count as failed", append(hard(StatusSuccess, StatusFailure), failedFast), StatusFailure},
		{"fail-fast: a job that was cancelled for another reason", append(hard(StatusFailure, StatusCancelled), failedFast), StatusCancelled},
		{"fail-fast: others still run", append(hard(StatusFailure, StatusCancelling), failedFast), StatusCancelling},
		{"fail-fast: a soft cell", append(hard(StatusFailure), Outcome{Status: StatusCancelled, Soft: true, FailFast: true}), StatusFailure},
		{"fail-fast: a cell that succeeded all the same", []Outcome{{Status: StatusSuccess, FailFast: true}}, StatusSuccess},
		{"soft only softens a failure", []Outcome{{Status: StatusCancelled, Soft: true}}, StatusCancelled},
	} {
		t.Run(tc.name, func(t *testing.T) { require.Equal(t, tc.want, Aggregate(tc.jobs)) })
	}
}

func TestAggregateDoesNotDependOnOrderAndIsTerminalOnlyAtTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		jobs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Outcome {
			return Outcome{Status: Status(rapid.IntRange(1, 8).Draw(t, "status")), Soft: rapid.Bool().Draw(t, "soft"), FailFast: rapid.Bool().Draw(t, "failfast")}
		}), 1, 8).Draw(t, "jobs")
		got := Aggregate(jobs)
		require.Equal(t, got, Aggregate(rapid.Permutation(jobs).Draw(t, "shuffled")))
		allEnded := true
		for _, o := range jobs {
			allEnded = allEnded && o.Status.Terminal()
		}
		require.Equal(t, allEnded, got.Terminal(), "%v gives %s", jobs, got)
	})
}
