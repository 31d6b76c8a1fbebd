package fault

import (
	"errors"
	"net/http"

	"connectrpc.com/connect"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

// HTTPStatus is the status to answer err with: 200 for nil, else 4xx for what the client can mend and 5xx for what it
// cannot. The text for the body is From(err).Text().
func HTTPStatus(err error) int {
	if err == nil {
		return http.StatusOK
	}
	return From(err).Code.HTTPStatus()
}

// Connect is the error to answer a runner with; nil for nil. An error that is one of Connect already, such as those
// of its decoder, stays as it is. The text is the safe one; callers whose answer depends on a word in it, such as
// "unregistered runner", put it into the message.
func Connect(err error) *connect.Error {
	if err == nil {
		return nil
	}
	var ready *connect.Error
	if find(err) == nil && errors.As(err, &ready) {
		return ready
	}
	found := From(err)
	return connect.NewError(traitsOf(found.Code).connect, errors.New(found.Text()))
}

// Temporal is the error to return from an activity; nil for nil. It is an application error whose type is the code,
// retryable or not as the code says, and whose cause is kept for the reader of the history: no error may hold a
// secret. Errors that already mean something to Temporal stay as they are.
func Temporal(err error) error {
	if err == nil || isTemporal(err) {
		return err
	}
	found := From(err)
	return temporal.NewApplicationErrorWithOptions(found.Text(), string(found.Code), temporal.ApplicationErrorOptions{
		NonRetryable: !found.Code.Retryable(),
		Cause:        err,
	})
}

func isTemporal(err error) bool {
	var application *temporal.ApplicationError
	var canceled *temporal.CanceledError
	return errors.Is(err, activity.ErrResultPending) || errors.As(err, &application) || errors.As(err, &canceled)
}
