package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// tokenUseGranularity is how exactly the last use of a token is kept, so that polling does not write.
const tokenUseGranularity = time.Minute

// CreateAccessToken stores a token and fills in its id and time. ErrConflict: the user has one of this name.
func (d *DB) CreateAccessToken(ctx context.Context, t *AccessToken) error {
	_, err := d.NewInsert().Model(t).Returning("id, created_at").Exec(ctx)
	if isUniqueViolation(err) {
		err = ErrConflict
	}
	if err != nil {
		return fmt.Errorf("create access token: %w", err)
	}
	return nil
}

// AccessTokens returns a page of a user's tokens, oldest first, and how many there are.
func (d *DB) AccessTokens(ctx context.Context, user int64, p Page) ([]*AccessToken, int, error) {
	var tokens []*AccessToken
	n, err := p.scan(ctx, d.NewSelect().Model(&tokens).Where("user_id = ?", user), "id")
	if err != nil {
		return nil, 0, fmt.Errorf("access tokens: %w", err)
	}
	return tokens, n, nil
}

// AccessToken returns a user's token by its id, or, when id is 0, by its name. ErrNotFound if there is none.
func (d *DB) AccessToken(ctx context.Context, user, id int64, name string) (*AccessToken, error) {
	t := &AccessToken{}
	q := d.NewSelect().Model(t).Where("user_id = ?", user)
	if id != 0 {
		q = q.Where("id = ?", id)
	} else {
		q = q.Where("name = ?", name)
	}
	err := q.Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("access token: %w", err)
	}
	return t, nil
}

// DeleteAccessToken removes a user's token by its id, or, when id is 0, by its name. ErrNotFound if there is none.
func (d *DB) DeleteAccessToken(ctx context.Context, user, id int64, name string) error {
	q := d.NewDelete().Model((*AccessToken)(nil)).Where("user_id = ?", user)
	if id != 0 {
		q = q.Where("id = ?", id)
	} else {
		q = q.Where("name = ?", name)
	}
	res, err := q.Exec(ctx)
	return oneRow(res, err, "delete access token")
}

// TokenOwner returns the access token with one of the hashes and the user whom it belongs to, and notes its use. The first
// hash is the one that is kept from now on (token.Hasher.Hashes). ErrNotFound if there is none.
func (d *DB) TokenOwner(ctx context.Context, hashes ...[]byte) (t *AccessToken, o *Owner, err error) {
	err = firstFound(hashes, func(hash []byte) error {
		t, o, err = d.tokenOwner(ctx, hash, hashes[0])
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("access token: %w", err)
	}
	return t, o, nil
}

// firstFound looks for one hash after the other, of which there is nearly always one only: with a list, Postgres would make a plan
// each time.
func firstFound(hashes [][]byte, find func([]byte) error) error {
	for _, hash := range hashes {
		if err := find(hash); !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
	}
	return ErrNotFound
}

func (d *DB) tokenOwner(ctx context.Context, hash, kept []byte) (*AccessToken, *Owner, error) {
	t, o := &AccessToken{}, &Owner{}
	var stale bool
	err := d.Pool.QueryRow(ctx, `SELECT t.id, t.token_hash, t.user_id, t.name, t.last_eight, t.scopes, t.created_at,
			t.last_used_at IS NULL OR t.last_used_at < now() - make_interval(secs => $2) OR t.token_hash <> $3,
			o.id, o.kind, o.login, o.lower_login, o.full_name, o.email, o.description, o.visibility, o.is_admin, o.is_active, o.created_at
		FROM access_tokens t JOIN owners o ON o.id = t.user_id WHERE t.token_hash = $1`, prepared, hash,
		tokenUseGranularity.Seconds(), kept).
		Scan(&t.ID, &t.TokenHash, &t.UserID, &t.Name, &t.LastEight, &t.Scopes, &t.CreatedAt, &stale,
			&o.ID, &o.Kind, &o.Login, &o.LowerLogin, &o.FullName, &o.Email, &o.Description, &o.Visibility, &o.IsAdmin, &o.IsActive, &o.CreatedAt)
	if err == nil && stale {
		_, err = d.Pool.Exec(ctx, `UPDATE access_tokens SET last_used_at = now(), token_hash = $2 WHERE id = $1`, t.ID, kept)
	}
	return t, o, err
}

// TaskToken is what the token of a task stands for.
type TaskToken struct {
	TaskID, RunID, RepoID int64
}

// TaskByToken returns the task whose token has one of the hashes while it is running or being cancelled. ErrNotFound
// otherwise: the token of a task ends with it (execution-semantics.md §11).
func (d *DB) TaskByToken(ctx context.Context, hashes ...[]byte) (TaskToken, error) {
	var t TaskToken
	err := firstFound(hashes, func(hash []byte) error {
		return d.Pool.QueryRow(ctx, `SELECT id, run_id, repo_id FROM tasks WHERE token_hash = $1 AND stopped_at IS NULL`,
			prepared, hash).Scan(&t.TaskID, &t.RunID, &t.RepoID)
	})
	if err != nil {
		return t, fmt.Errorf("task token: %w", err)
	}
	return t, nil
}
