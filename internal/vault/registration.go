package vault

import (
	"context"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/secretbox"
	"github.com/pawl-ci/pawl/internal/token"
)

func registrationPlace(s db.Scope) secretbox.Place {
	return secretbox.Place{Kind: "registration token", OwnerID: s.OwnerID, RepoID: s.RepoID}
}

// RegistrationToken returns the text of the active registration token of a scope, and makes one where there is none.
func (v *Vault) RegistrationToken(ctx context.Context, s db.Scope) (string, error) {
	text, fresh := v.newRegistrationToken(s)
	active, err := v.DB.ActiveRegistrationToken(ctx, s, fresh)
	switch {
	case err != nil:
		return "", err
	case string(active.TokenHash) == string(fresh.Hash):
		return text, nil
	case active.Token != "": // from before there were seals
		return active.Token, nil
	}
	opened, err := v.Keys.Open(registrationPlace(s), active.Sealed)
	return string(opened), err
}

// ResetRegistrationToken makes another token the active one of a scope, and returns its text.
func (v *Vault) ResetRegistrationToken(ctx context.Context, s db.Scope) (string, error) {
	text, fresh := v.newRegistrationToken(s)
	return text, v.DB.ResetRegistrationToken(ctx, s, fresh)
}

func (v *Vault) newRegistrationToken(s db.Scope) (string, db.NewRegistrationToken) {
	text := token.New()
	return text, db.NewRegistrationToken{Hash: v.Tokens.Hash(text), Sealed: v.Keys.Seal(registrationPlace(s), []byte(text))}
}
