package db_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
)

func TestRunnerChangesNotifyGateways(t *testing.T) {
	d := dbtest.Open(t)
	r := newRunner(t, d, db.Scope{}, "linux")
	conn, err := d.Pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Exec(t.Context(), "LISTEN "+db.RunnersChannel)
	require.NoError(t, err)

	changes := map[string]func() error{
		"declared": func() error {
			got, err := d.DeclareRunner(t.Context(), r.ID, db.Declaration{Version: "v2", Labels: []string{"x"}, Capabilities: []string{"cancelling"}})
			require.Equal(t, []string{"x"}, got.Labels)
			require.Equal(t, r.TokenHash, got.TokenHash)
			require.True(t, got.Can("cancelling"))
			return err
		},
		"disabled": func() error { return d.SetRunnerDisabled(t.Context(), r.ID, true) },
	}
	for name, change := range changes {
		require.NoError(t, change(), name)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		note, err := conn.Conn().WaitForNotification(ctx)
		cancel()
		require.NoError(t, err, name)
		require.Equal(t, r.UUID.String(), note.Payload)
	}

	require.NoError(t, d.RemoveRunner(t.Context(), r.ID))
	require.ErrorIs(t, d.RemoveRunner(t.Context(), r.ID), db.ErrNotFound)
	require.ErrorIs(t, d.SetRunnerDisabled(t.Context(), r.ID, false), db.ErrNotFound)
	_, err = d.DeclareRunner(t.Context(), r.ID, db.Declaration{})
	require.ErrorIs(t, err, db.ErrNotFound)
	got, err := d.RunnerByUUID(t.Context(), r.UUID)
	require.NoError(t, err)
	require.False(t, got.RemovedAt.IsZero())
	_, err = d.RunnerByUUID(t.Context(), uuid.New())
	require.ErrorIs(t, err, db.ErrNotFound)
}

func TestRunnersList(t *testing.T) {
	d := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	repo := dbtest.Repository(t, d, owner)
	global, owned, local := newRunner(t, d, db.Scope{}, "a"), newRunner(t, d, db.Scope{OwnerID: owner.ID}), newRunner(t, d, db.Scope{RepoID: repo.ID})
	gone := newRunner(t, d, db.Scope{})
	require.NoError(t, d.RemoveRunner(t.Context(), gone.ID))
	require.NoError(t, d.SetRunnerDisabled(t.Context(), owned.ID, true))
	_, err := d.Exec("UPDATE runners SET last_online_at = now() - interval '1 hour' WHERE id = ?", local.ID)
	require.NoError(t, err)
	offeredJob(t, d, repo, "a")
	mustClaim(t, d, global)
	require.NoError(t, d.TouchRunners(t.Context(), []db.RunnerSeen{{ID: global.ID, Active: true}}))

	ids := func(f db.RunnerFilter) (ids []int64, total int) {
		list, total, err := d.Runners(t.Context(), f)
		require.NoError(t, err)
		for _, r := range list {
			ids = append(ids, r.ID)
			require.Equal(t, r.ID == global.ID, r.IsBusy)
			require.Equal(t, r.ID != local.ID, r.IsOnline)
			require.Equal(t, r.ID == global.ID, !r.LastActiveAt.IsZero())
		}
		return ids, total
	}
	all, total := ids(db.RunnerFilter{})
	require.Equal(t, []int64{global.ID, owned.ID, local.ID}, all, "last online first")
	require.Equal(t, 3, total)
	page, total := ids(db.RunnerFilter{Offset: 1, Limit: 1})
	require.Equal(t, []int64{owned.ID}, page)
	require.Equal(t, 3, total)
	scoped, _ := ids(db.RunnerFilter{Scope: &db.Scope{RepoID: repo.ID}})
	require.Equal(t, []int64{local.ID}, scoped)
	yes := true
	disabled, _ := ids(db.RunnerFilter{Disabled: &yes})
	require.Equal(t, []int64{owned.ID}, disabled)
	one, _ := ids(db.RunnerFilter{ID: local.ID})
	require.Equal(t, []int64{local.ID}, one)

	counts, err := d.CountRunners(t.Context())
	require.NoError(t, err)
	require.Equal(t, db.RunnerCounts{Busy: 1, Offline: 1, Disabled: 1}, counts)
}

func TestScopeExists(t *testing.T) {
	d := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	repo := dbtest.Repository(t, d, owner)
	for scope, want := range map[db.Scope]bool{
		{}: true, {OwnerID: owner.ID}: true, {RepoID: repo.ID}: true, {OwnerID: 1 << 40}: false, {RepoID: 1 << 40}: false,
	} {
		got, err := d.ScopeExists(t.Context(), scope)
		require.NoError(t, err)
		require.Equal(t, want, got, "%+v", scope)
	}
}

func TestRegistrationTokens(t *testing.T) {
	d := dbtest.Open(t)
	scope := db.Scope{RepoID: 7}
	made := func(text string) db.FreshSeal {
		return db.FreshSeal{Hash: []byte(text), Sealed: []byte(text)}
	}
	active := func(fresh string) string {
		got, err := d.ActiveRegistrationToken(t.Context(), scope, made(fresh))
		require.NoError(t, err)
		return string(got.Sealed)
	}
	var wg sync.WaitGroup
	got := make([]string, 8)
	for i := range got {
		wg.Go(func() { got[i] = active(fmt.Sprint(i)) })
	}
	wg.Wait()
	for _, token := range got {
		require.Equal(t, got[0], token, "one active token per scope")
	}
	require.Equal(t, got[0], active("late"))

	require.NoError(t, d.ResetRegistrationToken(t.Context(), scope, made("reset")))
	require.Equal(t, "reset", active("later"))
	old, err := d.RegistrationToken(t.Context(), []byte(got[0]))
	require.NoError(t, err)
	require.False(t, old.IsActive)
	require.EqualValues(t, 7, old.RepoID)
	_, err = d.RegistrationToken(t.Context(), []byte("unknown"))
	require.ErrorIs(t, err, db.ErrNotFound)
}
