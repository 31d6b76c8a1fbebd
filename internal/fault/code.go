package fault

import (
	"net/http"

	"connectrpc.com/connect"
)

// Code says what kind of error it is. Its text is stable: it is the type of the error in Temporal histories and the
// value of metric labels.
type Code string

// The codes. The HTTP status that each stands for is in the table below.
const (
	CodeBadRequest      Code = "bad_request"       // a parameter makes no sense, or the thing is in the wrong state
	CodeUnauthenticated Code = "unauthenticated"   // who asks is unknown
	CodeForbidden       Code = "forbidden"         // who asks is known and may not
	CodeNotFound        Code = "not_found"         // missing, or hidden from who asks
	CodeConflict        Code = "conflict"          // exists already, finished already, or lost a race
	CodeTooLarge        Code = "too_large"         // above a documented size limit
	CodeUnprocessable   Code = "unprocessable"     // the body does not fit its schema
	CodeTooManyRequests Code = "too_many_requests" // above a documented rate
	CodeCanceled        Code = "canceled"          // the client went away, or the process stops
	CodeUnavailable     Code = "unavailable"       // something that we depend on does not answer; try again
	CodeInternal        Code = "internal"          // a defect, or an error that nobody gave a code
)

// statusClientClosedRequest is what nginx and Connect answer when the client is gone. Nobody reads it; it keeps such
// requests out of the count of server errors.
const statusClientClosedRequest = 499

// traits is how a code looks at each edge.
type traits struct {
	http    int
	connect connect.Code
	// retryable says that the same request may succeed later with nothing changed by the caller, so Temporal retries.
	retryable bool
}

// table is read-only. Too large is an invalid argument to Connect and not an exhausted resource, because clients
// retry the latter.
var table = map[Code]traits{
	CodeBadRequest:      {http.StatusBadRequest, connect.CodeInvalidArgument, false},
	CodeUnauthenticated: {http.StatusUnauthorized, connect.CodeUnauthenticated, false},
	CodeForbidden:       {http.StatusForbidden, connect.CodePermissionDenied, false},
	CodeNotFound:        {http.StatusNotFound, connect.CodeNotFound, false},
	CodeConflict:        {http.StatusConflict, connect.CodeAlreadyExists, false},
	CodeTooLarge:        {http.StatusRequestEntityTooLarge, connect.CodeInvalidArgument, false},
	CodeUnprocessable:   {http.StatusUnprocessableEntity, connect.CodeInvalidArgument, false},
	CodeTooManyRequests: {http.StatusTooManyRequests, connect.CodeResourceExhausted, true},
	CodeCanceled:        {statusClientClosedRequest, connect.CodeCanceled, true},
	CodeUnavailable:     {http.StatusServiceUnavailable, connect.CodeUnavailable, true},
	CodeInternal:        {http.StatusInternalServerError, connect.CodeInternal, true},
}

// traitsOf treats a code that is not in the table, which only a defect can make, as internal.
func traitsOf(code Code) traits {
	if t, ok := table[code]; ok {
		return t
	}
	return table[CodeInternal]
}

// HTTPStatus is the status that the code stands for, from 400 to 599.
func (c Code) HTTPStatus() int { return traitsOf(c).http }

// Retryable says that the same request may succeed later with nothing changed by the caller.
func (c Code) Retryable() bool { return traitsOf(c).retryable }
