package secretbox

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/pawl-ci/pawl/internal/token"
)

const (
	// format is of values as doc.go describes them.
	format    = 1
	keyIDSize = 8
	nonceAt   = 1 + keyIDSize
	textAt    = nonceAt + chacha20poly1305.NonceSizeX
)

// ErrKey is returned for a value that was sealed with a key which this process does not have.
var ErrKey = errors.New("sealed with an unknown key")

// ErrSealed is returned for what is no sealed value, or not that of this place.
var ErrSealed = errors.New("sealed value is damaged or of another place")

type keyID [keyIDSize]byte

// Keyring seals with its primary key and opens with every key it has. It may be used by many goroutines.
type Keyring struct {
	primary keyID
	keys    map[keyID]cipher.AEAD
}

// New makes a keyring of the installation's secret key and of those that were it before. Each has at least 16 bytes.
func New(secret []byte, older ...[]byte) (*Keyring, error) {
	k := &Keyring{keys: map[keyID]cipher.AEAD{}}
	for i, s := range append([][]byte{secret}, older...) {
		id, err := k.add(s)
		if err != nil {
			return nil, fmt.Errorf("key %d of the keyring: %w", i, err)
		}
		if i == 0 {
			k.primary = id
		}
	}
	return k, nil
}

func (k *Keyring) add(secret []byte) (id keyID, err error) {
	key, err := token.Derive(secret, "secretbox")
	if err != nil {
		return id, err
	}
	name, err := token.Derive(key, "secretbox key id")
	if err != nil {
		return id, err
	}
	copy(id[:], name)
	k.keys[id], err = chacha20poly1305.NewX(key)
	return id, err
}

// Header is how every value begins that is sealed with the primary key.
func (k *Keyring) Header() []byte { return append([]byte{format}, k.primary[:]...) }

// IsCurrent tells whether a value is sealed with the primary key.
func (k *Keyring) IsCurrent(sealed []byte) bool { return bytes.HasPrefix(sealed, k.Header()) }

// Seal encrypts a text for its place.
func (k *Keyring) Seal(at Place, text []byte) []byte {
	out := make([]byte, textAt, textAt+len(text)+chacha20poly1305.Overhead)
	copy(out, k.Header())
	_, _ = rand.Read(out[nonceAt:]) // never fails: crypto/rand ends the process instead
	return k.keys[k.primary].Seal(out, out[nonceAt:textAt], text, at.bytes())
}

// Open decrypts the value of a place. Its errors are ErrKey and ErrSealed; they tell nothing of the value.
func (k *Keyring) Open(at Place, sealed []byte) ([]byte, error) {
	if len(sealed) < textAt+chacha20poly1305.Overhead || sealed[0] != format {
		return nil, fmt.Errorf("open %s: %w", at, ErrSealed)
	}
	aead, known := k.keys[keyID(sealed[1:nonceAt])]
	if !known {
		return nil, fmt.Errorf("open %s: %w", at, ErrKey)
	}
	text, err := aead.Open(nil, sealed[nonceAt:textAt], sealed[textAt:], at.bytes())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", at, ErrSealed)
	}
	return text, nil
}
