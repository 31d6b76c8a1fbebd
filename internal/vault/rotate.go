package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/pawl-ci/pawl/db"
)

// rotationLock is the key of the advisory lock that lets one process at a time seal everything again.
const rotationLock = 0x7061776c03

// rotateBatch is how many values are sealed again in one transaction.
const rotateBatch = 200

// ErrRotating is returned when another process seals everything again.
var ErrRotating = errors.New("another process is sealing the values again")

// Rotated counts what came of the sealed values of one table.
type Rotated struct {
	Table db.SealedTable
	// Sealed were sealed again with the primary key; Failed could not be opened, and stay as they are.
	Sealed, Failed int
}

// Rotate seals with the primary key what is not sealed with it yet. It may be cut off at any time and called again: what
// is done is done. report is called after each table; failed hears of each value that cannot be opened.
func (v *Vault) Rotate(ctx context.Context, report func(Rotated), failed func(error)) error {
	ran := false
	err := v.DB.WithLock(ctx, rotationLock, func(ctx context.Context) error {
		ran = true
		for _, t := range []db.SealedTable{db.SealedSecrets, db.SealedRegistrationTokens} {
			done, err := v.sealRows(ctx, t, v.Keys.Header(), failed)
			if err != nil {
				return err
			}
			report(done)
		}
		return nil
	})
	if err == nil && !ran {
		err = ErrRotating
	}
	return err
}

// sealRows seals the rows of a table that do not begin with the header.
func (v *Vault) sealRows(ctx context.Context, t db.SealedTable, header []byte, failed func(error)) (Rotated, error) {
	out := Rotated{Table: t}
	for last := int64(0); ; {
		rows, err := v.DB.RowsToSeal(ctx, t, header, last, rotateBatch)
		if err != nil || len(rows) == 0 {
			return out, err
		}
		last = rows[len(rows)-1].ID
		opened, fresh := v.sealBatch(t, rows, failed)
		done, err := v.DB.Reseal(ctx, t, opened, fresh)
		if err != nil {
			return out, err
		}
		out.Sealed += done
		out.Failed += len(rows) - len(opened)
	}
}

// sealBatch returns the rows that can be opened, and their values sealed again.
func (v *Vault) sealBatch(t db.SealedTable, rows []db.SealedRow, failed func(error)) (opened []db.SealedRow, fresh []db.FreshSeal) {
	for _, r := range rows {
		sealed, err := v.sealAgain(t, r)
		if err != nil {
			failed(fmt.Errorf("row %d of %s: %w", r.ID, t, err))
			continue
		}
		opened, fresh = append(opened, r), append(fresh, sealed)
	}
	return opened, fresh
}

func (v *Vault) sealAgain(t db.SealedTable, r db.SealedRow) (db.FreshSeal, error) {
	if t == db.SealedRegistrationTokens {
		return v.sealRegistrationTokenAgain(r)
	}
	at := secretPlace(r.Scope, r.Name)
	text, err := v.Keys.Open(at, r.Sealed)
	return db.FreshSeal{Sealed: v.Keys.Seal(at, text)}, err
}

func (v *Vault) sealRegistrationTokenAgain(r db.SealedRow) (db.FreshSeal, error) {
	if len(r.Sealed) == 0 { // from before there were seals
		return v.sealRegistrationToken(r.Scope, r.Plain), nil
	}
	text, err := v.Keys.Open(registrationPlace(r.Scope), r.Sealed)
	return v.sealRegistrationToken(r.Scope, string(text)), err
}

// SealOld seals registration tokens that an older version stored as they are. It is for the start of a server, and costs
// one query when there is nothing to do. Several servers may do it at once.
func (v *Vault) SealOld(ctx context.Context) error {
	anySeal := v.Keys.Header()[:1]
	_, err := v.sealRows(ctx, db.SealedRegistrationTokens, anySeal, func(error) {})
	return err
}
