package runnergw

import (
	"context"
	"net/http"
	"strconv"

	runnerv1 "gitea.dev/actions-proto-go/runner/v1"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/audit"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/peer"
	"github.com/pawl-ci/pawl/internal/ratelimit"
	"github.com/pawl-ci/pawl/observability"
)

// refusalsKept bounds how many refused registrations of one client the audit log takes: a runner with an old token tries
// for ever.
var refusalsKept = ratelimit.Rate{PerSecond: 1.0 / 60, Burst: 10}

// recordRegistration notes a registration in the audit log. Nothing else that runners do is of interest there.
func (g *Gateway) recordRegistration(ctx context.Context, m *runnerv1.RegisterRequest, r *db.Runner, err error) {
	entry := db.AuditEntry{
		Action: "runner.register", Credential: audit.RegistrationToken, Target: map[string]string{"name": printable(m.Name)},
		RequestID: observability.RequestID(ctx), Result: db.AuditOK, Status: http.StatusOK,
	}
	client := ""
	if c := callerFrom(ctx); c != nil {
		entry.UserAgent, client = c.agent, peer.Key(c.address)
		if c.address.IsValid() {
			entry.Address = c.address.String()
		}
	}
	if err != nil {
		found := fault.From(err)
		entry.Error, entry.Status, entry.Result = found.Text(), found.Code.HTTPStatus(), db.AuditRefused
		if entry.Status >= http.StatusInternalServerError {
			entry.Result = db.AuditFailed
		}
		if _, ok := g.refusals.Take(client); !ok {
			g.audit.Suppressed()
			return
		}
	} else {
		g.describe(ctx, &entry, r)
	}
	g.audit.Record(ctx, entry)
}

// describe names the runner and whose it is.
func (g *Gateway) describe(ctx context.Context, e *db.AuditEntry, r *db.Runner) {
	e.Target["runner_id"], e.Target["uuid"] = strconv.FormatInt(r.ID, 10), r.UUID.String()
	e.OwnerID, e.RepoID = r.OwnerID, r.RepoID
	if r.RepoID != 0 {
		if repo, err := g.db.RepositoryByID(ctx, r.RepoID); err == nil { // else it is gone already
			e.OwnerID, e.Owner, e.Repo = repo.OwnerID, repo.Owner.Login, repo.FullName()
		}
	} else if r.OwnerID != 0 {
		if owner, err := g.db.OwnerByID(ctx, r.OwnerID); err == nil {
			e.Owner = owner.Login
		}
	}
}
