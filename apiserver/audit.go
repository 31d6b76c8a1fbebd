package apiserver

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/audit"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/ratelimit"
	"github.com/pawl-ci/pawl/observability"
)

// refusalsKept bounds how many refusals of one client the audit log takes; more are only counted.
var refusalsKept = ratelimit.Rate{PerSecond: 1, Burst: 60}

// record is what the audit log will say of one call beside who made it.
type record struct {
	made    map[string]string // what a call has made, and what a handler notes
	err     error             // why it was refused
	written bool
}

// note adds to the entry of the call in the audit log, if it has one. Values of secrets must not come here.
func (c *call) note(name, value string) {
	if c.record == nil {
		return
	}
	if c.record.made == nil {
		c.record.made = map[string]string{}
	}
	c.record.made[name] = value
}

// noteMade takes the names of what was made from the answer.
func (c *call) noteMade(body []byte) {
	if c.record == nil {
		return
	}
	var made struct {
		ID       json.Number `json:"id"`
		Name     string      `json:"name"`
		FullName string      `json:"full_name"`
		Login    string      `json:"login"`
	}
	if json.Unmarshal(body, &made) != nil {
		return // a list, or nothing
	}
	for name, value := range map[string]string{"made_id": made.ID.String(), "made_name": made.Name, "made_full_name": made.FullName, "made_login": made.Login} {
		if value != "" {
			c.note(name, value)
		}
	}
}

// recorded runs a call whose action is kept in the audit log: after the handler, and before the answer is on its way, so that
// who has the answer finds the entry. That of a push, whose answer begins before it is done, comes at its end.
func (c *call) recorded(answer func()) {
	c.record = &record{}
	w := &recordingWriter{ResponseWriter: c.w}
	if c.route.recordAt == atHeader {
		w.onStatus = c.writeRecord
	}
	c.w = w
	status := http.StatusInternalServerError // of a handler that panics
	defer func() { c.writeRecord(status) }()
	answer()
	if status = w.status; status == 0 {
		status = http.StatusOK // as net/http has it
	}
}

// recordingWriter remembers the status, and tells of it before it is sent.
type recordingWriter struct {
	http.ResponseWriter

	status   int // 0 until a final header is written
	onStatus func(status int)
}

// WriteHeader notes the first final status.
func (w *recordingWriter) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.note(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implies status 200.
func (w *recordingWriter) Write(b []byte) (int, error) {
	w.note(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

func (w *recordingWriter) note(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	if w.onStatus != nil {
		w.onStatus(status)
	}
}

// Unwrap serves http.ResponseController.
func (w *recordingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// writeRecord writes the entry of the call, once.
func (c *call) writeRecord(status int) {
	if c.record.written {
		return
	}
	c.record.written = true
	result := resultOf(status)
	if result == db.AuditRefused {
		if _, ok := c.server.refusals.Take(c.recordKey()); !ok {
			c.server.audit.Suppressed()
			return
		}
	}
	entry := db.AuditEntry{
		Action: c.route.action, Result: result, Status: status, Target: c.recordTarget(), RequestID: observability.RequestID(c.ctx()),
		UserAgent: c.r.UserAgent(), Address: c.fullAddress(),
	}
	if c.record.err != nil {
		entry.Error = fault.From(c.record.err).Text()
	}
	c.recordActor(&entry)
	c.recordPlace(&entry)
	c.server.audit.Record(c.ctx(), entry)
}

func resultOf(status int) db.AuditResult {
	switch {
	case status >= http.StatusInternalServerError:
		return db.AuditFailed
	case status >= http.StatusBadRequest:
		return db.AuditRefused
	default:
		return db.AuditOK
	}
}

func (c *call) fullAddress() string {
	if address := c.server.TrustedProxies.Address(c.r); address.IsValid() {
		return address.String()
	}
	return ""
}

// recordKey is who is refused.
func (c *call) recordKey() string {
	if c.caller.anonymous() {
		return c.address()
	}
	return c.caller.key
}

func (c *call) recordActor(e *db.AuditEntry) {
	who := c.caller
	actor := who.user
	if who.sudoer != nil {
		actor, e.ActingAs = who.sudoer, who.user.Login
	}
	if actor != nil {
		e.ActorID, e.Actor = actor.ID, actor.Login
	}
	switch {
	case who.task != nil:
		e.Credential, e.CredentialID = audit.TaskToken, who.task.TaskID
	case who.token != nil:
		e.Credential, e.CredentialID, e.CredentialName = audit.AccessToken, who.token.ID, who.token.Name
	case who.password:
		e.Credential = audit.Password
	case c.sentCredentials():
		e.Credential = audit.Unknown
	default:
		e.Credential = audit.Nothing
	}
}

// recordPlace says where: the repository or owner that was found, or else what the path names.
func (c *call) recordPlace(e *db.AuditEntry) {
	switch {
	case c.repo != nil:
		e.RepoID, e.Repo, e.OwnerID, e.Owner = c.repo.ID, c.repo.FullName(), c.repo.OwnerID, c.repo.Owner.Login
	case c.org != nil:
		e.OwnerID, e.Owner = c.org.ID, c.org.Login
	case c.target != nil:
		e.OwnerID, e.Owner = c.target.ID, c.target.Login
	case c.params["repo"] != "":
		e.Owner, e.Repo = c.params["owner"], c.params["owner"]+"/"+c.params["repo"]
	default:
		e.Owner = c.params["org"] + c.params["username"]
	}
}

// recordTarget are the parameters of the path that do not name the place, and what was noted.
func (c *call) recordTarget() map[string]string {
	target := maps.Clone(c.params)
	if target == nil {
		target = map[string]string{}
	}
	for _, place := range []string{"owner", "repo", "org"} {
		delete(target, place)
	}
	maps.Copy(target, c.record.made)
	return target
}

// apiAudit is one entry as it is shown.
type apiAudit struct {
	ID             int64             `json:"id"`
	At             time.Time         `json:"at"`
	Actor          string            `json:"actor"`
	ActorID        int64             `json:"actor_id"`
	ActingAs       string            `json:"acting_as,omitempty"`
	Credential     string            `json:"credential"`
	CredentialID   int64             `json:"credential_id,omitempty"`
	CredentialName string            `json:"credential_name,omitempty"`
	Action         string            `json:"action"`
	Owner          string            `json:"owner,omitempty"`
	Repository     string            `json:"repository,omitempty"`
	Target         map[string]string `json:"target"`
	Address        string            `json:"address,omitempty"`
	UserAgent      string            `json:"user_agent,omitempty"`
	RequestID      string            `json:"request_id,omitempty"`
	Result         db.AuditResult    `json:"result"`
	Status         int               `json:"status,omitempty"`
	Error          string            `json:"error,omitempty"`
}

func showAudit(e db.AuditEntry) apiAudit {
	return apiAudit{
		ID: e.ID, At: e.At.UTC(), Actor: e.Actor, ActorID: e.ActorID, ActingAs: e.ActingAs, Credential: e.Credential,
		CredentialID: e.CredentialID, CredentialName: e.CredentialName, Action: e.Action, Owner: e.Owner, Repository: e.Repo,
		Target: e.Target, Address: e.Address, UserAgent: e.UserAgent, RequestID: e.RequestID, Result: e.Result, Status: e.Status, Error: e.Error,
	}
}

// auditCursor is the place of an entry as a parameter: microseconds and id.
func auditCursor(e db.AuditEntry) string {
	return strconv.FormatInt(e.At.UnixMicro(), 10) + "-" + strconv.FormatInt(e.ID, 10)
}
