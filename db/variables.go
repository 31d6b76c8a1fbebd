package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Variables returns a page of the variables of a scope by name, and how many there are.
func (d *DB) Variables(ctx context.Context, s Scope, p Page) ([]*Variable, int, error) {
	var list []*Variable
	q := d.NewSelect().Model(&list).Where("owner_id = ?", s.OwnerID).Where("repo_id = ?", s.RepoID)
	n, err := p.scan(ctx, q, "variable.name")
	if err != nil {
		return nil, 0, fmt.Errorf("variables: %w", err)
	}
	return list, n, nil
}

// Variable returns one variable of a scope. ErrNotFound if there is none.
func (d *DB) Variable(ctx context.Context, s Scope, name string) (*Variable, error) {
	v := &Variable{}
	err := d.NewSelect().Model(v).Where("owner_id = ?", s.OwnerID).Where("repo_id = ?", s.RepoID).Where("name = ?", name).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("variable %s: %w", name, err)
	}
	return v, nil
}

// CreateVariable stores a new variable. ErrConflict: there is one of its name. ErrNotFound: its owner or repository is
// gone. ErrTooMany as it says.
func (d *DB) CreateVariable(ctx context.Context, v *Variable) error {
	err := d.changeScope(ctx, v.Scope(), func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `INSERT INTO variables (owner_id, repo_id, name, value, description) VALUES ($1, $2, $3, $4, $5)
			RETURNING id, created_at, updated_at`, v.OwnerID, v.RepoID, v.Name, v.Value, v.Description).
			Scan(&v.ID, &v.CreatedAt, &v.UpdatedAt)
		if err != nil {
			return err
		}
		return checkVariables(ctx, tx, v.Scope())
	})
	return wrapVariable(err, v.Name)
}

func checkVariables(ctx context.Context, tx pgx.Tx, s Scope) error {
	return checkRoom(ctx, tx, `SELECT count(*), coalesce(sum(octet_length(value)), 0) FROM variables`, s)
}

func wrapVariable(err error, name string) error {
	if isUniqueViolation(err) {
		err = ErrConflict
	}
	if err != nil {
		return fmt.Errorf("variable %s: %w", name, err)
	}
	return nil
}

// UpdateVariable gives the variable of a name its new name, value and description. ErrNotFound if there is none;
// ErrConflict: there is one of the new name. ErrTooMany as it says.
func (d *DB) UpdateVariable(ctx context.Context, name string, v *Variable) error {
	err := d.changeScope(ctx, v.Scope(), func(tx pgx.Tx) error {
		err := oneTag(tx.Exec(ctx, `UPDATE variables SET name = $4, value = $5, description = $6, updated_at = now()
			WHERE owner_id = $1 AND repo_id = $2 AND name = $3`, v.OwnerID, v.RepoID, name, v.Name, v.Value, v.Description))
		if err != nil {
			return err
		}
		return checkVariables(ctx, tx, v.Scope())
	})
	return wrapVariable(err, name)
}

// DeleteVariable removes a variable. ErrNotFound if there is none.
func (d *DB) DeleteVariable(ctx context.Context, s Scope, name string) error {
	err := d.changeScope(ctx, s, func(tx pgx.Tx) error {
		return oneTag(tx.Exec(ctx, `DELETE FROM variables WHERE owner_id = $1 AND repo_id = $2 AND name = $3`, s.OwnerID, s.RepoID, name))
	})
	return wrapVariable(err, name)
}

// oneTag is ErrNotFound when a statement changed nothing.
func oneTag(tag pgconn.CommandTag, err error) error {
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrNotFound
	}
	return err
}

// varsOf is the SQL of the variables that jobs of a repository see, as an object: those of the installation, of its owner
// and its own, the last of which win. owner and repo are expressions for their ids.
func varsOf(owner, repo string) string {
	return `coalesce((SELECT jsonb_object_agg(name, value) FROM (
		SELECT DISTINCT ON (name) name, value FROM variables
		WHERE (owner_id, repo_id) IN ((0, 0), (` + owner + `, 0), (0, ` + repo + `))
		ORDER BY name, repo_id DESC, owner_id DESC) AS seen), '{}')`
}

var selectVars = `SELECT ` + varsOf("$1", "$2")

// Vars returns the variables that expressions of a repository see.
func (d *DB) Vars(ctx context.Context, owner, repo int64) (map[string]string, error) {
	var vars map[string]string
	if err := d.Pool.QueryRow(ctx, selectVars, prepared, owner, repo).Scan(&vars); err != nil {
		return nil, fmt.Errorf("variables of repository %d: %w", repo, err)
	}
	return vars, nil
}
