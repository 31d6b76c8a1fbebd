package ci

import (
	"database/sql/driver"
	"fmt"
)

// Status is the state of a run, an attempt, a job, a task or a step (execution-semantics.md §2). The zero
// value is StatusUnknown. In JSON, text and SQL it appears as its internal word.
type Status int8

// The states, in the order of a job's life. The numbers are never stored: words are.
const (
	StatusUnknown    Status = iota
	StatusWaiting           // ready, no runner yet
	StatusBlocked           // needs, concurrency, max-parallel or approval hold it back
	StatusRunning           // a runner has it
	StatusCancelling        // a runner has it and was told to stop
	StatusSuccess
	StatusFailure
	StatusCancelled
	StatusSkipped
)

var statusWords = [...]string{
	StatusUnknown:    "unknown",
	StatusWaiting:    "waiting",
	StatusBlocked:    "blocked",
	StatusRunning:    "running",
	StatusCancelling: "cancelling",
	StatusSuccess:    "success",
	StatusFailure:    "failure",
	StatusCancelled:  "cancelled",
	StatusSkipped:    "skipped",
}

// String returns the internal word, e.g. "waiting". A value outside the list reads "unknown".
func (s Status) String() string {
	if s < 0 || int(s) >= len(statusWords) {
		return statusWords[StatusUnknown]
	}
	return statusWords[s]
}

// ParseStatus is the inverse of String: it takes exactly the internal words.
func ParseStatus(word string) (Status, error) {
	for s, w := range statusWords {
		if w == word {
			return Status(s), nil
		}
	}
	return StatusUnknown, fmt.Errorf("unknown status %q", word)
}

// Terminal reports whether s is final: it never changes again within its attempt.
func (s Status) Terminal() bool {
	return s >= StatusSuccess && s <= StatusSkipped
}

// MarshalText returns the internal word. JSON uses it too, for values and for map keys.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes exactly the internal words.
func (s *Status) UnmarshalText(text []byte) error {
	parsed, err := ParseStatus(string(text))
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}

// Value stores the internal word (driver.Valuer).
func (s Status) Value() (driver.Value, error) { return s.String(), nil }

// Scan reads the internal word from text or bytes; SQL NULL reads as StatusUnknown (sql.Scanner).
func (s *Status) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*s = StatusUnknown
		return nil
	case string:
		return s.UnmarshalText([]byte(v))
	case []byte:
		return s.UnmarshalText(v)
	}
	return fmt.Errorf("scan status: unexpected type %T", src)
}
