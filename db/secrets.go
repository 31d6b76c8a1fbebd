package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// The most secrets, and the most variables, that one scope may have, and the bytes of all their values. They bound what
// a gateway has to hold for one job.
const (
	MaxNamed      = 500
	MaxNamedBytes = 1 << 20
)

// ErrTooMany is returned when a scope would have more secrets or variables than MaxNamed, or larger ones in all than
// MaxNamedBytes.
var ErrTooMany = errors.New("too many or too large")

// Secrets returns a page of the secrets of a scope by name, without what is sealed, and how many there are.
func (d *DB) Secrets(ctx context.Context, s Scope, p Page) ([]*Secret, int, error) {
	var list []*Secret
	q := d.NewSelect().Model(&list).ExcludeColumn("sealed").Where("owner_id = ?", s.OwnerID).Where("repo_id = ?", s.RepoID)
	n, err := p.scan(ctx, q, "secret.name")
	if err != nil {
		return nil, 0, fmt.Errorf("secrets: %w", err)
	}
	return list, n, nil
}

// PutSecret stores a secret in place of the one of its name, if there is one; created tells that there was none.
// ErrNotFound: its owner or repository is gone. ErrTooMany as it says.
func (d *DB) PutSecret(ctx context.Context, s *Secret) (created bool, err error) {
	err = d.changeScope(ctx, s.Scope(), func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `INSERT INTO secrets (owner_id, repo_id, name, sealed, description) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (owner_id, repo_id, name) DO UPDATE
				SET sealed = excluded.sealed, description = excluded.description, updated_at = now()
			RETURNING id, created_at, updated_at, xmax = 0`, s.OwnerID, s.RepoID, s.Name, s.Sealed, s.Description).
			Scan(&s.ID, &s.CreatedAt, &s.UpdatedAt, &created)
		if err != nil {
			return err
		}
		return checkRoom(ctx, tx, `SELECT count(*), coalesce(sum(length(sealed)), 0) FROM secrets`, s.Scope())
	})
	if err != nil {
		return false, fmt.Errorf("put secret %s: %w", s.Name, err)
	}
	return created, nil
}

// DeleteSecret removes a secret. ErrNotFound if there is none.
func (d *DB) DeleteSecret(ctx context.Context, s Scope, name string) error {
	err := d.changeScope(ctx, s, func(tx pgx.Tx) error {
		return oneTag(tx.Exec(ctx, `DELETE FROM secrets WHERE owner_id = $1 AND repo_id = $2 AND name = $3`, s.OwnerID, s.RepoID, name))
	})
	if err != nil {
		return fmt.Errorf("delete secret %s: %w", name, err)
	}
	return nil
}

// changeScope changes secrets or variables of a scope in one transaction, which waits for every other of that scope, and
// raises its version. ErrNotFound if its owner or repository is gone.
func (d *DB) changeScope(ctx context.Context, s Scope, fn func(pgx.Tx) error) error {
	return d.inTx(ctx, func(tx pgx.Tx) error {
		// The lock keeps an owner or repository that is there from being deleted meanwhile, which would leave the row behind.
		var there int
		err := tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM (SELECT FROM owners WHERE id = $1 FOR KEY SHARE) o)
			+ (SELECT count(*) FROM (SELECT FROM repositories WHERE id = $2 FOR KEY SHARE) r)`, s.OwnerID, s.RepoID).Scan(&there)
		if err != nil {
			return err
		}
		if there == 0 && s != (Scope{}) {
			return ErrNotFound
		}
		if _, err := tx.Exec(ctx, `INSERT INTO secret_versions (owner_id, repo_id) VALUES ($1, $2)
			ON CONFLICT (owner_id, repo_id) DO UPDATE SET version = secret_versions.version + 1`, s.OwnerID, s.RepoID); err != nil {
			return err
		}
		return fn(tx)
	})
}

// checkRoom is ErrTooMany when a scope has more than it may; totals begins the query that counts rows and bytes.
func checkRoom(ctx context.Context, tx pgx.Tx, totals string, s Scope) error {
	var rows, bytes int64
	err := tx.QueryRow(ctx, totals+` WHERE owner_id = $1 AND repo_id = $2`, s.OwnerID, s.RepoID).Scan(&rows, &bytes)
	if err == nil && (rows > MaxNamed || bytes > MaxNamedBytes) {
		err = ErrTooMany
	}
	return err
}

// secretsVersion is the SQL of a number that changes whenever JobSettings changes for the repository of a row, which has
// owner_id and repo_id: versions only grow, so their sum does too.
func secretsVersion(row string) string {
	return `coalesce((SELECT sum(version) FROM secret_versions v
		WHERE (v.owner_id, v.repo_id) IN ((0, 0), (` + row + `.owner_id, 0), (0, ` + row + `.repo_id))), 0)::bigint`
}

// JobSettings are the secrets and variables that jobs of a repository get.
type JobSettings struct {
	// Secrets are those of the owner and then those of the repository, which win over those of the same name.
	Secrets []*Secret
	// Vars are those of the installation, of the owner and of the repository; the last win.
	Vars map[string]string
}

// JobSettings reads what jobs of a repository get.
func (d *DB) JobSettings(ctx context.Context, owner, repo int64) (*JobSettings, error) {
	rows, err := d.Pool.Query(ctx, `SELECT true, owner_id, repo_id, name, sealed, '' FROM secrets
			WHERE (owner_id, repo_id) IN (($1, 0), (0, $2))
		UNION ALL SELECT false, owner_id, repo_id, name, '', value FROM variables
			WHERE (owner_id, repo_id) IN ((0, 0), ($1, 0), (0, $2))
		ORDER BY 3, 2`, prepared, owner, repo) // the installation, the owner, the repository: the ids are 0 or not
	if err != nil {
		return nil, fmt.Errorf("settings of jobs of repository %d: %w", repo, err)
	}
	out := &JobSettings{Vars: map[string]string{}}
	var s Secret
	var isSecret bool
	var value string
	_, err = pgx.ForEachRow(rows, []any{&isSecret, &s.OwnerID, &s.RepoID, &s.Name, &s.Sealed, &value}, func() error {
		if isSecret {
			kept := s
			out.Secrets = append(out.Secrets, &kept)
		} else {
			out.Vars[s.Name] = value
		}
		s.Sealed = nil
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("settings of jobs of repository %d: %w", repo, err)
	}
	return out, nil
}
