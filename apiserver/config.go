package apiserver

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/accounts"
	"github.com/pawl-ci/pawl/internal/git"
	"github.com/pawl-ci/pawl/internal/peer"
	"github.com/pawl-ci/pawl/internal/secretbox"
	"github.com/pawl-ci/pawl/internal/token"
	"github.com/pawl-ci/pawl/internal/trigger"
)

// Trigger starts, reruns and cancels runs, and lets them go on; *trigger.Service is one. Its errors are faults.
type Trigger interface {
	Dispatch(ctx context.Context, r trigger.DispatchRequest) (*db.Run, error)
	DispatchOnce(ctx context.Context, r trigger.DispatchRequest, key string) (run int64, repeated bool, err error)
	Rerun(ctx context.Context, r trigger.RerunRequest) (trigger.Rerun, error)
	Cancel(ctx context.Context, run *db.Run, actor *db.Owner, force bool) error
	Pause(ctx context.Context, run *db.Run, actor *db.Owner) error
	Resume(ctx context.Context, run *db.Run, actor *db.Owner) error
	Delete(ctx context.Context, repo *db.Repository, run int64) error
	Approve(ctx context.Context, run *db.Run, actor *db.Owner) error
	Review(ctx context.Context, r trigger.ReviewRequest) ([]db.Deployment, error)

	Workflows(ctx context.Context, repo *db.Repository) ([]trigger.Workflow, error)
	Workflow(ctx context.Context, repo *db.Repository, file string) (*trigger.Workflow, error)
	SetWorkflowDisabled(ctx context.Context, repo *db.Repository, file string, disabled bool) error

	Commit(ctx context.Context, repo *db.Repository, ref string) (git.Commit, error)
	Branch(ctx context.Context, repo *db.Repository, name string) (trigger.Branch, error)
	Branches(ctx context.Context, repo *db.Repository, p db.Page) ([]trigger.Branch, int, error)

	Content(ctx context.Context, repo *db.Repository, ref, path string) (trigger.Content, error)
	ChangeFile(ctx context.Context, c trigger.FileChange) (git.Commit, error)

	BeginPush(ctx context.Context, repo *db.Repository, pusher *db.Owner) (int64, error)
	EndPush(ctx context.Context, repo *db.Repository, id int64) error
}

// GitHandler serves git repositories over smart HTTP; *git.Handler is one.
type GitHandler interface {
	Serve(w http.ResponseWriter, r *http.Request, req git.Request)
}

// LogWaker wakes readers of a log that grows in this process; *loghub.Hub is one.
type LogWaker interface {
	Subscribe(task int64) (changed <-chan struct{}, cancel func())
}

// Config is what a Server is made of. Fields without a default are needed.
type Config struct {
	DB        *db.DB
	Tokens    *token.Hasher
	Keys      *secretbox.Keyring // seals secrets, registration tokens, and the secrets of webhooks
	Passwords *accounts.Passwords
	// Repositories makes the git repositories of new rows; CheckCloneURL refuses addresses of outside ones, and nil
	// allows none.
	Repositories  accounts.Repositories
	CheckCloneURL func(string) error
	Trigger       Trigger
	Git           GitHandler
	Hub           LogWaker
	// CheckHookURL refuses addresses of webhooks that are not sent to; nil refuses none.
	CheckHookURL func(*url.URL) error

	// RootURL is the address that links begin with, without a slash at its end. Empty: that of each request (Host,
	// X-Forwarded-Proto, X-Forwarded-Host).
	RootURL string
	// LinkURL is what links begin with where there is no request, in the bodies of webhooks; default RootURL.
	LinkURL string
	// TemporalUIURL is the address of the Temporal UI, for links to the history of a run; empty makes no links.
	TemporalUIURL     string
	TemporalNamespace string // default "pawl"
	// Version is Pawl's own, shown beside that of the Gitea API.
	Version string

	MaxBodyBytes    int64         // of a request to the API; default 1 MiB. Larger: 413
	BodyTimeout     time.Duration // for a body to arrive; default 30 s. Later: 400
	DefaultPageSize int           // default 30
	MaxPageSize     int           // default 50
	// DisableQueryTokens refuses ?token= and ?access_token=, which end up in the logs of proxies.
	DisableQueryTokens bool

	// Limits bound how often clients may ask.
	Limits Limits
	// TrustedProxies are those whose X-Forwarded-For tells where a request comes from.
	TrustedProxies peer.Proxies

	LogPoll      time.Duration // between two looks for new rows of a followed log; default 1 s
	LogHeartbeat time.Duration // between two comments in a quiet stream; default 15 s
	MaxStreams   int           // followed logs and events at once; default 1,000, of one caller a quarter. More: 429
	EventPoll    time.Duration // between two looks for changes of status, while any are followed; default 500 ms
	// StreamRecheck is how often it is asked whether who follows events still may; default 30 s.
	StreamRecheck time.Duration
	// MaxLogScans bounds the zips of logs and searches in logs at once; default 16, of one caller a quarter. Negative: none.
	// More: 429.
	MaxLogScans int

	Registerer prometheus.Registerer
	Logger     *slog.Logger
	Now        func() time.Time // default time.Now
	NewID      func() string    // of a request; default a random UUID
}

func (c Config) withDefaults() Config {
	c.RootURL = strings.TrimRight(c.RootURL, "/")
	c.LinkURL = cmp.Or(strings.TrimRight(c.LinkURL, "/"), c.RootURL, "http://localhost")
	c.TemporalUIURL = strings.TrimRight(c.TemporalUIURL, "/")
	c.TemporalNamespace = cmp.Or(c.TemporalNamespace, "pawl")
	c.Version = cmp.Or(c.Version, "dev")
	c.MaxBodyBytes = cmp.Or(c.MaxBodyBytes, 1<<20)
	c.BodyTimeout = cmp.Or(c.BodyTimeout, 30*time.Second)
	c.DefaultPageSize = cmp.Or(c.DefaultPageSize, 30)
	c.MaxPageSize = cmp.Or(c.MaxPageSize, 50)
	c.LogPoll = cmp.Or(c.LogPoll, time.Second)
	c.LogHeartbeat = cmp.Or(c.LogHeartbeat, 15*time.Second)
	c.MaxStreams = cmp.Or(c.MaxStreams, 1000)
	c.EventPoll = cmp.Or(c.EventPoll, 500*time.Millisecond)
	c.StreamRecheck = cmp.Or(c.StreamRecheck, 30*time.Second)
	c.MaxLogScans = cmp.Or(c.MaxLogScans, 16)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NewID == nil {
		c.NewID = uuid.NewString
	}
	return c
}

func (c Config) check() error {
	if c.DB == nil || c.Tokens == nil || c.Keys == nil || c.Passwords == nil || c.Repositories == nil || c.Trigger == nil ||
		c.Git == nil || c.Hub == nil || c.Registerer == nil || c.Logger == nil {
		return errors.New("api server: a part is missing")
	}
	return nil
}
