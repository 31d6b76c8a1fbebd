package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ActiveRegistrationToken returns the active token of a scope, its text sealed; if there is none, fresh becomes it
// (runner-protocol.md §3: one active token per scope). Token holds the text of one that is not sealed yet.
func (d *DB) ActiveRegistrationToken(ctx context.Context, s Scope, fresh FreshSeal) (*RegistrationToken, error) {
	t := &RegistrationToken{OwnerID: s.OwnerID, RepoID: s.RepoID, IsActive: true}
	for {
		err := d.Pool.QueryRow(ctx, `WITH made AS (
				INSERT INTO registration_tokens (token_hash, sealed, owner_id, repo_id)
				SELECT $1, $2, $3, $4 WHERE NOT EXISTS (
					SELECT 1 FROM registration_tokens WHERE owner_id = $3 AND repo_id = $4 AND is_active)
				ON CONFLICT (owner_id, repo_id) WHERE is_active DO NOTHING
				RETURNING id, token_hash, sealed, token, created_at
			)
			SELECT * FROM made UNION ALL
			SELECT id, token_hash, sealed, token, created_at FROM registration_tokens
				WHERE owner_id = $3 AND repo_id = $4 AND is_active LIMIT 1`,
			prepared, fresh.Hash, fresh.Sealed, s.OwnerID, s.RepoID).Scan(&t.ID, &t.TokenHash, &t.Sealed, &t.Token, &t.CreatedAt)
		// No row: another request made one while this statement was running, which sees it only when run again.
		if !errors.Is(err, pgx.ErrNoRows) {
			return t, wrapRegistration(err)
		}
	}
}

// ResetRegistrationToken makes fresh the only active token of a scope, and forgets the text of the one before.
func (d *DB) ResetRegistrationToken(ctx context.Context, s Scope, fresh FreshSeal) error {
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		// Two resets at once would both find nothing to deactivate.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`,
			fmt.Sprintf("registration/%d/%d", s.OwnerID, s.RepoID)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE registration_tokens SET is_active = false, token = '', sealed = ''
			WHERE owner_id = $1 AND repo_id = $2 AND is_active`, s.OwnerID, s.RepoID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO registration_tokens (token_hash, sealed, owner_id, repo_id)
			VALUES ($1, $2, $3, $4)`, fresh.Hash, fresh.Sealed, s.OwnerID, s.RepoID)
		return err
	})
	if isUniqueViolation(err) {
		err = ErrConflict
	}
	return wrapRegistration(err)
}

// RegistrationToken returns the token with one of the hashes, also one that is active no longer, without its text.
// ErrNotFound if there is none.
func (d *DB) RegistrationToken(ctx context.Context, hashes ...[]byte) (*RegistrationToken, error) {
	t := &RegistrationToken{}
	err := firstFound(hashes, func(hash []byte) error {
		return d.Pool.QueryRow(ctx, `SELECT id, token_hash, owner_id, repo_id, is_active, created_at FROM registration_tokens
			WHERE token_hash = $1`, prepared, hash).Scan(&t.ID, &t.TokenHash, &t.OwnerID, &t.RepoID, &t.IsActive, &t.CreatedAt)
	})
	return t, wrapRegistration(err)
}

func wrapRegistration(err error) error {
	if err != nil {
		return fmt.Errorf("registration token: %w", err)
	}
	return nil
}
