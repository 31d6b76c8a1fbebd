package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ActiveRegistrationToken returns the active token of a scope; if there is none, fresh becomes it. hash is that of
// fresh (runner-protocol.md §3: one active token per scope).
func (d *DB) ActiveRegistrationToken(ctx context.Context, s Scope, fresh string, hash []byte) (string, error) {
	for {
		var token string
		err := d.Pool.QueryRow(ctx, `WITH made AS (
				INSERT INTO registration_tokens (token_hash, token, owner_id, repo_id)
				SELECT $1, $2, $3, $4 WHERE NOT EXISTS (
					SELECT 1 FROM registration_tokens WHERE owner_id = $3 AND repo_id = $4 AND is_active)
				ON CONFLICT (owner_id, repo_id) WHERE is_active DO NOTHING RETURNING token
			)
			SELECT token FROM made UNION ALL
			SELECT token FROM registration_tokens WHERE owner_id = $3 AND repo_id = $4 AND is_active LIMIT 1`,
			prepared, hash, fresh, s.OwnerID, s.RepoID).Scan(&token)
		// No row: another request made one while this statement was running, which sees it only when run again.
		if !errors.Is(err, pgx.ErrNoRows) {
			return token, wrapRegistration(err)
		}
	}
}

// ResetRegistrationToken makes fresh the only active token of a scope.
func (d *DB) ResetRegistrationToken(ctx context.Context, s Scope, fresh string, hash []byte) error {
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		// Two resets at once would both find nothing to deactivate.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`,
			fmt.Sprintf("registration/%d/%d", s.OwnerID, s.RepoID)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE registration_tokens SET is_active = false
			WHERE owner_id = $1 AND repo_id = $2 AND is_active`, s.OwnerID, s.RepoID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO registration_tokens (token_hash, token, owner_id, repo_id)
			VALUES ($1, $2, $3, $4)`, hash, fresh, s.OwnerID, s.RepoID)
		return err
	})
	if isUniqueViolation(err) {
		err = ErrConflict
	}
	return wrapRegistration(err)
}

// RegistrationToken returns the token with the given hash, also one that is active no longer, without its text.
// ErrNotFound if there is none.
func (d *DB) RegistrationToken(ctx context.Context, hash []byte) (*RegistrationToken, error) {
	t := &RegistrationToken{TokenHash: hash}
	err := d.Pool.QueryRow(ctx, `SELECT id, owner_id, repo_id, is_active, created_at FROM registration_tokens
		WHERE token_hash = $1`, prepared, hash).Scan(&t.ID, &t.OwnerID, &t.RepoID, &t.IsActive, &t.CreatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	return t, wrapRegistration(err)
}

func wrapRegistration(err error) error {
	if err != nil {
		return fmt.Errorf("registration token: %w", err)
	}
	return nil
}
