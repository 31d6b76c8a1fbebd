package fault

import (
	"context"
	"errors"
	"net"
	"net/http"
)

const (
	internalText    = "internal error"
	canceledText    = "the request was canceled"
	deadlineText    = "the request took too long"
	unreachableText = "a service that this server depends on cannot be reached"
)

// From finds the [Error] in a chain. An error without one becomes internal with a fixed text and the whole of err as
// its cause, except those which the standard library makes for everybody: a canceled context, a passed deadline, a
// body above its limit, a connection that fails. From(nil) is nil; do not return it as an error without a check.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	if found := find(err); found != nil {
		return found
	}
	return classify(err)
}

func classify(err error) *Error {
	var tooLarge *http.MaxBytesError
	var network *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return Wrap(CodeCanceled, err, canceledText)
	case errors.Is(err, context.DeadlineExceeded):
		return Wrap(CodeUnavailable, err, deadlineText)
	case errors.As(err, &tooLarge):
		return Wrap(CodeTooLarge, err, "the body is larger than %d bytes", tooLarge.Limit)
	case errors.As(err, &network):
		return Wrap(CodeUnavailable, err, unreachableText)
	default:
		return Internal(err)
	}
}
