// Package vault keeps what is sealed in the database: the secrets of workflows, and registration tokens of runners. It
// alone knows where each sealed value belongs (secretbox.Place); beside the secrets stand the variables, whose names follow
// the same rules and whose values anybody may read who may set them.
//
// A secret is opened in one place only, when a job is handed out (Open, called by the runner gateway).
package vault

import (
	"context"
	"errors"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/secretbox"
	"github.com/pawl-ci/pawl/internal/token"
)

// Vault keeps secrets. All fields are needed. It is safe for concurrent use.
type Vault struct {
	DB     *db.DB
	Keys   *secretbox.Keyring
	Tokens *token.Hasher
}

func secretPlace(s db.Scope, name string) secretbox.Place {
	return secretbox.Place{Kind: "secret", OwnerID: s.OwnerID, RepoID: s.RepoID, Name: name}
}

// Open opens a secret. Its errors name the secret and not its value.
func Open(keys *secretbox.Keyring, s *db.Secret) (string, error) {
	text, err := keys.Open(secretPlace(s.Scope(), s.Name), s.Sealed)
	return string(text), err
}

// PutSecret sets a secret; created tells that there was none of its name. Faults: 400 for a name or value that breaks a
// rule, 404 when its owner or repository is gone.
func (v *Vault) PutSecret(ctx context.Context, s db.Scope, name, value, description string) (created bool, err error) {
	if name, err = CheckName(name); err != nil {
		return false, err
	}
	if err := checkSecretValue(value); err != nil {
		return false, err
	}
	created, err = v.DB.PutSecret(ctx, &db.Secret{
		OwnerID: s.OwnerID, RepoID: s.RepoID, Name: name, Sealed: v.Keys.Seal(secretPlace(s, name), []byte(value)),
		Description: shorten(description),
	})
	return created, named(err, "secret", name)
}

// DeleteSecret removes a secret. Faults: 400 for what cannot be a name, 404.
func (v *Vault) DeleteSecret(ctx context.Context, s db.Scope, name string) error {
	name, err := CheckName(name)
	if err != nil {
		return err
	}
	return named(v.DB.DeleteSecret(ctx, s, name), "secret", name)
}

// named gives the errors of the database their texts (rest-api.md §8).
func named(err error, kind, name string) error {
	switch {
	case errors.Is(err, db.ErrNotFound) && kind == "secret":
		return fault.Wrap(fault.CodeNotFound, err, "secret was not found [name: %s]", name)
	case errors.Is(err, db.ErrNotFound):
		return fault.Wrap(fault.CodeNotFound, err, "%s not found", kind)
	case errors.Is(err, db.ErrConflict):
		return fault.Wrap(fault.CodeConflict, err, "%s name %s already exists", kind, name)
	case errors.Is(err, db.ErrTooMany):
		return fault.Wrap(fault.CodeBadRequest, err, "there may be %d %ss here, of %d bytes in all", db.MaxNamed, kind, db.MaxNamedBytes)
	}
	return err
}
