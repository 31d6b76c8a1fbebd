package db_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
)

func TestAccess(t *testing.T) {
	owner := &db.Owner{ID: 1, Visibility: "public"}
	limited, private := &db.Owner{ID: 1, Visibility: "limited"}, &db.Owner{ID: 1, Visibility: "private"}
	open, closed := func(o *db.Owner) *db.Repository { return &db.Repository{OwnerID: 1, Owner: o} },
		&db.Repository{OwnerID: 1, Owner: owner, IsPrivate: true}
	some, admin := &db.Owner{ID: 2}, &db.Owner{ID: 3, IsAdmin: true}
	all := db.Access{Permission: db.PermissionAdmin, IsOwner: true}
	for _, tt := range []struct {
		name     string
		repo     *db.Repository
		user     *db.Owner
		standing db.Standing
		want     db.Access
	}{
		{"anonymous, public", open(owner), nil, db.Standing{}, db.Access{Permission: "read"}},
		{"anonymous, limited", open(limited), nil, db.Standing{}, db.Access{}},
		{"anonymous, private owner", open(private), nil, db.Standing{}, db.Access{}},
		{"anonymous, private", closed, nil, db.Standing{}, db.Access{}},
		{"stranger, limited", open(limited), some, db.Standing{}, db.Access{Permission: "read"}},
		{"stranger, private owner", open(private), some, db.Standing{}, db.Access{}},
		{"stranger, private", closed, some, db.Standing{}, db.Access{}},
		{"owner", closed, &db.Owner{ID: 1}, db.Standing{}, all},
		{"site admin", closed, admin, db.Standing{}, all},
		{"owner of organization", closed, some, db.Standing{Role: db.RoleOwner}, all},
		{"member", closed, some, db.Standing{Role: db.RoleMember}, db.Access{Permission: "read"}},
		{"member and collaborator", closed, some, db.Standing{Role: db.RoleMember, Collaborator: "write"}, db.Access{Permission: "write"}},
		{"collaborator", closed, some, db.Standing{Collaborator: "admin"}, db.Access{Permission: "admin"}},
		{"reader of a public one", open(owner), some, db.Standing{Collaborator: "read"}, db.Access{Permission: "read"}},
	} {
		require.Equal(t, tt.want, tt.repo.Access(tt.user, tt.standing), tt.name)
	}
	require.True(t, db.PermissionAdmin.Includes(db.PermissionWrite))
	require.False(t, db.PermissionRead.Includes(db.PermissionWrite))
	require.True(t, db.PermissionNone.Includes(db.PermissionNone))
}

// Lists over repositories show a user exactly those which the user may read one by one.
func TestListsFollowAccess(t *testing.T) {
	d, ctx := dbtest.Open(t), t.Context()
	viewer, admin := dbtest.Owner(t, d), dbtest.Owner(t, d)
	require.NoError(t, d.SetAdmin(ctx, admin.ID, true))
	admin.IsAdmin = true
	var repos []*db.Repository
	for _, visibility := range []string{"public", "limited", "private"} {
		for _, role := range []db.OrgRole{"", db.RoleMember, db.RoleOwner} {
			org := &db.Owner{Kind: db.KindOrganization, Login: fmt.Sprintf("%s-%s", visibility, "x"+role), Visibility: visibility}
			require.NoError(t, d.CreateOrganization(ctx, org, admin.ID))
			if role != "" {
				require.NoError(t, d.SetOrgMember(ctx, org.ID, viewer.ID, role))
			}
			for _, isPrivate := range []bool{false, true} {
				for _, shared := range []db.Permission{"", "read"} {
					r := dbtest.Repository(t, d, org)
					_, err := d.NewUpdate().Model(r).Set("is_private = ?", isPrivate).WherePK().Exec(ctx)
					require.NoError(t, err)
					if shared != "" {
						require.NoError(t, d.SetCollaborator(ctx, r.ID, viewer.ID, shared))
					}
					repos = append(repos, r)
				}
			}
		}
	}
	for _, user := range []*db.Owner{viewer, admin} {
		listed := map[int64]bool{}
		views, n, err := d.Repositories(ctx, db.RepositoryFilter{Viewer: user, Page: db.Page{Limit: 100}})
		require.NoError(t, err)
		require.Len(t, views, n)
		for _, v := range views {
			listed[v.Repository.ID] = true
		}
		for _, r := range repos {
			found, standing, err := d.RepositoryFor(ctx, r.Owner.Login, r.Name, user.ID)
			require.NoError(t, err)
			readable := found.Access(user, standing).Permission.Includes(db.PermissionRead)
			require.Equal(t, readable, listed[r.ID], "%s, private %v, %+v", r.Owner.Login, found.IsPrivate, standing)
		}
	}
}

func TestRepositoryFor(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	other := dbtest.Owner(t, f.DB)
	require.NoError(t, f.SetCollaborator(ctx, f.repo.ID, other.ID, db.PermissionRead))
	require.NoError(t, f.SetCollaborator(ctx, f.repo.ID, other.ID, db.PermissionWrite))
	repo, standing, err := f.RepositoryFor(ctx, f.owner.LowerLogin, f.repo.LowerName, other.ID)
	require.NoError(t, err)
	require.Equal(t, f.repo.FullName(), repo.FullName())
	require.Equal(t, db.Standing{Collaborator: db.PermissionWrite}, standing)
	for _, names := range [][2]string{{"nobody", f.repo.Name}, {f.owner.Login, "nothing"}, {"", ""}} {
		_, _, err = f.RepositoryFor(ctx, names[0], names[1], 0)
		require.ErrorIs(t, err, db.ErrNotFound)
	}
	require.NoError(t, f.RemoveCollaborator(ctx, f.repo.ID, other.ID))
	require.ErrorIs(t, f.RemoveCollaborator(ctx, f.repo.ID, other.ID), db.ErrNotFound)
}
