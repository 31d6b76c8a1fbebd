package activities

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pawl-ci/pawl/internal/ci"
)

// A local activity is repeated until it succeeds, and until then its run hears of nothing, not even of a cancel by
// force. That is right while the database is away. What comes again however often it is tried has to end the job
// that it concerns instead (workflow-execution.md, Recovery Strategies).

// verdict is why a job ends that an activity was asked about.
type verdict struct {
	text  string
	class ci.ErrorClass
}

// answerAll answers every question; what is wrong with one job for good ends this one, by fail. prepared is the error
// of what all of the answers depend on.
func answerAll[Q, A any](ctx context.Context, a *Activities, queries []Q, prepared error, answer func(Q) (A, error), fail func(Q, verdict) A) ([]A, error) {
	out := make([]A, len(queries))
	for i, q := range queries {
		err := prepared
		if err == nil {
			err = guarded(func() (err error) {
				out[i], err = answer(q)
				return err
			})
		}
		if err == nil {
			continue
		}
		v, final := verdictOf(err)
		if !final {
			return nil, failed(err)
		}
		if v.class == ci.ErrorUnknown {
			a.logger.ErrorContext(ctx, "a job ends by a fault that no repetition mends", "question", q, "error", err)
		}
		out[i] = fail(q, v)
	}
	return out, nil
}

// verdictOf tells whether an error would come again: one that is the author's to mend, or one of ours.
func verdictOf(err error) (v verdict, final bool) {
	if isHopeless(err) {
		return verdict{"a fault of the server, of which its log says more: " + err.Error(), ci.ErrorUnknown}, true
	}
	text := problemOf(err)
	return verdict{text, ci.ErrorPermanent}, text != ""
}

// hopelessError marks an error that depends on nothing that changes.
type hopelessError struct{ error }

func (e hopelessError) Unwrap() error { return e.error }

func hopeless(err error) error {
	if err == nil {
		return nil
	}
	return hopelessError{err}
}

func isHopeless(err error) bool {
	var marked hopelessError
	return errors.As(err, &marked) || isRefusedByPostgres(err)
}

// isRefusedByPostgres is for data that no column takes: of a wrong form, against a constraint, or above a limit. It is
// not for statements, which a migration under way may break for a moment.
func isRefusedByPostgres(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || len(pg.Code) < 2 {
		return false
	}
	switch pg.Code[:2] {
	case "22", "54":
		return true
	}
	return pg.Code == pgNotNull || pg.Code == pgCheck
}

// Constraints that a row breaks by itself. Keys are not among them: what they refuse may have been somebody else's doing
// a moment ago.
const (
	pgNotNull = "23502"
	pgCheck   = "23514"
)

// guarded makes an error of a panic, which would be repeated as well.
func guarded(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = hopeless(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	return do()
}
