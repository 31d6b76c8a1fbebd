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

// RegistrationToken returns the text of the active registration token of a scope, and makes one where there is none, or
// none that any of the keys can open and recognise.
func (v *Vault) RegistrationToken(ctx context.Context, s db.Scope) (string, error) {
	text, fresh := v.newRegistrationToken(s)
	active, err := v.DB.ActiveRegistrationToken(ctx, s, fresh)
	if err != nil {
		return "", err
	}
	if string(active.TokenHash) == string(fresh.Hash) {
		return text, nil
	}
	if text = v.openRegistrationToken(active); v.Tokens.Matches(text, active.TokenHash) {
		return text, nil
	}
	return v.ResetRegistrationToken(ctx, s)
}

// openRegistrationToken is empty for one that cannot be opened.
func (v *Vault) openRegistrationToken(t *db.RegistrationToken) string {
	if t.Token != "" { // from before there were seals
		return t.Token
	}
	text, _ := v.Keys.Open(registrationPlace(db.Scope{OwnerID: t.OwnerID, RepoID: t.RepoID}), t.Sealed)
	return string(text)
}

// ResetRegistrationToken makes another token the active one of a scope, and returns its text.
func (v *Vault) ResetRegistrationToken(ctx context.Context, s db.Scope) (string, error) {
	text, fresh := v.newRegistrationToken(s)
	return text, v.DB.ResetRegistrationToken(ctx, s, fresh)
}

func (v *Vault) newRegistrationToken(s db.Scope) (string, db.FreshSeal) {
	text := token.New()
	return text, v.sealRegistrationToken(s, text)
}

func (v *Vault) sealRegistrationToken(s db.Scope, text string) db.FreshSeal {
	return db.FreshSeal{Hash: v.Tokens.Hash(text), Sealed: v.Keys.Seal(registrationPlace(s), []byte(text))}
}
