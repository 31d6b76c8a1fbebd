package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// SealedTable is a table whose rows hold a sealed value in the column `sealed`.
type SealedTable string

// The tables of sealed values.
const (
	SealedSecrets            SealedTable = "secrets"
	SealedRegistrationTokens SealedTable = "registration_tokens"
	SealedHooks              SealedTable = "hooks"
)

// SealedRow is a sealed value with what its place is made of.
type SealedRow struct {
	ID     int64
	Scope  Scope
	Name   string
	Sealed []byte
	// Plain is the text of a value that was stored before there were seals.
	Plain string
}

// sealedRows are the queries of the rows of each table that do not begin with the header $1, behind the id $2.
var sealedRows = map[SealedTable]string{
	SealedSecrets: `SELECT id, owner_id, repo_id, name, sealed, '' FROM secrets
		WHERE substring(sealed FROM 1 FOR length($1::bytea)) <> $1::bytea AND id > $2 ORDER BY id LIMIT $3`,
	SealedRegistrationTokens: `SELECT id, owner_id, repo_id, '', sealed, token FROM registration_tokens
		WHERE is_active AND substring(sealed FROM 1 FOR length($1::bytea)) <> $1::bytea AND id > $2 ORDER BY id LIMIT $3`,
	SealedHooks: `SELECT id, coalesce(owner_id, 0), coalesce(repo_id, 0), id::text AS name, sealed, '' FROM hooks
		WHERE substring(sealed FROM 1 FOR length($1::bytea)) <> $1::bytea AND id > $2 ORDER BY id LIMIT $3`,
}

// RowsToSeal returns the next rows behind an id that are not sealed as the header says.
func (d *DB) RowsToSeal(ctx context.Context, t SealedTable, header []byte, after int64, most int) ([]SealedRow, error) {
	rows, err := d.Pool.Query(ctx, sealedRows[t], header, after, most)
	if err != nil {
		return nil, fmt.Errorf("rows of %s to seal: %w", t, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r SealedRow, err error) {
		err = row.Scan(&r.ID, &r.Scope.OwnerID, &r.Scope.RepoID, &r.Name, &r.Sealed, &r.Plain)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("rows of %s to seal: %w", t, err)
	}
	return list, nil
}

// FreshSeal is a value that was just sealed.
type FreshSeal struct {
	Sealed []byte
	// Hash is the keyed hash by which the value is found, if it is found by one.
	Hash []byte
}

// replaceSealed replaces the sealed value of a row, unless somebody has changed it meanwhile.
func replaceSealed(ctx context.Context, tx pgx.Tx, t SealedTable, r SealedRow, fresh FreshSeal) (int64, error) {
	var tag pgconn.CommandTag
	var err error
	switch t {
	case SealedSecrets:
		tag, err = tx.Exec(ctx, `UPDATE secrets SET sealed = $3 WHERE id = $1 AND sealed = $2`, r.ID, r.Sealed, fresh.Sealed)
	case SealedHooks:
		tag, err = tx.Exec(ctx, `UPDATE hooks SET sealed = $3 WHERE id = $1 AND sealed = $2`, r.ID, r.Sealed, fresh.Sealed)
	case SealedRegistrationTokens:
		tag, err = tx.Exec(ctx, `UPDATE registration_tokens SET sealed = $3, token_hash = $4, token = ''
			WHERE id = $1 AND sealed = $2`, r.ID, r.Sealed, fresh.Sealed, fresh.Hash)
	}
	return tag.RowsAffected(), err
}

// Reseal replaces the sealed values of rows, in one transaction, and returns how many it did: those that somebody else has
// changed meanwhile stay as they are. fresh has one value for each row. One process at a time may do it.
func (d *DB) Reseal(ctx context.Context, t SealedTable, rows []SealedRow, fresh []FreshSeal) (done int, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		done = 0
		if t == SealedSecrets {
			if err := raiseVersions(ctx, tx, rows); err != nil {
				return err
			}
		}
		for i, r := range rows {
			n, err := replaceSealed(ctx, tx, t, r, fresh[i])
			if err != nil {
				return err
			}
			done += int(n)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("seal rows of %s: %w", t, err)
	}
	return done, nil
}

// raiseVersions makes gateways let go of what they have read of the scopes, which only an old key may open. It comes before
// the rows, as in changeScope.
func raiseVersions(ctx context.Context, tx pgx.Tx, rows []SealedRow) error {
	owners, repos := make([]int64, len(rows)), make([]int64, len(rows))
	for i, r := range rows {
		owners[i], repos[i] = r.Scope.OwnerID, r.Scope.RepoID
	}
	_, err := tx.Exec(ctx, `UPDATE secret_versions SET version = version + 1
		WHERE (owner_id, repo_id) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[]))`, owners, repos)
	return err
}
