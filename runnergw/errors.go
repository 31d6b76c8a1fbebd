package runnergw

import (
	"context"
	"errors"
	"strings"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

// Errors whose texts runners or their users know (runner-protocol.md §1, §3, §8).
var (
	errUnregistered = fault.Unauthenticated("unregistered runner")
	errRemoved      = fault.NotFound("runner has been removed")
	errNoSuchTask   = fault.NotFound("resource does not exist")
	errForeignTask  = fault.Forbidden("invalid runner for task")
	errArchived     = fault.Conflict("already exists: log file has been archived")
)

// unavailableClasses are the SQLSTATE classes of a database that cannot work at the moment: connection, transaction
// rollback, resources, operator intervention, system error.
var unavailableClasses = []string{"08", "40", "53", "57", "58"}

// dbFault gives an error of package db its code. Whatever is not an answer of Postgres means that it could not be
// reached, and runners try again.
func dbFault(err error) error {
	var pg *pgconn.PgError
	var known *fault.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, context.Canceled):
		return fault.Wrap(fault.CodeCanceled, err, "the request was canceled")
	case errors.Is(err, db.ErrNotFound):
		return fault.Wrap(fault.CodeNotFound, err, "resource does not exist")
	case errors.As(err, &pg) && !isUnavailable(pg.Code):
		return fault.Internal(err)
	}
	return fault.Wrap(fault.CodeUnavailable, err, "the database cannot be reached at the moment")
}

func isUnavailable(state string) bool {
	for _, class := range unavailableClasses {
		if strings.HasPrefix(state, class) {
			return true
		}
	}
	return false
}

// codeOf is the label under which an answer is counted: "ok" or the name of a Connect code.
func codeOf(err error) string {
	if err == nil {
		return "ok"
	}
	return connect.CodeOf(err).String()
}
