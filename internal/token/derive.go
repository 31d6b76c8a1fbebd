package token

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// Derive makes a key of 32 bytes for one purpose out of the installation's secret key, so that one leaked key does not
// open what another protects.
func Derive(secret []byte, purpose string) ([]byte, error) {
	if len(secret) < minKeyLength {
		return nil, errShortKey
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "pawl/"+purpose, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive key for %s: %w", purpose, err)
	}
	return key, nil
}
