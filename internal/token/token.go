// Package token makes the secrets that Pawl hands out (access tokens, runner tokens, task tokens) and the keyed
// hashes by which it recognises them. The hash is fast on purpose: tokens have 160 random bits, so nothing is
// gained by a slow one, and every poll of every runner pays for it.
package token

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// Length is the number of characters of a token: 160 bits in lower-case hex, as Gitea's.
const Length = 40

// New makes a token.
func New() string {
	var b [Length / 2]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}

// minKeyLength is 128 bits, below which a stolen table of hashes could be attacked through the key.
const minKeyLength = 16

var errShortKey = errors.New("secret key: at least 16 bytes are needed")

// Hasher turns tokens into what the database keeps of them.
type Hasher struct{ key []byte }

// NewHasher takes the server's secret key, of at least 16 bytes. All processes of an installation share it; with
// another key every token is unknown.
func NewHasher(key []byte) (*Hasher, error) {
	if len(key) < minKeyLength {
		return nil, errShortKey
	}
	return &Hasher{key: key}, nil
}

// Hash is HMAC-SHA256 of the token. Look-ups by this hash leak nothing through timing, because an attacker cannot
// choose it.
func (h *Hasher) Hash(token string) []byte {
	mac := hmac.New(sha256.New, h.key)
	mac.Write([]byte(token))
	return mac.Sum(nil)
}

// Matches tells in constant time whether the token has this hash.
func (h *Hasher) Matches(token string, hash []byte) bool {
	return hmac.Equal(h.Hash(token), hash)
}
