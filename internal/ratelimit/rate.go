package ratelimit

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Rate is how much a bucket lets through. The zero value limits nothing.
type Rate struct {
	PerSecond float64
	// Burst is how many tokens a full bucket has.
	Burst int
}

// off is the text of the zero value.
const off = "off"

// Off tells whether nothing is limited.
func (r Rate) Off() bool { return r.PerSecond == 0 }

// String is what UnmarshalText reads.
func (r Rate) String() string {
	if r.Off() {
		return off
	}
	return strconv.FormatFloat(r.PerSecond, 'f', -1, 64) + ":" + strconv.Itoa(r.Burst)
}

// MarshalText implements encoding.TextMarshaler.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads requests a second and burst, "50:500", or "off".
func (r *Rate) UnmarshalText(text []byte) error {
	if string(text) == off {
		*r = Rate{}
		return nil
	}
	perSecond, burst, found := strings.Cut(string(text), ":")
	rate, err := strconv.ParseFloat(perSecond, 64)
	n, err2 := strconv.Atoi(burst)
	if !found || err != nil || err2 != nil || math.IsInf(rate, 0) || !(rate > 0) || n < 1 {
		return fmt.Errorf("rate %q is neither %q nor of the form requests a second:burst, such as 50:500", text, off)
	}
	*r = Rate{PerSecond: rate, Burst: n}
	return nil
}
