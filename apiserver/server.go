package apiserver

import (
	"fmt"
	"net/http"
	"sync"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pawl-ci/pawl/internal/accounts"
	"github.com/pawl-ci/pawl/internal/audit"
	"github.com/pawl-ci/pawl/internal/logchunk"
	"github.com/pawl-ci/pawl/internal/ratelimit"
	"github.com/pawl-ci/pawl/internal/statusfeed"
	"github.com/pawl-ci/pawl/internal/vault"
	"github.com/pawl-ci/pawl/observability"
)

// apiPrefix is the path that every endpoint of the REST API is below.
const apiPrefix = "/api/v1"

// Server is the API server. It is safe for concurrent use.
type Server struct {
	Config
	accounts *accounts.Service
	vault    *vault.Vault
	verifier *accounts.Verifier
	codec    *logchunk.Codec
	panics   prometheus.Counter
	streams  *places // one for each stream
	feed     *statusfeed.Feed
	limiter  *limiter
	audit    *audit.Recorder
	refusals *ratelimit.Buckets // of the audit log
	compress func(http.Handler) http.Handler
	scans    *places // one for each call that reads many logs
	handler  http.Handler

	drain    sync.Once
	draining chan struct{}
}

// New makes a server. It fails when a part of the configuration is missing, or a metric is registered already as
// something else.
func New(c Config) (*Server, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	s := &Server{Config: c.withDefaults(), draining: make(chan struct{})}
	s.streams = newPlaces(s.MaxStreams)
	s.feed = statusfeed.New(statusfeed.Config{Log: s.DB, Logger: s.Logger, Every: s.EventPoll})
	s.scans = newPlaces(max(s.MaxLogScans, 0))
	s.accounts = &accounts.Service{
		DB: s.DB, Tokens: s.Tokens, Passwords: s.Passwords, Repositories: s.Repositories, CheckCloneURL: s.CheckCloneURL,
	}
	s.vault = &vault.Vault{DB: s.DB, Keys: s.Keys, Tokens: s.Tokens}
	var err error
	if s.verifier, err = accounts.NewVerifier(s.Passwords, s.Now); err != nil {
		return nil, err
	}
	if s.codec, err = logchunk.NewCodec(); err != nil {
		return nil, fmt.Errorf("api server: %w", err)
	}
	if err := s.makeTraffic(); err != nil {
		return nil, err
	}
	metrics, err := observability.NewHTTPMetrics(s.Registerer)
	if err != nil {
		return nil, fmt.Errorf("api server: %w", err)
	}
	if s.panics, err = newPanicCounter(s.Registerer); err != nil {
		return nil, fmt.Errorf("api server: %w", err)
	}
	s.handler = observability.RequestIDs(s.NewID)(s.recovered(s.routes(metrics)))
	return s, nil
}

// makeTraffic makes what stands between the router and the handlers.
func (s *Server) makeTraffic() (err error) {
	if s.limiter, err = newLimiter(s.Limits, s.Now, s.Registerer); err != nil {
		return fmt.Errorf("api server: %w", err)
	}
	if s.audit, err = audit.New(s.DB, s.Registerer, s.Logger); err != nil {
		return fmt.Errorf("api server: %w", err)
	}
	if s.refusals, err = ratelimit.New(refusalsKept, s.Now); err != nil {
		return fmt.Errorf("api server: %w", err)
	}
	s.compress, err = newCompressor()
	return err
}

// Handler answers /api/v1 and everything else that is not mounted beside it, such as the runner gateway.
func (s *Server) Handler() http.Handler { return s.handler }

// Drain ends the streams of followed logs and events, whose clients come back to another server and go on where they were; all
// else goes on. Call it before http.Server.Shutdown, which waits for streams. It may be called more than once.
func (s *Server) Drain() { s.drain.Do(func() { close(s.draining) }) }

func (s *Server) routes(metrics *observability.HTTPMetrics) http.Handler {
	router := mux.NewRouter().UseEncodedPath().SkipClean(true)
	router.Use(metrics.Middleware(routeTemplate))
	for _, e := range s.endpoints() {
		s.register(router, e)
	}
	for _, p := range s.webRoutes() {
		s.registerWeb(router, p)
	}
	unmatched := metrics.Middleware(func(*http.Request) string { return "" })
	router.NotFoundHandler = unmatched(http.HandlerFunc(http.NotFound))
	router.MethodNotAllowedHandler = unmatched(http.HandlerFunc(methodNotAllowed))
	return router
}

// endpoints are all of the REST API.
func (s *Server) endpoints() []endpoint {
	var all []endpoint
	for _, routes := range []func() []endpoint{
		s.metaRoutes, s.userRoutes, s.tokenRoutes, s.orgRoutes, s.repoRoutes, s.runRoutes, s.runActionRoutes, s.runListRoutes,
		s.timelineRoutes, s.jobRoutes, s.logRoutes, s.taskRoutes, s.workflowRoutes, s.scopedRoutes, s.environmentRoutes,
		s.deploymentRoutes, s.settingsRoutes, s.runnerRoutes, s.repoListRoutes, s.branchRoutes, s.commitStatusRoutes,
		s.artifactRoutes, s.contentRoutes, s.secretRoutes, s.variableRoutes, s.eventRoutes, s.hookRoutes,
		s.auditRoutes, s.runLogRoutes, s.runDeleteRoutes,
	} {
		all = append(all, routes()...)
	}
	return all
}

// routeTemplate is the label of a request in metrics.
func routeTemplate(r *http.Request) string {
	if route := mux.CurrentRoute(r); route != nil {
		if template, err := route.GetPathTemplate(); err == nil {
			return template
		}
	}
	return ""
}

func methodNotAllowed(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "405 method not allowed", http.StatusMethodNotAllowed)
}
