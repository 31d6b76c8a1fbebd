package db

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"
)

// Access is what one user, or nobody, may do in one repository.
type Access struct {
	Permission Permission
	// IsOwner: the user owns the repository, as its user, as an owner of its organization, or as a site admin.
	IsOwner bool
}

// permissionRank orders the permissions.
var permissionRank = map[Permission]int{PermissionNone: 0, PermissionRead: 1, PermissionWrite: 2, PermissionAdmin: 3}

// Includes tells whether having p is enough where want is needed.
func (p Permission) Includes(want Permission) bool { return permissionRank[p] >= permissionRank[want] }

// Standing is what connects a user with a repository.
type Standing struct {
	Role         OrgRole    // in the organization that owns it; empty for none
	Collaborator Permission // given by name; empty for none
}

// Access decides what a user may do in the repository, whose Owner must be loaded; a nil user is anonymous.
//
//   - The owner of a user's repository, the owners of its organization and site admins may do everything.
//   - Members of its organization may read it; more is given to them as collaborators, as to anybody.
//   - A public repository of a public owner is readable by all, one of a limited owner by all who are signed in, one
//     of a private owner as if it were private.
func (r *Repository) Access(user *Owner, s Standing) Access {
	if user != nil && (user.IsAdmin || user.ID == r.OwnerID || s.Role == RoleOwner) {
		return Access{Permission: PermissionAdmin, IsOwner: true}
	}
	permission := PermissionNone
	if r.isPublicTo(user) || (user != nil && s.Role == RoleMember) {
		permission = PermissionRead
	}
	if user != nil && s.Collaborator.Includes(permission) {
		permission = s.Collaborator
	}
	return Access{Permission: permission}
}

// isPublicTo tells whether somebody without any standing may read the repository.
func (r *Repository) isPublicTo(user *Owner) bool {
	switch {
	case r.IsPrivate:
		return false
	case r.Owner.Visibility == "public":
		return true
	default:
		return user != nil && r.Owner.Visibility == "limited"
	}
}

// repositoryFor and ownerFor are what a request names, and what connects a user with it.
type (
	repositoryFor struct {
		Repository *Repository
		Standing   *Standing
	}
	ownerFor struct {
		Owner    *Owner
		Standing *Standing
	}
)

var (
	repositoriesFor = selectionOf[repositoryFor](
		part{alias: "repository", field: "Repository", columns: repositoryColumns},
		part{alias: "owner", field: "Repository.Owner", columns: ownerColumns},
		part{alias: "standing", field: "Standing", columns: []string{"role", "collaborator"}},
	)
	ownersFor = selectionOf[ownerFor](
		part{alias: "owner", field: "Owner", columns: ownerColumns},
		part{alias: "standing", field: "Standing", columns: []string{"role"}},
	)
)

// RepositoryFor returns a repository with its owner, by the names of both in whatever case, and the standing of a
// user there; user 0 is nobody. ErrNotFound if there is none.
func (d *DB) RepositoryFor(ctx context.Context, owner, name string, user int64) (*Repository, Standing, error) {
	found, err := repositoriesFor.one(ctx, d, fromRepositories+`CROSS JOIN LATERAL (SELECT
			coalesce((SELECT role FROM org_members WHERE org_id = owner.id AND user_id = $3), '') AS role,
			coalesce((SELECT permission FROM collaborators WHERE repo_id = repository.id AND user_id = $3), '') AS collaborator) AS standing
		WHERE owner.lower_login = $1 AND repository.lower_name = $2`, strings.ToLower(owner), strings.ToLower(name), user)
	if err != nil {
		return nil, Standing{}, fmt.Errorf("repository %s/%s: %w", owner, name, err)
	}
	return found.Repository, *found.Standing, nil
}

// OwnerFor returns the user or organization of a name, in whatever case, and the role of a user there, empty for none; user 0 is
// nobody. ErrNotFound if there is none.
func (d *DB) OwnerFor(ctx context.Context, login string, user int64) (*Owner, OrgRole, error) {
	if bot := ActionsBot(); strings.EqualFold(login, bot.Login) {
		return bot, "", nil
	}
	found, err := ownersFor.one(ctx, d, fromOwners+`CROSS JOIN LATERAL (SELECT
			coalesce((SELECT role FROM org_members WHERE org_id = owner.id AND user_id = $2), '') AS role) AS standing
		WHERE owner.lower_login = $1`, strings.ToLower(login), user)
	if err != nil {
		return nil, "", fmt.Errorf("account %s: %w", login, err)
	}
	return found.Owner, found.Standing.Role, nil
}

// readableBy limits a query of repositories to those that a user may read; it is the form in SQL of Repository.Access.
func readableBy(q *bun.SelectQuery, user *Owner) *bun.SelectQuery {
	if user.IsAdmin {
		return q
	}
	return q.Where(`repository.id IN (SELECT p.id FROM repositories p JOIN owners o ON o.id = p.owner_id
		WHERE (NOT p.is_private AND o.visibility <> 'private') OR p.owner_id = ?0
			OR EXISTS (SELECT 1 FROM org_members m WHERE m.org_id = p.owner_id AND m.user_id = ?0)
			OR EXISTS (SELECT 1 FROM collaborators c WHERE c.repo_id = p.id AND c.user_id = ?0))`, user.ID)
}

// SetCollaborator gives a user a permission in a repository, in place of the one before.
func (d *DB) SetCollaborator(ctx context.Context, repo, user int64, p Permission) error {
	row := &Collaborator{RepoID: repo, UserID: user, Permission: p}
	_, err := d.NewInsert().Model(row).On("CONFLICT (repo_id, user_id) DO UPDATE").Set("permission = excluded.permission").
		Returning("NULL").Exec(ctx)
	if err != nil {
		return fmt.Errorf("set collaborator: %w", err)
	}
	return nil
}

// RemoveCollaborator takes a permission back. ErrNotFound if there was none.
func (d *DB) RemoveCollaborator(ctx context.Context, repo, user int64) error {
	res, err := d.NewDelete().Model((*Collaborator)(nil)).Where("repo_id = ?", repo).Where("user_id = ?", user).Exec(ctx)
	return oneRow(res, err, "remove collaborator")
}

// OrgRole returns the role of a user in an organization, empty for none.
func (d *DB) OrgRole(ctx context.Context, org, user int64) (OrgRole, error) {
	var role OrgRole
	err := d.Pool.QueryRow(ctx, `SELECT role FROM org_members WHERE org_id = $1 AND user_id = $2`, prepared, org, user).Scan(&role)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("role in organization: %w", err)
	}
	return role, nil
}

// OrgMembers returns a page of the users of an organization, by login, and how many there are.
func (d *DB) OrgMembers(ctx context.Context, org int64, p Page) ([]*Owner, int, error) {
	var users []*Owner
	q := d.NewSelect().Model(&users).Where("owner.id IN (SELECT user_id FROM org_members WHERE org_id = ?)", org)
	n, err := p.scan(ctx, q, "owner.lower_login")
	if err != nil {
		return nil, 0, fmt.Errorf("members: %w", err)
	}
	return users, n, nil
}

// ErrLastOwner is returned when a change would leave an organization without an owner.
var ErrLastOwner = errors.New("the last owner of an organization must stay")

// SetOrgMember makes a user a member of an organization, or changes the role. ErrLastOwner.
func (d *DB) SetOrgMember(ctx context.Context, org, user int64, role OrgRole) error {
	return d.changeMembers(ctx, org, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&OrgMember{OrgID: org, UserID: user, Role: role}).
			On("CONFLICT (org_id, user_id) DO UPDATE").Set("role = excluded.role").Returning("NULL").Exec(ctx)
		return err
	})
}

// RemoveOrgMember ends a membership. ErrNotFound if there was none, ErrLastOwner.
func (d *DB) RemoveOrgMember(ctx context.Context, org, user int64) error {
	return d.changeMembers(ctx, org, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewDelete().Model((*OrgMember)(nil)).Where("org_id = ?", org).Where("user_id = ?", user).Exec(ctx)
		return oneRow(res, err, "member")
	})
}

// changeMembers makes a change under a lock on the organization, so that two owners cannot remove each other.
func (d *DB) changeMembers(ctx context.Context, org int64, change func(context.Context, bun.Tx) error) error {
	err := d.inBunTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewRaw("SELECT 1 FROM owners WHERE id = ? FOR UPDATE", org).Exec(ctx); err != nil {
			return err
		}
		if err := change(ctx, tx); err != nil {
			return err
		}
		left, err := tx.NewSelect().Model((*OrgMember)(nil)).Where("org_id = ?", org).Where("role = ?", RoleOwner).Exists(ctx)
		if err == nil && !left {
			err = ErrLastOwner
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("change members: %w", err)
	}
	return nil
}
