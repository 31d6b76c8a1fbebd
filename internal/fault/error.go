package fault

import (
	"errors"
	"fmt"
)

// Error is an error that may be shown to a client. Make it with a constructor, find it in a chain with [From].
type Error struct {
	Code Code
	// Message is safe for clients: it holds nothing that who asked did not know or may not see.
	Message string
	// Field names the part of the input that is to blame, as the client wrote it ("Ref", "inputs.env"); often empty.
	Field string

	cause error
}

// Error is the whole text with the cause, for logs.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.Text()
	}
	return e.Text() + ": " + e.cause.Error()
}

// Text is what a client may read: the message, after the field in the form "[Ref]: Required" (rest-api.md §1.5).
func (e *Error) Text() string {
	if e.Field == "" {
		return e.Message
	}
	return "[" + e.Field + "]: " + e.Message
}

// Unwrap gives the cause to errors.Is and errors.As; nil when there is none.
func (e *Error) Unwrap() error { return e.cause }

// In returns a copy that names the field of the input that is to blame.
func (e *Error) In(field string) *Error {
	named := *e
	named.Field = field
	return &named
}

// New makes an error of the given code. The text is shown to clients.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap gives a code and a text for clients to an error that has neither. The cause is for logs, and for errors.Is.
func Wrap(code Code, cause error, format string, args ...any) *Error {
	wrapped := New(code, format, args...)
	wrapped.cause = cause
	return wrapped
}

// BadRequest (400): a parameter makes no sense, or the thing is not in the state that the request needs.
func BadRequest(format string, args ...any) *Error { return New(CodeBadRequest, format, args...) }

// Unauthenticated (401): who asks is unknown. Towards runners the text must contain "unregistered runner"
// (runner-protocol.md §1).
func Unauthenticated(format string, args ...any) *Error {
	return New(CodeUnauthenticated, format, args...)
}

// Forbidden (403): who asks is known and may not do it, though may know of it.
func Forbidden(format string, args ...any) *Error { return New(CodeForbidden, format, args...) }

// NotFound (404): it is not there, or who asks may not know of it.
func NotFound(format string, args ...any) *Error { return New(CodeNotFound, format, args...) }

// Conflict (409): it exists already, is finished already, or another request was faster.
func Conflict(format string, args ...any) *Error { return New(CodeConflict, format, args...) }

// TooLarge (413): above a size limit. The text should name the limit.
func TooLarge(format string, args ...any) *Error { return New(CodeTooLarge, format, args...) }

// Unprocessable (422): the body does not fit its schema. Name the field with [Error.In].
func Unprocessable(format string, args ...any) *Error { return New(CodeUnprocessable, format, args...) }

// TooManyRequests (429): above a rate limit.
func TooManyRequests(format string, args ...any) *Error {
	return New(CodeTooManyRequests, format, args...)
}

// Unavailable (503): something that we depend on does not answer. The same request may succeed later.
func Unavailable(format string, args ...any) *Error { return New(CodeUnavailable, format, args...) }

// Internal (500): a defect of ours. The cause, which may be nil, is for logs; clients read a fixed text.
func Internal(cause error) *Error { return Wrap(CodeInternal, cause, "%s", internalText) }

// Has says whether err is, after [From], of the given code. It is false for nil.
func Has(err error, code Code) bool {
	return err != nil && From(err).Code == code
}

// find returns the outermost Error of a chain, or nil.
func find(err error) *Error {
	var found *Error
	if errors.As(err, &found) {
		return found
	}
	return nil
}
