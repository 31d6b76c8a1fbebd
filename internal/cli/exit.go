package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/pawl-ci/pawl/internal/client"
)

// With what a command exits that has not done what was asked, beside 80 for a command line that is wrong.
const (
	exitFailed      = 1
	exitAway        = 3 // the server cannot be reached or has too much to do: later it may work
	exitDenied      = 4 // the token is wrong, or may not do this
	exitNotFound    = 5
	exitInterrupted = 130
)

// errInterrupted is that the user has stopped a command, which is not the success of what it waited for.
var errInterrupted = errors.New("interrupted")

// ExitStatus is with what the program exits after an error of a command.
func ExitStatus(err error) int {
	var answer *client.Error
	var away *client.Unreachable
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.As(err, &away):
		return exitAway
	case !errors.As(err, &answer):
		return exitFailed
	case !client.Refused(err):
		return exitAway
	case answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden:
		return exitDenied
	case answer.Status == http.StatusNotFound:
		return exitNotFound
	}
	return exitFailed
}

// hiding are the answers that somebody without a token may get for what is private.
var hiding = []int{http.StatusUnauthorized, http.StatusNotFound}

// explain adds to an error what the user may do about it.
func (s *session) explain(ctx context.Context, err error) error {
	var answer *client.Error
	switch {
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return errInterrupted
	case errors.As(err, &answer) && s.Token == "" && slices.Contains(hiding, answer.Status):
		return fmt.Errorf("%w; set PAWL_TOKEN, or add the server with `pawl context add NAME --url %s`", err, s.URL)
	case errors.As(err, &answer) && answer.Status == http.StatusUnauthorized:
		return fmt.Errorf("%w; the token may have been deleted: `pawl context add` takes another", err)
	}
	return err
}
