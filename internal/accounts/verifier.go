package accounts

import (
	"context"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/pawl-ci/pawl/internal/token"
)

const (
	// rememberFor is how long a password that was right is not computed again.
	rememberFor = 5 * time.Minute
	// rememberAtMost bounds the memory for them, at some 100 bytes each.
	rememberAtMost = 10_000
)

// Verifier checks passwords, and remembers for some minutes those that were right, so that a client that polls with
// Basic authentication does not pay for argon2id each time. What it remembers is a keyed hash of account, stored hash
// and password, under a key that only this process has: useless to who reads the memory's copy elsewhere, and void as
// soon as the password changes. It is safe for concurrent use.
type Verifier struct {
	passwords *Passwords
	now       func() time.Time
	known     *lru.Cache[string, time.Time]
	hasher    *token.Hasher
}

// NewVerifier makes a Verifier.
func NewVerifier(p *Passwords, now func() time.Time) (*Verifier, error) {
	known, err := lru.New[string, time.Time](rememberAtMost)
	if err != nil {
		return nil, fmt.Errorf("password cache: %w", err)
	}
	hasher, err := token.NewHasher([]byte(token.New()))
	if err != nil {
		return nil, fmt.Errorf("password cache: %w", err)
	}
	return &Verifier{passwords: p, now: now, known: known, hasher: hasher}, nil
}

// Verify tells whether the password of an account is right; see [Passwords.Verify].
func (v *Verifier) Verify(ctx context.Context, account int64, password, encoded string) (bool, error) {
	if v.Remembers(account, password, encoded) {
		return true, nil
	}
	key := v.key(account, password, encoded)
	ok, err := v.passwords.Verify(ctx, password, encoded)
	if ok {
		v.known.Add(key, v.now().Add(rememberFor))
	}
	return ok, err
}

// Remembers tells whether the password was found right a short while ago, so that Verify costs nothing.
func (v *Verifier) Remembers(account int64, password, encoded string) bool {
	until, ok := v.known.Get(v.key(account, password, encoded))
	return ok && v.now().Before(until)
}

func (v *Verifier) key(account int64, password, encoded string) string {
	return string(v.hasher.Hash(fmt.Sprintf("%d\x00%s\x00%s", account, encoded, password)))
}
