package git

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound says that a repository, ref, commit or path is not there. The error is always a [NotFoundError].
	ErrNotFound = errors.New("not found")
	// ErrExists says that the repository to create is there already.
	ErrExists = errors.New("already exists")
	// ErrInvalid says that a name, path, sha or URL is malformed. The text of the error is safe to show to a client.
	ErrInvalid = errors.New("invalid")
	// ErrTooLarge says that an answer is above its limit.
	ErrTooLarge = errors.New("too large")
	// ErrMethod says that a git endpoint was called with the wrong HTTP method.
	ErrMethod = errors.New("method not allowed")
)

// NotFoundError names what is missing. It matches [ErrNotFound].
type NotFoundError struct {
	Kind string // "repository", "ref", "commit", "path" or "endpoint"
	Name string
}

func (e *NotFoundError) Error() string { return fmt.Sprintf("%s %q not found", e.Kind, e.Name) }

// Is makes errors.Is(err, ErrNotFound) hold.
func (e *NotFoundError) Is(target error) bool { return target == ErrNotFound }

// CommandError says that a git command failed for a reason other than a missing object. Its text may
// hold paths of the server: it is for logs, never for clients.
type CommandError struct {
	Op       string // git subcommand
	ExitCode int    // -1 when it was ended by a signal
	Stderr   string // the last 4 KiB
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("git %s: exit status %d: %s", e.Op, e.ExitCode, e.Stderr)
}

func invalidf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// exitCode is git's own exit code, or 0 when err says something else.
func exitCode(err error) int {
	var failed *CommandError
	if errors.As(err, &failed) {
		return failed.ExitCode
	}
	return 0
}

// missing reports whether err says that the commit sha is not there.
func missing(err error, sha string) bool {
	var absent *NotFoundError
	return errors.As(err, &absent) && absent.Kind == "commit" && absent.Name == sha
}
