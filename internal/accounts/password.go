package accounts

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/pawl-ci/pawl/internal/fault"
)

// The lengths of a password, in bytes.
const (
	MinPasswordBytes = 8
	MaxPasswordBytes = 1024
)

const (
	saltBytes = 16
	keyBytes  = 32
	// The limits of stored parameters guard against a row that would make one check take all memory.
	maxMemoryKiB  = 1 << 20
	maxIterations = 64
)

// PasswordOptions say what one check of a password costs, and how many may run at once. Zero values mean the defaults,
// which are those of the OWASP cheat sheet: about 30 ms and 19 MiB.
type PasswordOptions struct {
	MemoryKiB  uint32
	Iterations uint32
	// Concurrent is how many hashes are computed at once; the rest wait. 0 means half the CPUs, at least one.
	Concurrent int
	// MaxWait is how long a check may wait for its turn; 0 means 5 s. After it the fault is 429.
	MaxWait time.Duration
}

// Passwords hashes and checks passwords with argon2id, a few at a time, because each costs memory and CPU on purpose.
// It is safe for concurrent use.
type Passwords struct {
	options PasswordOptions
	slots   chan struct{}
}

// NewPasswords makes a Passwords.
func NewPasswords(o PasswordOptions) *Passwords {
	o.MemoryKiB = cmp.Or(o.MemoryKiB, 19<<10)
	o.Iterations = cmp.Or(o.Iterations, 2)
	o.Concurrent = cmp.Or(o.Concurrent, max(1, runtime.NumCPU()/2))
	o.MaxWait = cmp.Or(o.MaxWait, 5*time.Second)
	return &Passwords{options: o, slots: make(chan struct{}, o.Concurrent)}
}

// CheckPassword tells whether a password may be set. Fault: 422 naming the field Password.
func CheckPassword(password string) error {
	switch {
	case password == "":
		return fault.Unprocessable("Required").In("Password")
	case len(password) < MinPasswordBytes:
		return fault.Unprocessable("MinSize(%d)", MinPasswordBytes).In("Password")
	case len(password) > MaxPasswordBytes:
		return fault.Unprocessable("MaxSize(%d)", MaxPasswordBytes).In("Password")
	}
	return nil
}

// Hash returns what is stored of a password, in PHC string format. Faults: those of CheckPassword, 429.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	if err := CheckPassword(password); err != nil {
		return "", err
	}
	h := phc{memory: p.options.MemoryKiB, iterations: p.options.Iterations, threads: 1, salt: make([]byte, saltBytes)}
	_, _ = rand.Read(h.salt) // never fails: crypto/rand ends the process instead
	key, err := p.compute(ctx, password, h)
	if err != nil {
		return "", err
	}
	h.key = key
	return h.String(), nil
}

// Verify tells whether the password is the one that encoded was made of. An empty encoded, that of an account without
// a password or of nobody, matches none and costs as much. Fault: 429.
func (p *Passwords) Verify(ctx context.Context, password, encoded string) (bool, error) {
	if len(password) > MaxPasswordBytes {
		return false, nil
	}
	h, err := parsePHC(encoded)
	if encoded != "" && err != nil {
		return false, err
	}
	if encoded == "" {
		h = phc{memory: p.options.MemoryKiB, iterations: p.options.Iterations, threads: 1,
			salt: make([]byte, saltBytes), key: make([]byte, keyBytes)}
	}
	key, err := p.compute(ctx, password, h)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, h.key) == 1 && encoded != "", nil
}

func (p *Passwords) compute(ctx context.Context, password string, h phc) ([]byte, error) {
	wait := time.NewTimer(p.options.MaxWait)
	defer wait.Stop()
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-wait.C:
		return nil, fault.TooManyRequests("too many passwords are being checked, try again later")
	case <-ctx.Done():
		return nil, fmt.Errorf("check password: %w", ctx.Err())
	}
	return argon2.IDKey([]byte(password), h.salt, h.iterations, h.memory, h.threads, keyBytes), nil
}

// phc is a stored password: $argon2id$v=19$m=19456,t=2,p=1$salt$key.
type phc struct {
	memory, iterations uint32
	threads            uint8
	salt, key          []byte
}

func (h phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.iterations, h.threads,
		b64.EncodeToString(h.salt), b64.EncodeToString(h.key))
}

var errStoredPassword = errors.New("stored password is malformed")

func parsePHC(encoded string) (phc, error) {
	var h phc
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, errStoredPassword
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.iterations, &h.threads); err != nil {
		return h, errStoredPassword
	}
	salt, errSalt := base64.RawStdEncoding.DecodeString(parts[4])
	key, errKey := base64.RawStdEncoding.DecodeString(parts[5])
	h.salt, h.key = salt, key
	if errSalt != nil || errKey != nil || !h.sane() {
		return h, errStoredPassword
	}
	return h, nil
}

func (h phc) sane() bool {
	return h.memory > 0 && h.memory <= maxMemoryKiB && h.iterations > 0 && h.iterations <= maxIterations &&
		h.threads > 0 && len(h.key) == keyBytes
}
