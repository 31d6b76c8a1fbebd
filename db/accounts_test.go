package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
)

func TestOwners(t *testing.T) {
	d, ctx := dbtest.Open(t), t.Context()
	anna := &db.Owner{Kind: db.KindUser, Login: "Anna", Email: "Anna@example.com", IsActive: true}
	require.NoError(t, d.CreateOwner(ctx, anna))
	require.NotZero(t, anna.ID)
	require.False(t, anna.CreatedAt.IsZero())
	require.ErrorIs(t, d.CreateOwner(ctx, &db.Owner{Kind: db.KindOrganization, Login: "aNNA"}), db.ErrConflict)

	got, err := d.OwnerByLogin(ctx, "ANNA")
	require.NoError(t, err)
	require.Equal(t, "Anna", got.Login)
	_, err = d.OwnerByLogin(ctx, "nobody")
	require.ErrorIs(t, err, db.ErrNotFound)
	got, err = d.OwnerByEmail(ctx, "anna@EXAMPLE.com")
	require.NoError(t, err)
	require.Equal(t, anna.ID, got.ID)
	require.NoError(t, d.CreateOwner(ctx, &db.Owner{Kind: db.KindUser, Login: "ben", Email: "anna@example.com"}))
	_, err = d.OwnerByEmail(ctx, "anna@example.com")
	require.ErrorIs(t, err, db.ErrNotFound, "an address of two says nothing")

	byID, err := d.OwnersByID(ctx, []int64{anna.ID, db.ActionsBotID, 999, anna.ID})
	require.NoError(t, err)
	require.Equal(t, "Anna", byID[anna.ID].Login)
	require.Equal(t, "gitea-actions", byID[db.ActionsBotID].Login)
	require.Equal(t, db.GhostID, byID[999].ID)
	bot, err := d.OwnerByID(ctx, db.ActionsBotID)
	require.NoError(t, err)
	require.Equal(t, db.ActionsBot(), bot)

	require.NoError(t, d.SetAdmin(ctx, anna.ID, true))
	require.NoError(t, d.SetPasswordHash(ctx, anna.ID, "hash"))
	require.NoError(t, d.SetActive(ctx, anna.ID, false))
	got, err = d.OwnerByID(ctx, anna.ID)
	require.NoError(t, err)
	require.True(t, got.IsAdmin)
	require.False(t, got.IsActive)
	require.Equal(t, "hash", got.PasswordHash)
	require.ErrorIs(t, d.SetAdmin(ctx, 999, true), db.ErrNotFound)
}

func TestAccessTokens(t *testing.T) {
	d, ctx := dbtest.Open(t), t.Context()
	owner := dbtest.Owner(t, d)
	token := &db.AccessToken{UserID: owner.ID, Name: "ci", TokenHash: []byte("h1"), LastEight: "12345678", Scopes: []string{"all"}}
	require.NoError(t, d.CreateAccessToken(ctx, token))
	require.ErrorIs(t, d.CreateAccessToken(ctx, &db.AccessToken{UserID: owner.ID, Name: "ci", TokenHash: []byte("h2"), Scopes: []string{"all"}}), db.ErrConflict)

	got, user, err := d.TokenOwner(ctx, []byte("h1"))
	require.NoError(t, err)
	require.Equal(t, []string{"all"}, got.Scopes)
	require.Equal(t, owner.ID, user.ID)
	require.Equal(t, owner.Login, user.Login)
	_, _, err = d.TokenOwner(ctx, []byte("other"))
	require.ErrorIs(t, err, db.ErrNotFound)

	lastUse := func() time.Time {
		list, n, err := d.AccessTokens(ctx, owner.ID, db.Page{Limit: 10})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		return list[0].LastUsedAt
	}
	first := lastUse()
	require.False(t, first.IsZero())
	_, _, err = d.TokenOwner(ctx, []byte("h1"))
	require.NoError(t, err)
	require.Equal(t, first, lastUse(), "polling does not write")

	require.ErrorIs(t, d.DeleteAccessToken(ctx, 999, token.ID, ""), db.ErrNotFound)
	require.NoError(t, d.DeleteAccessToken(ctx, owner.ID, 0, "ci"))
	require.ErrorIs(t, d.DeleteAccessToken(ctx, owner.ID, token.ID, ""), db.ErrNotFound)
}

func TestTaskTokenEndsWithItsTask(t *testing.T) {
	f := newFixture(t)
	j := job("a")
	f.run(t, j)
	f.offer(t, j)
	task := f.claim(t, j, f.runner(t))
	got, err := f.TaskByToken(t.Context(), task.TokenHash)
	require.NoError(t, err)
	require.Equal(t, db.TaskToken{TaskID: task.ID, RunID: j.RunID, RepoID: f.repo.ID}, got)
	_, err = f.NewUpdate().Model(task).Set("status = 'cancelling'").WherePK().Exec(t.Context())
	require.NoError(t, err)
	_, err = f.TaskByToken(t.Context(), task.TokenHash)
	require.NoError(t, err)
	_, err = f.NewUpdate().Model(task).Set("status = 'success'").Set("stopped_at = now()").WherePK().Exec(t.Context())
	require.NoError(t, err)
	_, err = f.TaskByToken(t.Context(), task.TokenHash)
	require.ErrorIs(t, err, db.ErrNotFound)
}

func TestMembers(t *testing.T) {
	d, ctx := dbtest.Open(t), t.Context()
	anna, ben := dbtest.Owner(t, d), dbtest.Owner(t, d)
	org := &db.Owner{Kind: db.KindOrganization, Login: "acme"}
	require.NoError(t, d.CreateOrganization(ctx, org, anna.ID))
	require.ErrorIs(t, d.CreateOrganization(ctx, &db.Owner{Kind: db.KindOrganization, Login: "ACME"}, anna.ID), db.ErrConflict)
	role, err := d.OrgRole(ctx, org.ID, anna.ID)
	require.NoError(t, err)
	require.Equal(t, db.RoleOwner, role)
	role, err = d.OrgRole(ctx, org.ID, ben.ID)
	require.NoError(t, err)
	require.Empty(t, role)

	require.ErrorIs(t, d.SetOrgMember(ctx, org.ID, anna.ID, db.RoleMember), db.ErrLastOwner)
	require.ErrorIs(t, d.RemoveOrgMember(ctx, org.ID, anna.ID), db.ErrLastOwner)
	require.NoError(t, d.SetOrgMember(ctx, org.ID, ben.ID, db.RoleMember))
	require.NoError(t, d.SetOrgMember(ctx, org.ID, ben.ID, db.RoleOwner))

	// Two owners who remove each other at once leave one.
	errs := make(chan error, 2)
	for _, id := range []int64{anna.ID, ben.ID} {
		go func() { errs <- d.RemoveOrgMember(ctx, org.ID, id) }()
	}
	require.ErrorIs(t, errors.Join(<-errs, <-errs), db.ErrLastOwner)
	members, n, err := d.OrgMembers(ctx, org.ID, db.Page{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Len(t, members, 1)
}

func TestCreateRepositoryIsWholeOrNot(t *testing.T) {
	d, ctx := dbtest.Open(t), t.Context()
	owner := dbtest.Owner(t, d)
	repo := func() *db.Repository {
		return &db.Repository{OwnerID: owner.ID, Name: "Demo", DefaultBranch: "main", Owner: owner}
	}
	failed := errors.New("no space")
	first := repo()
	require.ErrorIs(t, d.CreateRepository(ctx, first, func(context.Context) error { require.NotZero(t, first.ID); return failed }), failed)
	_, err := d.RepositoryByID(ctx, first.ID)
	require.ErrorIs(t, err, db.ErrNotFound)

	second := repo()
	require.NoError(t, d.CreateRepository(ctx, second, func(context.Context) error { return nil }))
	got, err := d.RepositoryByID(ctx, second.ID)
	require.NoError(t, err)
	require.Equal(t, owner.Login+"/Demo", got.FullName())
	require.ErrorIs(t, d.CreateRepository(ctx, repo(), func(context.Context) error { t.Error("made"); return nil }), db.ErrConflict)
}
