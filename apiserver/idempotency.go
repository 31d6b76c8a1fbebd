package apiserver

import (
	"strings"

	"github.com/pawl-ci/pawl/internal/fault"
)

const (
	// idempotencyHeader is by what a client names a request that it may have to repeat.
	idempotencyHeader = "Idempotency-Key"
	// maxIdempotencyKey is the longest such name.
	maxIdempotencyKey = 255
)

// idempotencyKey is the name that the client gives to its request; empty when it gives none. Fault: 400 for one that
// is no name.
func (c *call) idempotencyKey() (string, error) {
	values := c.r.Header.Values(idempotencyHeader)
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	unprintable := strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' })
	switch {
	case len(values) > 1:
		return "", fault.BadRequest("%s may be given once", idempotencyHeader)
	case key == "" || len(key) > maxIdempotencyKey || unprintable:
		return "", fault.BadRequest("%s must be 1 to %d printable ASCII characters", idempotencyHeader, maxIdempotencyKey)
	}
	return key, nil
}
