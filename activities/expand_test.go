package activities_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/activities"
	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/workflows"
)

// expand expands a caller, and returns its children by key.
func (s stored) expand(t *testing.T, j *db.Job) map[string]*db.Job {
	t.Helper()
	out, err := s.ExpandJobs(t.Context(), s.query(j))
	require.NoError(t, err)
	require.Empty(t, out[0].Error)
	var children []*db.Job
	require.NoError(t, s.db.NewSelect().Model(&children).Where("parent_id = ?", j.ID).Scan(t.Context()))
	byKey := map[string]*db.Job{}
	for _, c := range children {
		byKey[c.Key] = c
	}
	return byKey
}

// What a caller asks for in `priority` is that of the jobs that it calls, unless they ask for something else.
func TestChildrenHaveThePriorityOfTheirCaller(t *testing.T) {
	a, d, _ := newActivities(t)
	repo := dbtest.Repository(t, d, dbtest.Owner(t, d))
	s := store(t, a, d, repo, caller("priority: 7"), map[string]string{"deploy.yml": `on: workflow_call
jobs:
  plain: {runs-on: x, steps: [{run: x}]}
  own: {priority: -3, runs-on: x, steps: [{run: x}]}
  late: {needs: plain, strategy: {matrix: {a: "${{ fromJSON(needs.plain.outputs.list || '[1]') }}"}}, runs-on: x, steps: [{run: x}]}
`})
	children := s.expand(t, s.jobs[0])
	require.Equal(t, []int{7, -3}, []int{children["plain"].Priority, children["own"].Priority})
	late := children["late"]
	out, err := s.ExpandJobs(t.Context(), s.query(late))
	require.NoError(t, err)
	require.Empty(t, out[0].Error)
	cell := db.Job{ID: out[0].Plan.Jobs[0].ID}
	require.NoError(t, d.NewSelect().Model(&cell).WherePK().Scan(t.Context()))
	require.Equal(t, []any{late.ID, 7}, []any{cell.OriginID, cell.Priority})
}

// The server decides by the same event that runners see (execution-semantics.md §10).
func TestTheEventOfACalledWorkflow(t *testing.T) {
	const lib = `on: {workflow_call: {inputs: {who: {type: string}}}}
concurrency: ${{ github.event_name }}-${{ github.event.inputs.who }}
jobs:
  a: {if: github.event_name == 'workflow_call' && github.event.inputs.who == 'ann', name: "for ${{ github.event_name }}", runs-on: x, steps: [{run: x}]}
`
	for event, c := range map[string]struct {
		group, name string
		runs        bool
	}{
		ci.CallEventCaller: {"push-", "for push", false}, ci.CallEventOwn: {"workflow_call-ann", "for workflow_call", true},
	} {
		t.Run(event, func(t *testing.T) {
			d := dbtest.Open(t)
			a, err := activities.New(d, nobody{}, activities.NewMetrics(prometheus.NewRegistry()), activities.Options{
				Logger: slog.New(slog.DiscardHandler), CallEventName: event,
			})
			require.NoError(t, err)
			s := store(t, a, d, dbtest.Repository(t, d, dbtest.Owner(t, d)), caller("with: {who: ann}"), map[string]string{"deploy.yml": lib})
			require.Empty(t, s.admit(t, s.jobs[0]).Hold)
			require.Contains(t, s.gates(t), c.group)
			child := s.expand(t, s.jobs[0])["a"]
			require.Equal(t, c.name, child.Name)
			in := s.query(child)
			in.Queries[0].Facts = ci.Facts{Success: true}
			answers, err := s.EvaluateIfs(t.Context(), in)
			require.NoError(t, err)
			require.Equal(t, []workflows.IfAnswer{{JobID: child.ID, Run: c.runs}}, answers)
		})
	}
}

// One activity ends in time whatever the file asks for: what is decided in one go has one budget.
func TestDearExpressionsAreBoundedTogether(t *testing.T) {
	a, d, _ := newActivities(t)
	var source strings.Builder
	source.WriteString("on: push\njobs:\n")
	dear := "'[" + strings.Repeat("1,", 10_000) + "1]'"
	for i := range 500 {
		fmt.Fprintf(&source, "  j%d: {if: \"contains(fromJSON(format('{0}', %s)), 2) || true\", runs-on: x, steps: [{run: x}]}\n", i, "github.event.list")
	}
	s := store(t, a, d, dbtest.Repository(t, d, dbtest.Owner(t, d)), source.String(), nil)
	_, err := d.NewRaw("UPDATE runs SET event_payload = jsonb_build_object('list', ?::text) WHERE id = ?", dear[1:len(dear)-1], s.run.ID).Exec(t.Context())
	require.NoError(t, err)
	in := s.query(s.jobs...)
	for i := range in.Queries {
		in.Queries[i].Facts = ci.Facts{Success: true}
	}
	answers, err := s.EvaluateIfs(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, workflows.IfAnswer{JobID: s.jobs[0].ID, Run: true}, answers[0])
	last := answers[len(answers)-1]
	require.Contains(t, last.Error, "the expressions take too much work together")
	require.Contains(t, last.Error, "ci.yml:502:")
}
