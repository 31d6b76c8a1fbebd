package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/accounts"
	"github.com/pawl-ci/pawl/internal/devstack"
	"github.com/pawl-ci/pawl/internal/git"
	"github.com/pawl-ci/pawl/internal/token"
)

// newHasher makes the hasher of tokens from the installation's secret key, and those that were it before.
func newHasher(secret []byte, older ...[]byte) (*token.Hasher, error) {
	key, err := token.Derive(secret, "tokens")
	if err != nil {
		return nil, err
	}
	before := make([][]byte, len(older))
	for i, o := range older {
		if before[i], err = token.Derive(o, "tokens"); err != nil {
			return nil, err
		}
	}
	return token.NewHasher(key, before...)
}

// newAccounts makes the service that creates accounts and repositories.
func newAccounts(d *db.DB, hasher *token.Hasher, store *git.Store, mirror git.MirrorOptions) *accounts.Service {
	return &accounts.Service{
		DB: d, Tokens: hasher, Passwords: accounts.NewPasswords(accounts.PasswordOptions{}), Repositories: store,
		CheckCloneURL: func(url string) error { return git.CheckMirrorURL(url, mirror) },
	}
}

// Names of what a stack of one machine makes for its user.
const (
	devAdmin = "pawl"
	devToken = "dev"
)

// bootstrap makes sure that a stack has an administrator with a token, and a registration token for runners.
func bootstrap(ctx context.Context, c devstack.Config, previous devstack.Credentials) (devstack.Credentials, error) {
	var out devstack.Credentials
	secret, err := devSecret(c.DataDir)
	if err != nil {
		return out, err
	}
	keys, err := deriveKeys(secret)
	if err != nil {
		return out, err
	}
	d, err := db.Open(ctx, c.DatabaseURL, db.Options{MaxConns: db.MinConns})
	if err != nil {
		return out, err
	}
	defer d.Close()
	out.AdminUser = devAdmin
	if out.AdminToken, err = adminToken(ctx, d, keys.tokens, previous.AdminToken); err != nil {
		return out, fmt.Errorf("administrator: %w", err)
	}
	out.RunnerRegistrationToken, err = keys.vault(d).RegistrationToken(ctx, db.Scope{})
	return out, err
}

// adminToken returns the previous token if it still holds, or makes another.
func adminToken(ctx context.Context, d *db.DB, hasher *token.Hasher, previous string) (string, error) {
	if previous != "" {
		if _, _, err := d.TokenOwner(ctx, hasher.Hashes(previous)...); err == nil {
			return previous, nil
		}
	}
	service := newAccounts(d, hasher, nil, git.MirrorOptions{})
	admin, err := d.OwnerByLogin(ctx, devAdmin)
	if errors.Is(err, db.ErrNotFound) {
		admin, err = service.CreateUser(ctx, accounts.NewUser{Login: devAdmin, Email: devAdmin + "@localhost.localdomain", Admin: true})
	}
	if err != nil {
		return "", err
	}
	if err := d.DeleteAccessToken(ctx, admin.ID, 0, devToken); err != nil && !errors.Is(err, db.ErrNotFound) {
		return "", err
	}
	text, _, err := service.CreateToken(ctx, admin.ID, devToken, []string{"all"})
	return text, err
}
