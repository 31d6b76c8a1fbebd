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
type Hasher struct {
	key   []byte
	older [][]byte
}

// NewHasher takes the server's secret key, of at least 16 bytes, and keys that were it before. All processes of an
// installation share it; tokens that were hashed with none of the keys are unknown.
func NewHasher(key []byte, older ...[]byte) (*Hasher, error) {
	for _, k := range append([][]byte{key}, older...) {
		if len(k) < minKeyLength {
			return nil, errShortKey
		}
	}
	return &Hasher{key: key, older: older}, nil
}

// Hash is HMAC-SHA256 of the token. Look-ups by this hash leak nothing through timing, because an attacker cannot
// choose it.
func (h *Hasher) Hash(token string) []byte { return hash(h.key, token) }

// Hashes are those by which the database may know the token: first that of Hash, and then those with the older keys.
func (h *Hasher) Hashes(token string) [][]byte {
	out := [][]byte{h.Hash(token)}
	for _, key := range h.older {
		out = append(out, hash(key, token))
	}
	return out
}

func hash(key []byte, token string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(token))
	return mac.Sum(nil)
}

// Matches tells in constant time whether the token has this hash, with any of the keys.
func (h *Hasher) Matches(token string, hash []byte) bool {
	if hmac.Equal(h.Hash(token), hash) {
		return true
	}
	return h.IsOld(token, hash)
}

// IsOld tells whether the token has this hash with one of the older keys.
func (h *Hasher) IsOld(token string, known []byte) bool {
	for _, key := range h.older {
		if hmac.Equal(hash(key, token), known) {
			return true
		}
	}
	return false
}
