package main

import (
	"context"
	"log/slog"
	"os"
	"os/user"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/audit"
)

// recordCommand notes a command in the audit log: what it was to do, as whom of this machine, and what came of it. Nobody
// signs in for it, so the actor is not one of Pawl's users.
func recordCommand(ctx context.Context, d *db.DB, e db.AuditEntry, result error) error {
	recorder, err := audit.New(d, prometheus.NewRegistry(), slog.Default())
	if err != nil {
		return err
	}
	e.Credential, e.Result = audit.Command, db.AuditOK
	e.CredentialName, e.UserAgent = operatingUser(), "pawl "+version
	e.Address, _ = os.Hostname() // empty says that it is not known
	if result != nil {
		e.Result, e.Error = db.AuditFailed, result.Error()
	}
	recorder.Record(ctx, e)
	return result
}

// operatingUser is who runs the program.
func operatingUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "uid " + strconv.Itoa(os.Getuid())
}
