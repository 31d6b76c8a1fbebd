package fault_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/pawl-ci/pawl/internal/fault"
)

// agreement is what each edge says about an error of each code.
var agreement = []struct {
	code      fault.Code
	make      func(string, ...any) *fault.Error
	http      int
	connect   connect.Code
	retryable bool
}{
	{fault.CodeBadRequest, fault.BadRequest, 400, connect.CodeInvalidArgument, false},
	{fault.CodeUnauthenticated, fault.Unauthenticated, 401, connect.CodeUnauthenticated, false},
	{fault.CodeForbidden, fault.Forbidden, 403, connect.CodePermissionDenied, false},
	{fault.CodeNotFound, fault.NotFound, 404, connect.CodeNotFound, false},
	{fault.CodeConflict, fault.Conflict, 409, connect.CodeAlreadyExists, false},
	{fault.CodeTooLarge, fault.TooLarge, 413, connect.CodeInvalidArgument, false},
	{fault.CodeUnprocessable, fault.Unprocessable, 422, connect.CodeInvalidArgument, false},
	{fault.CodeTooManyRequests, fault.TooManyRequests, 429, connect.CodeResourceExhausted, true},
	{fault.CodeUnavailable, fault.Unavailable, 503, connect.CodeUnavailable, true},
	{fault.CodeCanceled, withCode(fault.CodeCanceled), 499, connect.CodeCanceled, true},
	{fault.CodeInternal, withCode(fault.CodeInternal), 500, connect.CodeInternal, true},
}

func withCode(code fault.Code) func(string, ...any) *fault.Error {
	return func(format string, args ...any) *fault.Error { return fault.New(code, format, args...) }
}

func TestEdgesAgree(t *testing.T) {
	for _, row := range agreement {
		t.Run(string(row.code), func(t *testing.T) {
			err := fmt.Errorf("somewhere: %w", row.make("no %s", "luck").In("Ref"))

			require.Equal(t, row.code, fault.From(err).Code)
			require.True(t, fault.Has(err, row.code))
			require.Equal(t, row.http, fault.HTTPStatus(err))

			rpc := fault.Connect(err)
			require.Equal(t, row.connect, rpc.Code())
			require.Equal(t, "[Ref]: no luck", rpc.Message())

			application := asApplicationError(t, fault.Temporal(err))
			require.Equal(t, string(row.code), application.Type())
			require.Equal(t, "[Ref]: no luck", application.Message())
			require.Equal(t, !row.retryable, application.NonRetryable())
			require.ErrorIs(t, application, err)
		})
	}
}

// The client's fault stays the client's fault at every edge, and only what may be retried at one may be at another.
func TestEdgesAgreeOnWhoseFaultItIs(t *testing.T) {
	for _, row := range agreement {
		clientHTTP := row.http < 500
		clientRPC := connectStatus(t, fault.Connect(row.make("x"))) < 500
		require.Equal(t, clientHTTP, clientRPC, row.code)
		if !clientHTTP {
			require.True(t, row.code.Retryable(), row.code)
		}
	}
}

// connectStatus asks Connect itself which HTTP status its code has.
func connectStatus(t *testing.T, err *connect.Error) int {
	t.Helper()
	response := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
	request.Header.Set("Content-Type", "application/json")
	require.NoError(t, connect.NewErrorWriter().Write(response, request, err))
	return response.Code
}

func TestFromClassifiesErrorsOfTheStandardLibrary(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused by 10.0.0.7")}
	for _, row := range []struct {
		err  error
		code fault.Code
	}{
		{context.Canceled, fault.CodeCanceled},
		{context.DeadlineExceeded, fault.CodeUnavailable},
		{&http.MaxBytesError{Limit: 10}, fault.CodeTooLarge},
		{refused, fault.CodeUnavailable},
		{errors.New("relation \"jobs\" does not exist"), fault.CodeInternal},
	} {
		wrapped := fmt.Errorf("query: %w", row.err)
		found := fault.From(wrapped)
		require.Equal(t, row.code, found.Code)
		require.NotContains(t, found.Text(), row.err.Error())
		require.ErrorIs(t, found, row.err)
	}
}

func TestCausesStayInside(t *testing.T) {
	secret := errors.New("password=hunter2")
	for _, err := range []error{
		secret,
		fault.Internal(secret),
		fault.Wrap(fault.CodeUnavailable, secret, "try again later"),
		&net.OpError{Op: "dial", Err: secret},
	} {
		require.Contains(t, fault.From(err).Error(), "hunter2", "logs need the cause")
		require.NotContains(t, fault.From(err).Text(), "hunter2")
		require.NotContains(t, fault.Connect(err).Error(), "hunter2")
		require.NotContains(t, asApplicationError(t, fault.Temporal(err)).Message(), "hunter2")
	}
}

func TestUnknownCodeIsInternal(t *testing.T) {
	err := &fault.Error{Code: "made up", Message: "m"}
	require.Equal(t, 500, fault.HTTPStatus(err))
	require.Equal(t, connect.CodeInternal, fault.Connect(err).Code())
}

func TestNil(t *testing.T) {
	require.Nil(t, fault.From(nil))
	require.Nil(t, fault.Connect(nil))
	require.NoError(t, fault.Temporal(nil))
	require.Equal(t, 200, fault.HTTPStatus(nil))
	require.False(t, fault.Has(nil, fault.CodeInternal))
}

func TestOutermostFaultWins(t *testing.T) {
	inner := fault.NotFound("ref %q doesn't exist", "main")
	outer := fault.Wrap(fault.CodeUnprocessable, inner, "the workflow cannot be read")
	require.Equal(t, 422, fault.HTTPStatus(outer))
	require.ErrorIs(t, outer, inner)
}

func TestInLeavesTheOriginal(t *testing.T) {
	plain := fault.Unprocessable("Required")
	require.Equal(t, "[Ref]: Required", plain.In("Ref").Text())
	require.Equal(t, "Required", plain.Text())
}

func TestErrorsOfAnEdgePassThroughIt(t *testing.T) {
	rpc := connect.NewError(connect.CodeUnimplemented, errors.New("no such method"))
	require.Same(t, rpc, fault.Connect(fmt.Errorf("call: %w", rpc)))

	for _, err := range []error{
		activity.ErrResultPending,
		temporal.NewCanceledError(),
		temporal.NewNonRetryableApplicationError("m", "t", nil),
	} {
		require.Equal(t, err, fault.Temporal(err))
	}
}

func asApplicationError(t *testing.T, err error) *temporal.ApplicationError {
	t.Helper()
	var application *temporal.ApplicationError
	require.ErrorAs(t, err, &application)
	return application
}
