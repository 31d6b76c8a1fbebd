package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

const (
	defaultTransferTimeout = time.Hour
	defaultIdleTimeout     = 2 * time.Minute
	defaultOnPushTimeout   = time.Minute
	defaultMaxTransfers    = 32
)

// HandlerOptions of a [Handler]. Every field has a default.
type HandlerOptions struct {
	// OnPush hears of every push that changed a ref, before the HTTP response of the push ends. Its
	// context outlives the client. Calls for one repository come one after another, in the order in which
	// the refs changed. An error is logged and does not fail the push, whose objects are stored already.
	OnPush        func(ctx context.Context, p Push) error
	OnPushTimeout time.Duration // 0 means 1 min
	Timeout       time.Duration // of one transfer; 0 means 1 h, more than 2 h is cut
	IdleTimeout   time.Duration // without a byte moved; 0 means 2 min
	MaxTransfers  int           // git processes at once, others wait; 0 means 32
}

// Push is what one push changed.
type Push struct {
	RepoID  int64
	User    string
	Updates []RefUpdate // never empty
}

// Request is one authorized request.
type Request struct {
	RepoID   int64
	Op       Operation
	User     string // for the hook and for OnPush; "" is anonymous
	CanWrite bool   // a Write operation without it is answered with 403
}

// Handler serves repositories of a store over smart HTTP, by git http-backend.
type Handler struct {
	store     *Store
	options   HandlerOptions
	log       *slog.Logger
	transfers *runner
}

// NewHandler returns a handler over the store.
func NewHandler(s *Store, o HandlerOptions) *Handler {
	setDefault(&o.OnPushTimeout, defaultOnPushTimeout)
	setDefault(&o.Timeout, defaultTransferTimeout)
	setDefault(&o.IdleTimeout, defaultIdleTimeout)
	setDefault(&o.MaxTransfers, defaultMaxTransfers)
	o.Timeout = min(o.Timeout, staleLockAge*2/3)
	env := environment(s.layout.home())
	return &Handler{store: s, options: o, log: s.log, transfers: newRunner(s.options.Git, env, o.MaxTransfers)}
}

// Serve answers one request. It moves the connection's deadlines itself, so that the time limits of the
// server in front do not cut a long transfer; a client that goes away ends the git processes of a fetch,
// while a push that has arrived is always finished.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, req Request) {
	out := newResponse(w, h.options.IdleTimeout)
	defer out.release()
	err := h.serve(out, r, req)
	if err == nil {
		return
	}
	status, text := refusalOf(err)
	level := slog.LevelDebug
	if status == http.StatusInternalServerError && !out.started && r.Context().Err() == nil {
		level = slog.LevelError // Once git answers, it fails because of what the client sent.
	}
	h.log.Log(r.Context(), level, "git request failed", "repository_id", req.RepoID, "service", req.Op.service, "status", status, "error", err)
	out.refuse(status, text)
}

func (h *Handler) serve(out *response, r *http.Request, req Request) error {
	if err := h.admit(r, req); err != nil {
		return err
	}
	body, err := h.receive(out, r, req.Op)
	if err != nil {
		return err
	}
	defer body.close()
	if req.Op.Write() && !req.Op.advertise {
		return h.push(out, r, req, body)
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.options.Timeout)
	defer cancel()
	return h.backend(ctx, out, h.cgi(r, req, body.size), body, func(reply io.Reader) error {
		_, err := io.Copy(out, reply)
		return err
	})
}

// admit refuses what needs no look at the body.
func (h *Handler) admit(r *http.Request, req Request) error {
	switch {
	case req.Op.service == "":
		return &refusal{http.StatusNotFound, "not found"}
	case req.Op.method() != r.Method:
		return &refusal{http.StatusMethodNotAllowed, "method not allowed"}
	case req.Op.Write() && !req.CanWrite:
		return &refusal{http.StatusForbidden, "no permission to push to this repository"}
	case !h.store.Exists(req.RepoID):
		return &refusal{http.StatusNotFound, "repository not found"}
	case !req.Op.advertise && r.Header.Get("Content-Type") != "application/x-"+req.Op.service+"-request":
		return &refusal{http.StatusUnsupportedMediaType, "unsupported content type"}
	}
	return nil
}

// backend runs git http-backend: it hands over the body, sends the header of the reply, and lets
// consume read the rest.
func (h *Handler) backend(ctx context.Context, out *response, env []string, body *body, consume func(io.Reader) error, config ...string) error {
	c := command{dir: h.store.layout.repositories(), env: env, stdin: body.reader()}
	for _, setting := range config {
		c.args = append(c.args, "-c", setting)
	}
	c.args = append(c.args, "http-backend")
	return h.transfers.stream(ctx, c, func(stdout io.Reader) error {
		reply := bufio.NewReaderSize(stdout, 64<<10)
		if err := out.header(reply); err != nil {
			return err
		}
		return consume(reply)
	})
}

// cgi is the environment by which git http-backend knows its request. The path is made of the number,
// nothing of the client's URL reaches it.
func (h *Handler) cgi(r *http.Request, req Request, size int64) []string {
	env := []string{
		"GIT_PROJECT_ROOT=" + h.store.layout.repositories(),
		"PATH_INFO=/" + h.store.layout.relative(req.RepoID) + "/" + req.Op.path(),
		"GIT_HTTP_EXPORT_ALL=1",
		fmt.Sprintf("GIT_HTTP_MAX_REQUEST_BUFFER=%d", maxFetchRequest+1),
		"REQUEST_METHOD=" + req.Op.method(),
		"REMOTE_USER=" + printable(req.User),
		"REMOTE_ADDR=" + printable(r.RemoteAddr),
	}
	if protocol := r.Header.Get("Git-Protocol"); protocolKnown(protocol) {
		env = append(env, "GIT_PROTOCOL="+protocol)
	}
	if req.Op.advertise {
		return append(env, "QUERY_STRING=service="+req.Op.service)
	}
	return append(env, "CONTENT_TYPE="+r.Header.Get("Content-Type"), fmt.Sprintf("CONTENT_LENGTH=%d", size))
}

// protocolKnown accepts "version=2" and lists like it.
func protocolKnown(value string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=:.-_"
	return value != "" && len(value) <= maxNameLength && strings.Trim(value, allowed) == ""
}

// printable drops control characters, which would end an environment entry or forge a reflog line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// refusal is an answer other than success.
type refusal struct {
	status int
	text   string
}

func (e *refusal) Error() string { return e.text }

func refusalOf(err error) (status int, text string) {
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		return refused.status, refused.text
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound, "repository not found"
	}
	return http.StatusInternalServerError, "internal error"
}
