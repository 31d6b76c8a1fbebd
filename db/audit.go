package db

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// AuditResult says how an action ended.
type AuditResult string

// The results: it was done, the client was refused, or it failed on our side.
const (
	AuditOK      AuditResult = "ok"
	AuditRefused AuditResult = "refused"
	AuditFailed  AuditResult = "failed"
)

// AuditEntry is one action, done or refused, as the audit log keeps it.
type AuditEntry struct {
	ID int64
	At time.Time

	// ActorID is 0, and Actor empty, for somebody whom we do not know.
	ActorID int64
	Actor   string
	// ActingAs is the user as whom a site admin acted, if that was another.
	ActingAs string
	// Credential is its kind; the id and the name are those of the access token or task.
	Credential     string
	CredentialID   int64
	CredentialName string

	Action  string
	OwnerID int64
	Owner   string
	RepoID  int64
	Repo    string // owner/name
	// Target names what else the action is about: {"run": "12"}.
	Target map[string]string

	Address   string
	UserAgent string
	RequestID string

	Result AuditResult
	Status int // of HTTP; 0 where there is none
	Error  string
}

// auditColumns are all, in the order of the fields.
const auditColumns = `id, at, actor_id, actor, acting_as, credential, credential_id, credential_name, action, owner_id, owner,
	repo_id, repo, target, address, user_agent, request_id, result, status, error`

// AddAudit appends an entry, whose id and time the database gives.
func (d *DB) AddAudit(ctx context.Context, e *AuditEntry) error {
	target := e.Target
	if target == nil {
		target = map[string]string{}
	}
	err := d.Pool.QueryRow(ctx, `INSERT INTO audit_log (actor_id, actor, acting_as, credential, credential_id, credential_name,
			action, owner_id, owner, repo_id, repo, target, address, user_agent, request_id, result, status, error)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) RETURNING id, at`, prepared,
		e.ActorID, e.Actor, e.ActingAs, e.Credential, e.CredentialID, e.CredentialName, e.Action, e.OwnerID, e.Owner, e.RepoID,
		e.Repo, target, e.Address, e.UserAgent, e.RequestID, string(e.Result), e.Status, e.Error).Scan(&e.ID, &e.At)
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Action, err)
	}
	return nil
}

// AuditFilter selects entries. Zero fields select all.
type AuditFilter struct {
	Actor  string // login, in whatever case
	Action string
	Owner  string // name, in whatever case
	Repo   string // owner/name, in whatever case
	// OwnerID and RepoID leave out what was about another of the same name, which is gone.
	OwnerID, RepoID int64
	Result          AuditResult
	Since, Until    time.Time // Since is included, Until is not
	// After is the last entry of the page before.
	After AuditKey
	Limit int
}

// AuditKey is the place of an entry in the list.
type AuditKey struct {
	At time.Time
	ID int64
}

// AuditLog returns entries, the newest first.
func (d *DB) AuditLog(ctx context.Context, f AuditFilter) ([]AuditEntry, error) {
	query, args := f.query()
	rows, err := d.Pool.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	entries, err := pgx.CollectRows(rows, pgx.RowToStructByPos[AuditEntry])
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return entries, nil
}

// query is text that the indexes of the table fit: each condition but the ids has one that ends in the order of the list.
func (f AuditFilter) query() (string, []any) {
	var where []string
	var args []any
	add := func(set bool, condition string, values ...any) {
		if !set {
			return
		}
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where = append(where, condition)
	}
	add(f.Actor != "", "lower(actor) = ?", strings.ToLower(f.Actor))
	add(f.Action != "", "action = ?", f.Action)
	add(f.Owner != "", "lower(owner) = ? AND owner <> ''", strings.ToLower(f.Owner))
	add(f.Repo != "", "lower(repo) = ? AND repo <> ''", strings.ToLower(f.Repo))
	add(f.OwnerID != 0, "owner_id = ?", f.OwnerID)
	add(f.RepoID != 0, "repo_id = ?", f.RepoID)
	add(f.Result != "", "result = ?", string(f.Result))
	add(f.Result == AuditRefused || f.Result == AuditFailed, "result <> 'ok'")
	add(!f.Since.IsZero(), "at >= ?", f.Since)
	add(!f.Until.IsZero(), "at < ?", f.Until)
	add(!f.After.At.IsZero(), "(at, id) < (?, ?)", f.After.At, f.After.ID)
	query := "SELECT " + auditColumns + " FROM audit_log"
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	args = append(args, f.Limit)
	return query + fmt.Sprintf(" ORDER BY at DESC, id DESC LIMIT $%d", len(args)), args
}

// SweepAudit forgets entries older than age, the oldest first and at most limit, and returns how many.
func (d *DB) SweepAudit(ctx context.Context, age time.Duration, limit int) (n int64, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL pawl.audit_sweep = 'on'`); err != nil {
			return err
		}
		done, err := tx.Exec(ctx, `DELETE FROM audit_log WHERE id IN (
			SELECT id FROM audit_log WHERE at < now() - $1::interval ORDER BY at, id LIMIT $2)`, age, limit)
		n = done.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("sweep audit log: %w", err)
	}
	return n, nil
}
