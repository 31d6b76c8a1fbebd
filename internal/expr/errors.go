package expr

import "fmt"

// Error is a fault of an expression, when it is read or when it is evaluated.
type Error struct {
	// Offset is where the fault is, in bytes from the start of the text that was parsed.
	Offset  int
	Message string
}

// Error returns the message without the position; callers know better how to show it.
func (e *Error) Error() string { return e.Message }

func errorAt(offset int, format string, args ...any) *Error {
	return &Error{Offset: offset, Message: fmt.Sprintf(format, args...)}
}

// shift moves an error into the text that surrounds the expression.
func shift(err error, by int) error {
	if e, ok := err.(*Error); ok {
		return &Error{Offset: e.Offset + by, Message: e.Message}
	}
	return err
}
