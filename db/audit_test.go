package db_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
)

func TestAuditLogPagesAndFilters(t *testing.T) {
	d := dbtest.Open(t)
	ctx := t.Context()
	add := func(e db.AuditEntry) db.AuditEntry {
		e.Credential = "token"
		require.NoError(t, d.AddAudit(ctx, &e))
		return e
	}
	first := add(db.AuditEntry{
		ActorID: 1, Actor: "Anna", ActingAs: "bert", CredentialID: 3, CredentialName: "ci", Action: "run.cancel", OwnerID: 5, Owner: "Acme",
		RepoID: 7, Repo: "Acme/Demo", Target: map[string]string{"run": "12"}, Address: "192.0.2.1", UserAgent: "curl", RequestID: "r-1",
		Result: db.AuditRefused, Status: 403, Error: "no",
	})
	second := add(db.AuditEntry{Actor: "bert", Action: "repo.create", Owner: "acme", OwnerID: 6, Result: db.AuditOK, Status: 201})
	third := add(db.AuditEntry{Actor: "bert", Action: "run.cancel", Repo: "acme/other", Owner: "acme", Result: db.AuditFailed, Status: 500})
	_, err := d.Pool.Exec(ctx, `INSERT INTO audit_log (at, credential, action, result) VALUES ($1, 'none', 'old', 'ok')`, first.At.Add(-time.Hour))
	require.NoError(t, err)

	ids := func(f db.AuditFilter) []int64 {
		if f.Limit == 0 {
			f.Limit = 10
		}
		entries, err := d.AuditLog(ctx, f)
		require.NoError(t, err)
		out := []int64{}
		for _, e := range entries {
			out = append(out, e.ID)
		}
		return out
	}
	all := ids(db.AuditFilter{})
	require.Equal(t, []int64{third.ID, second.ID, first.ID}, all[:3])
	for _, tt := range []struct {
		filter db.AuditFilter
		want   []int64
	}{
		{db.AuditFilter{Actor: "ANNA"}, []int64{first.ID}},
		{db.AuditFilter{Action: "run.cancel"}, []int64{third.ID, first.ID}},
		{db.AuditFilter{Owner: "ACME"}, []int64{third.ID, second.ID, first.ID}},
		{db.AuditFilter{Owner: "acme", OwnerID: 5}, []int64{first.ID}},
		{db.AuditFilter{Repo: "acme/demo"}, []int64{first.ID}},
		{db.AuditFilter{Repo: "acme/demo", RepoID: 8}, []int64{}},
		{db.AuditFilter{Result: db.AuditRefused}, []int64{first.ID}},
		{db.AuditFilter{Result: db.AuditFailed}, []int64{third.ID}},
		{db.AuditFilter{Since: second.At}, []int64{third.ID, second.ID}},
		{db.AuditFilter{Until: first.At}, all[3:]},
		{db.AuditFilter{After: db.AuditKey{At: second.At, ID: second.ID}, Limit: 1}, []int64{first.ID}},
		{db.AuditFilter{Actor: "'; DROP TABLE audit_log; --"}, []int64{}},
	} {
		require.Equal(t, tt.want, ids(tt.filter), "%+v", tt.filter)
	}
	entries, err := d.AuditLog(ctx, db.AuditFilter{Actor: "anna", Limit: 1})
	require.NoError(t, err)
	require.True(t, first.At.Equal(entries[0].At))
	entries[0].At = first.At
	require.Equal(t, first, entries[0])
}

func TestAuditLogIsAppendOnly(t *testing.T) {
	d := dbtest.Open(t)
	require.NoError(t, d.AddAudit(t.Context(), &db.AuditEntry{Credential: "none", Action: "x", Result: db.AuditOK}))
	for _, statement := range []string{
		`UPDATE audit_log SET actor = 'somebody else'`, `DELETE FROM audit_log`, `TRUNCATE audit_log`, `DELETE FROM audit_log WHERE false`,
	} {
		_, err := d.Pool.Exec(t.Context(), statement)
		require.ErrorContains(t, err, "append-only", statement)
	}
	n, err := d.SweepAudit(t.Context(), time.Hour, 10)
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = d.SweepAudit(t.Context(), 0, 10)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	_, err = d.Pool.Exec(t.Context(), `DELETE FROM audit_log`)
	require.ErrorContains(t, err, "append-only", "the permission ends with the sweep")
}

// Every filter of the list has an index that gives its order, so that a page costs the same however long the log is.
func TestAuditListsUseIndexes(t *testing.T) {
	d := dbtest.Open(t)
	ctx := t.Context()
	_, err := d.Pool.Exec(ctx, `INSERT INTO audit_log (at, credential, actor, action, owner, repo, result)
		SELECT now() - i * interval '1 second', 'token', 'user' || i % 100, 'action.' || i % 50, 'owner' || i % 70,
			'owner' || i % 70 || '/repo', CASE WHEN i % 20 = 0 THEN 'refused' ELSE 'ok' END FROM generate_series(1, 20000) i`)
	require.NoError(t, err)
	_, err = d.Pool.Exec(ctx, `ANALYZE audit_log`)
	require.NoError(t, err)
	key := db.AuditKey{At: time.Now().Add(-time.Hour), ID: 5}
	for name, f := range map[string]db.AuditFilter{
		"audit_log_at": {After: key}, "audit_log_actor": {Actor: "user1", After: key}, "audit_log_action": {Action: "action.1"},
		"audit_log_owner": {Owner: "owner3", Since: time.Now().Add(-2 * time.Hour)}, "audit_log_repo": {Repo: "owner3/repo", After: key},
		"audit_log_result": {Result: db.AuditRefused, After: key},
	} {
		f.Limit = 50
		query, args := db.AuditQuery(f)
		var plan json.RawMessage
		require.NoError(t, d.Pool.QueryRow(ctx, "EXPLAIN (FORMAT json) "+query, args...).Scan(&plan))
		require.Contains(t, string(plan), `"Index Name": "`+name+`"`, string(plan))
		require.NotContains(t, string(plan), `"Sort"`)
	}
}

func TestRunsByID(t *testing.T) {
	f := newFixture(t)
	one, _ := f.run(t, job("a"))
	two, _ := f.run(t, job("a"))
	other, _ := dbtest.Run(t, f.DB, dbtest.Repository(t, f.DB, f.owner), job("a"))
	views, err := f.RunsByID(t.Context(), f.repo.ID, []int64{two.ID, 1 << 60, other.ID, one.ID, two.ID})
	require.NoError(t, err)
	require.Len(t, views, 2)
	require.Equal(t, two.ID, views[0].Run.ID)
	require.Equal(t, one.ID, views[1].Run.ID)
	require.NotNil(t, views[0].Attempt)
	views, err = f.RunsByID(t.Context(), f.repo.ID, nil)
	require.NoError(t, err)
	require.Empty(t, views)
}

// BenchmarkAddAudit is what a call that changes something pays for its entry.
func BenchmarkAddAudit(b *testing.B) {
	d := dbtest.Open(b)
	for b.Loop() {
		require.NoError(b, d.AddAudit(b.Context(), &db.AuditEntry{
			ActorID: 1, Actor: "anna", Credential: "token", Action: "run.cancel", Owner: "anna", Repo: "anna/demo",
			Target: map[string]string{"run": "12"}, Address: "192.0.2.1", UserAgent: "curl", RequestID: "r", Result: db.AuditOK, Status: 202,
		}))
	}
}
