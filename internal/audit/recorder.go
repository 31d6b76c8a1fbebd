package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pawl-ci/pawl/db"
)

// The kinds of credentials.
const (
	Nothing           = "none"
	AccessToken       = "token"
	Password          = "password"
	TaskToken         = "task"
	RegistrationToken = "registration-token"
	Command           = "command" // whoever can run `pawl admin` on the database
	Unknown           = "unknown" // credentials that are not right
)

// The most bytes that are kept of what a client chooses.
const (
	maxText  = 256
	maxError = 512
)

// writeTimeout bounds how long an answer waits for its entry.
const writeTimeout = 3 * time.Second

// Recorder writes entries. It is safe for concurrent use.
type Recorder struct {
	db      *db.DB
	log     *slog.Logger
	entries *prometheus.CounterVec
}

// New makes a Recorder. The registerer may be that of another Recorder of the same process.
func New(d *db.DB, r prometheus.Registerer, log *slog.Logger) (*Recorder, error) {
	entries, err := newCounter(r)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return &Recorder{db: d, log: log, entries: entries}, nil
}

// Results of recording, which are labels.
const (
	written    = "written"
	failed     = "failed"     // only logged
	suppressed = "suppressed" // a client was refused too often
)

func newCounter(r prometheus.Registerer) (*prometheus.CounterVec, error) {
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "pawl_audit_entries_total", Help: "Entries of the audit log: written, failed to write, or suppressed as too many refusals.",
	}, []string{"result"})
	err := r.Register(counter)
	var taken prometheus.AlreadyRegisteredError
	if errors.As(err, &taken) {
		if existing, ok := taken.ExistingCollector.(*prometheus.CounterVec); ok {
			return existing, nil
		}
	}
	for _, result := range []string{written, failed, suppressed} {
		counter.WithLabelValues(result)
	}
	return counter, err
}

// Record appends an entry before it returns. The client may be gone, what it did is not. An entry that cannot be written is
// logged whole and counted: what was done is not undone for it.
func (r *Recorder) Record(ctx context.Context, e db.AuditEntry) {
	bound(&e)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if err := r.db.AddAudit(ctx, &e); err != nil {
		r.entries.WithLabelValues(failed).Inc()
		r.log.ErrorContext(ctx, "audit entry not stored", "error", err, "entry", e)
		return
	}
	r.entries.WithLabelValues(written).Inc()
}

// Suppressed counts an entry that is not written, because its client has been refused too often.
func (r *Recorder) Suppressed() { r.entries.WithLabelValues(suppressed).Inc() }

// bound cuts what the client chose, and makes it text that Postgres takes.
func bound(e *db.AuditEntry) {
	e.UserAgent, e.Error = cut(e.UserAgent, maxText), cut(e.Error, maxError)
	e.Owner, e.Repo, e.CredentialName = cut(e.Owner, maxText), cut(e.Repo, maxText), cut(e.CredentialName, maxText)
	target := make(map[string]string, len(e.Target))
	for name, value := range e.Target {
		target[cut(name, maxText)] = cut(value, maxText)
	}
	e.Target = target
}

func cut(s string, most int) string {
	if len(s) > most {
		s = s[:most]
		for !utf8.ValidString(s) && len(s) > most-utf8.UTFMax {
			s = s[:len(s)-1] // half a character
		}
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}
