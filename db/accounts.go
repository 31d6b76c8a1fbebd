package db

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/uptrace/bun"
)

// Accounts that have no row.
const (
	// GhostID stands for an account that was deleted.
	GhostID int64 = -1
	// ActionsBotID is who acts with the token of a task (execution-semantics.md §11).
	ActionsBotID int64 = -2
)

// ActionsBot is the account that the token of a task acts as.
func ActionsBot() *Owner {
	return &Owner{
		ID: ActionsBotID, Kind: KindUser, Login: "gitea-actions", LowerLogin: "gitea-actions", FullName: "Gitea Actions",
		Visibility: "public", IsActive: true,
	}
}

// Ghost is the account shown in place of one that is gone.
func Ghost() *Owner {
	return &Owner{ID: GhostID, Kind: KindUser, Login: "Ghost", LowerLogin: "ghost", Visibility: "public"}
}

// CreateOwner stores a user or organization and fills in its id and times. ErrConflict: the name is taken, by a user
// or an organization, in whatever case.
func (d *DB) CreateOwner(ctx context.Context, o *Owner) error {
	if err := insertOwner(ctx, d, o); err != nil {
		return fmt.Errorf("create account: %w", err)
	}
	return nil
}

func insertOwner(ctx context.Context, q bun.IDB, o *Owner) error {
	o.LowerLogin = strings.ToLower(o.Login)
	_, err := q.NewInsert().Model(o).Returning("id, created_at").Exec(ctx)
	if isUniqueViolation(err) {
		return ErrConflict
	}
	return err
}

// CreateOrganization stores an organization with its first owner. ErrConflict as of CreateOwner.
func (d *DB) CreateOrganization(ctx context.Context, org *Owner, owner int64) error {
	err := d.inBunTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := insertOwner(ctx, tx, org); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(&OrgMember{OrgID: org.ID, UserID: owner, Role: RoleOwner}).Returning("NULL").Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("create organization: %w", err)
	}
	return nil
}

// OwnerByLogin returns the user or organization of a name, in whatever case. ErrNotFound if there is none.
func (d *DB) OwnerByLogin(ctx context.Context, login string) (*Owner, error) {
	if bot := ActionsBot(); strings.EqualFold(login, bot.Login) {
		return bot, nil
	}
	return d.owner(ctx, "owner.lower_login = $1", strings.ToLower(login))
}

// OwnerByEmail returns the user of an address, in whatever case, if no other user has it. ErrNotFound otherwise.
func (d *DB) OwnerByEmail(ctx context.Context, email string) (*Owner, error) {
	var owners []*Owner
	err := d.NewSelect().Model(&owners).Where("lower(email) = lower(?)", email).Where("kind = ?", KindUser).Limit(2).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("account by email: %w", err)
	}
	if len(owners) != 1 {
		return nil, fmt.Errorf("account by email: %w", ErrNotFound)
	}
	return owners[0], nil
}

// OwnerByID returns a user or organization, the bot among them. ErrNotFound if there is none.
func (d *DB) OwnerByID(ctx context.Context, id int64) (*Owner, error) {
	if id == ActionsBotID {
		return ActionsBot(), nil
	}
	return d.owner(ctx, "owner.id = $1", id)
}

func (d *DB) owner(ctx context.Context, where string, arg any) (*Owner, error) {
	o, err := accounts.one(ctx, d, fromOwners+"WHERE "+where, arg)
	if err != nil {
		return nil, fmt.Errorf("account %v: %w", arg, err)
	}
	return o, nil
}

// ownerColumns are all but the hash of the password.
var ownerColumns = []string{
	"id", "kind", "login", "lower_login", "full_name", "email", "description", "visibility", "is_admin", "is_active", "created_at",
	"last_login_at",
}

var shownOwners = selectionOf[Owner](part{alias: "owner", columns: ownerColumns})

// accounts are owners who may prove that they are.
var accounts = selectionOf[Owner](part{alias: "owner", columns: append([]string{"password_hash"}, ownerColumns...)})

const fromOwners = "FROM owners AS owner "

// OwnersByID returns users and organizations by id. Each id that was asked for is there: accounts that are gone are
// Ghost.
func (d *DB) OwnersByID(ctx context.Context, ids []int64) (map[int64]*Owner, error) {
	out := make(map[int64]*Owner, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	owners, err := shownOwners.read(ctx, d, fromOwners+"WHERE owner.id = ANY($1)", distinct(ids))
	if err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	people := peopleOf(owners)
	for _, id := range ids {
		out[id] = people.account(id)
	}
	return out, nil
}

// people are accounts by id.
type people map[int64]*Owner

func peopleOf(owners []*Owner) people { return byID(owners, func(o *Owner) int64 { return o.ID }) }

// account is Ghost when it is gone.
func (p people) account(id int64) *Owner {
	if p[id] == nil {
		p[id] = Ghost()
		if id == ActionsBotID {
			p[id] = ActionsBot()
		}
	}
	return p[id]
}

// SetPasswordHash replaces what is stored of a user's password. ErrNotFound if there is no such user.
func (d *DB) SetPasswordHash(ctx context.Context, user int64, hash string) error {
	return d.changeUser(ctx, user, "password_hash = ?", hash)
}

// SetAdmin makes a user a site admin, or no longer one. ErrNotFound if there is no such user.
func (d *DB) SetAdmin(ctx context.Context, user int64, admin bool) error {
	return d.changeUser(ctx, user, "is_admin = ?", admin)
}

// SetActive lets a user in, or not. ErrNotFound if there is no such user.
func (d *DB) SetActive(ctx context.Context, user int64, active bool) error {
	return d.changeUser(ctx, user, "is_active = ?", active)
}

func (d *DB) changeUser(ctx context.Context, user int64, set string, arg any) error {
	res, err := d.NewUpdate().Model((*Owner)(nil)).Set(set, arg).Where("id = ?", user).Where("kind = ?", KindUser).Exec(ctx)
	return oneRow(res, err, "change user")
}

// oneRow is ErrNotFound when a statement changed nothing.
func oneRow(res sql.Result, err error, what string) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if n == 0 {
		return fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	return nil
}
