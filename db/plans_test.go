package db_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbseed"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

// plannedRuns is enough that no table that matters is so short that reading all of it would be right.
const plannedRuns = 8000

// recorder keeps what a DB asks.
type recorder struct{ queries []string }

func (r *recorder) BeforeQuery(ctx context.Context, e *bun.QueryEvent) context.Context {
	r.queries = append(r.queries, e.Query)
	return ctx
}

func (*recorder) AfterQuery(context.Context, *bun.QueryEvent) {}

// TraceQueryStart sees what does not go through bun.
func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.queries = append(r.queries, data.SQL)
	return ctx
}

func (*recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (*recorder) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

// TraceBatchQuery is TraceQueryStart for each statement of a batch.
func (r *recorder) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	r.queries = append(r.queries, data.SQL)
}

func (*recorder) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// listenTo returns a DB for the same database that tells r all that it is asked, one thing at a time.
func (r *recorder) listenTo(t *testing.T, d *db.DB) *db.DB {
	t.Helper()
	config := d.Pool.Config()
	config.ConnConfig.Tracer, config.MaxConns = r, 1
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return &db.DB{DB: d.WithQueryHook(r), Pool: pool}
}

// plan is a node of what EXPLAIN says.
type plan struct {
	NodeType  string `json:"Node Type"`
	Relation  string `json:"Relation Name"`
	Index     string `json:"Index Name"`
	Condition string `json:"Index Cond"`
	Plans     []plan `json:"Plans"`
}

// explain plans a statement; one that is prepared must be right whatever it is given.
func explain(t *testing.T, d *db.DB, query string) plan {
	t.Helper()
	c, err := d.Pool.Acquire(t.Context())
	require.NoError(t, err)
	defer c.Release()
	if n := parameters(query); n > 0 {
		_, err = c.Exec(t.Context(), "SET plan_cache_mode = force_generic_plan")
		require.NoError(t, err)
		_, err = c.Exec(t.Context(), "PREPARE planned AS "+query)
		require.NoError(t, err, query)
		defer func() {
			_, err := c.Exec(t.Context(), "DEALLOCATE planned; RESET plan_cache_mode")
			require.NoError(t, err)
		}()
		query = "EXECUTE planned (" + strings.TrimSuffix(strings.Repeat("NULL, ", n), ", ") + ")"
	}
	var text string
	require.NoError(t, c.QueryRow(t.Context(), "EXPLAIN (FORMAT JSON) "+query, pgx.QueryExecModeSimpleProtocol).Scan(&text))
	var out []struct{ Plan plan }
	require.NoError(t, json.Unmarshal([]byte(text), &out))
	return out[0].Plan
}

// parameters is the highest of $1, $2, … in a statement.
func parameters(query string) int {
	n := 0
	for strings.Contains(query, fmt.Sprintf("$%d", n+1)) {
		n++
	}
	return n
}

// longTables grow with the age of an installation.
var longTables = map[string]bool{
	"runs": true, "attempts": true, "jobs": true, "tasks": true, "timeline": true, "hook_deliveries": true, "commit_statuses": true,
}

// faults names the nodes that read a long table as a whole. Only the list of everything may go through an index without
// a condition, because it stops after a page.
func (p plan) faults(everything bool) []string {
	var out []string
	switch {
	case longTables[p.Relation] && strings.HasSuffix(p.NodeType, "Seq Scan"):
		out = append(out, p.NodeType+" on "+p.Relation)
	case p.Index != "" && p.Condition == "" && !everything && p.inLongTable():
		out = append(out, p.NodeType+" of the whole of "+p.Index)
	}
	for _, child := range p.Plans {
		out = append(out, child.faults(everything)...)
	}
	return out
}

// inLongTable goes by the name of the index where the node does not name the table. An index that holds a part of the table
// only is a condition by itself.
func (p plan) inLongTable() bool {
	for table := range longTables {
		if strings.HasPrefix(p.Index, table+"_") {
			return p.Index != "runs_source"
		}
	}
	return false
}

// Every statement of every list, with any filters, finds what it needs by an index. The planner decides on real
// statistics, with nothing forbidden to it.
func TestPlansOfLists(t *testing.T) {
	d := dbtest.Open(t)
	require.NoError(t, dbseed.Fill(t.Context(), d.Pool, plannedRuns, func(string) {}))
	var busy, quiet, person db.Owner
	var large, small db.Repository
	var latest db.Job
	for query, model := range map[string]any{
		"SELECT r.* FROM repositories r WHERE run_counter > 0 ORDER BY run_counter DESC LIMIT 1":                       &large,
		"SELECT r.* FROM repositories r WHERE run_counter > 0 ORDER BY run_counter, id LIMIT 1":                        &small,
		"SELECT o.* FROM owners o WHERE lower_login = 'seed-org-1'":                                                    &busy,
		"SELECT o.* FROM owners o WHERE lower_login = 'seed-org-20'":                                                   &quiet,
		"SELECT o.* FROM owners o JOIN runs r ON r.actor_id = o.id GROUP BY o.id ORDER BY count(*), o.id DESC LIMIT 1": &person,
		"SELECT * FROM jobs WHERE task_id IS NOT NULL ORDER BY id DESC LIMIT 1":                                        &latest,
	} {
		require.NoError(t, d.NewRaw(query).Scan(t.Context(), model))
	}
	asked := &recorder{}
	watched := asked.listenTo(t, d)

	check := func(name string, everything bool, list func() error) {
		t.Helper()
		asked.queries = nil
		require.NoError(t, list(), name)
		require.NotEmpty(t, asked.queries)
		for _, query := range asked.queries {
			require.Empty(t, explain(t, d, query).faults(everything), "%s: %s", name, query)
		}
	}
	pages := []db.Page{{Limit: 50}, {Offset: 1200, Limit: 50}, {Limit: 50, Keyset: true, After: 3000}}
	for _, scope := range []db.RunFilter{{}, {OwnerID: busy.ID}, {OwnerID: quiet.ID}, {RepoID: large.ID}, {RepoID: small.ID}} {
		for i, f := range combinations(scope, person.ID) {
			everything := i == 0 && scope.OwnerID == 0 && scope.RepoID == 0
			for _, f.Page = range pages {
				check(fmt.Sprintf("runs %+v", f), everything, func() error { _, _, err := watched.Runs(t.Context(), f); return err })
			}
		}
	}
	for _, f := range []db.JobFilter{{}, {OwnerID: busy.ID}, {OwnerID: quiet.ID}, {RepoID: large.ID}, {RepoID: small.ID}, {RunID: 77, Attempt: 1}} {
		everything := f.OwnerID == 0 && f.RepoID == 0 && f.RunID == 0
		for _, f.Statuses = range [][]ci.Status{nil, {ci.StatusRunning}, {ci.StatusSuccess, ci.StatusFailure, ci.StatusSkipped}} {
			for _, f.Page = range pages {
				check(fmt.Sprintf("jobs %+v", f), everything && len(f.Statuses) == 0, func() error { _, _, err := watched.Jobs(t.Context(), f); return err })
			}
		}
	}
	for _, page := range pages {
		check("tasks", false, func() error { _, _, err := watched.Tasks(t.Context(), large.ID, page); return err })
	}
	check("run", false, func() error { _, err := watched.Run(t.Context(), latest.RepoID, latest.RunID, 0); return err })
	check("job", false, func() error { _, err := watched.Job(t.Context(), latest.RepoID, latest.ID); return err })
	check("tasks of job", false, func() error { _, _, err := watched.JobTasks(t.Context(), &latest, db.Page{Limit: 50}); return err })
	check("workflow", false, func() error { _, err := watched.WorkflowRan(t.Context(), large.ID, "ci.yml", 0); return err })
	timeline := strings.ReplaceAll(db.TimelineEvents+"SELECT * FROM events", "$1", fmt.Sprint(latest.AttemptID))
	require.Empty(t, explain(t, d, timeline).faults(false), timeline)
}

// combinations are all ways to filter a scope.
func combinations(scope db.RunFilter, actor int64) []db.RunFilter {
	filters := []func(*db.RunFilter){
		func(f *db.RunFilter) { f.Statuses = []ci.Status{ci.StatusRunning} },
		func(f *db.RunFilter) {
			f.Statuses = append(f.Statuses, ci.StatusSuccess, ci.StatusFailure, ci.StatusCancelled)
		},
		func(f *db.RunFilter) { f.Event = "schedule" },
		func(f *db.RunFilter) { f.Ref = "refs/heads/main" },
		func(f *db.RunFilter) { f.ActorID = actor },
		func(f *db.RunFilter) { f.SHA = strings.Repeat("a1", 20) },
	}
	if scope.RepoID != 0 {
		filters = append(filters, func(f *db.RunFilter) { f.WorkflowFile = "ci.yml"; f.SourceRepoID = new(int64) })
	}
	out := make([]db.RunFilter, 0, 1<<len(filters))
	for set := range 1 << len(filters) {
		f := scope
		for i, apply := range filters {
			if set&(1<<i) != 0 {
				apply(&f)
			}
		}
		out = append(out, f)
	}
	return out
}

// What grows with the messages of webhooks and the reports of commits is found by an index too.
func TestPlansOfListsBesideRuns(t *testing.T) {
	d := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	repo := dbtest.Repository(t, d, owner)
	for _, query := range []string{
		fmt.Sprintf(`INSERT INTO hooks (repo_id, type, url, content_type, events, branch_filter, is_active)
			SELECT %d, 'gitea', 'https://x.example/' || i, 'json', '{}', '*', true FROM generate_series(1, 100) i`, repo.ID),
		`INSERT INTO hook_deliveries (hook_id, event, payload, state)
			SELECT h.id, 'workflow_run', repeat('x', 500), 'delivered' FROM generate_series(1, 200) i, hooks h`,
		fmt.Sprintf(`INSERT INTO commit_statuses (repo_id, sha, context, state, creator_id)
			SELECT %d, md5((i / 10)::text) || '00000000', 'ci/' || i %% 10, 'success', %d FROM generate_series(1, 20000) i`, repo.ID, owner.ID),
		`ANALYZE hooks, hook_deliveries, commit_statuses`,
	} {
		_, err := d.Pool.Exec(t.Context(), query)
		require.NoError(t, err)
	}
	var hook int64
	require.NoError(t, d.Pool.QueryRow(t.Context(), `SELECT max(id) FROM hooks`).Scan(&hook))
	asked := &recorder{}
	d.DB = d.WithQueryHook(asked)
	for _, page := range []db.Page{{Limit: 50}, {Offset: 100, Limit: 50}} {
		_, n, err := d.Deliveries(t.Context(), hook, page)
		require.NoError(t, err)
		require.Equal(t, 200, n)
	}
	for _, f := range []db.CommitStatusFilter{{}, {Latest: true}, {State: db.CommitSuccess}, {Ascending: true}} {
		f.RepoID, f.SHA, f.Page = repo.ID, "c4ca4238a0b923820dcc509a6f75849b00000000", db.Page{Limit: 5}
		_, n, err := d.CommitStatuses(t.Context(), f)
		require.NoError(t, err)
		require.Equal(t, 10, n)
	}
	require.Len(t, asked.queries, 12)
	for _, query := range asked.queries {
		require.Empty(t, explain(t, d, query).faults(false), query)
	}
}

// Where a search for the end of a list could go through others, the count tells that there is nothing to be found.
func TestEmptyListsAreNotSearched(t *testing.T) {
	f := newFixture(t)
	f.run(t, job("a"))
	asked := &recorder{}
	watched := asked.listenTo(t, f.DB)
	source := int64(77)
	for name, filter := range map[string]db.RunFilter{
		"source":           {SourceRepoID: &source},
		"status and event": {Statuses: []ci.Status{ci.StatusFailure}, Event: "schedule"},
	} {
		filter.RepoID, filter.Page = f.repo.ID, db.Page{Limit: 50}
		asked.queries = nil
		_, l, err := watched.Runs(t.Context(), filter)
		require.NoError(t, err)
		require.Zero(t, l.Total)
		require.Len(t, asked.queries, 1, name)
		require.NotContains(t, asked.queries[0], `"runs"`, name)
	}
}
