package runnergw

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"connectrpc.com/connect"
	"gitea.dev/actions-proto-go/ping/v1/pingv1connect"
	"gitea.dev/actions-proto-go/runner/v1/runnerv1connect"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

// Prefix is where runners expect the protocol below the address of the instance.
const Prefix = "/api/actions"

// callLimit bounds every call but FetchTask, which is held on purpose.
const callLimit = 15 * time.Second

// maxBody are the largest bodies, after decompression; others have defaultMaxBody. A runner that was cut off for
// some minutes sends all it has logged meanwhile at once.
var maxBody = map[string]int{
	pingv1connect.PingServicePingProcedure:           64 << 10,
	runnerv1connect.RunnerServiceUpdateTaskProcedure: 32 << 20,
	runnerv1connect.RunnerServiceUpdateLogProcedure:  64 << 20,
	runnerv1connect.RunnerServiceFetchTaskProcedure:  4 << 10,
	runnerv1connect.RunnerServiceRegisterProcedure:   defaultMaxBody,
	runnerv1connect.RunnerServiceDeclareProcedure:    defaultMaxBody,
}

const defaultMaxBody = 256 << 10

// compressAbove is the size of a reply above which it is compressed for clients that take that. Most tasks are
// smaller, and compressing them would cost more than it saves.
const compressAbove = 16 << 10

// caller is who calls and how the server was reached.
type caller struct {
	runner *db.Runner
	root   string
	// address and agent are for the audit log.
	address netip.Addr
	agent   string
}

type callerKey struct{}

// callerFrom is nil in calls that need no runner.
func callerFrom(ctx context.Context) *caller {
	c, _ := ctx.Value(callerKey{}).(*caller)
	return c
}

// Handler serves the protocol. It takes paths with Prefix, so mount it at Prefix+"/", and also without it, for
// those who have stripped it. Calls last up to Options.MaxHold, so the server must have no WriteTimeout below that.
func (g *Gateway) Handler() http.Handler {
	options := g.connectOptions()
	mux := http.NewServeMux()
	ping, pingHandler := pingv1connect.NewPingServiceHandler(pingService{}, options...)
	runner, runnerHandler := runnerv1connect.NewRunnerServiceHandler(&runnerService{g}, options...)
	mux.Handle(ping, pingHandler)
	mux.Handle(runner, g.authenticated(runnerHandler, connect.NewErrorWriter(options...)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.dispatch.isDraining() {
			w.Header().Set("Connection", "close") // the next call shall find another gateway
		}
		if !knownEncoding(r.Header.Get("Content-Encoding")) {
			http.Error(w, "unknown Content-Encoding", http.StatusUnsupportedMediaType)
			return
		}
		if path, ok := strings.CutPrefix(r.URL.Path, Prefix); ok {
			r = withPath(r, path)
		}
		mux.ServeHTTP(w, r)
	})
}

// knownEncoding keeps from Connect what it would answer with unimplemented, the one code that ends a runner for good
// (runner-protocol.md §1).
func knownEncoding(encoding string) bool {
	return encoding == "" || encoding == "identity" || encoding == "gzip"
}

func withPath(r *http.Request, path string) *http.Request {
	clone, u := *r, *r.URL
	u.Path, u.RawPath = path, ""
	clone.URL = &u
	return &clone
}

func (g *Gateway) connectOptions() []connect.HandlerOption {
	return []connect.HandlerOption{
		connect.WithCodec(binaryCodec{}),
		connect.WithCodec(jsonCodec{"json"}),
		connect.WithCodec(jsonCodec{"json; charset=utf-8"}),
		connect.WithCompressMinBytes(compressAbove),
		connect.WithRecover(g.recovered),
		connect.WithInterceptors(connect.UnaryInterceptorFunc(g.observed)),
		connect.WithConditionalHandlerOptions(func(spec connect.Spec) []connect.HandlerOption {
			limit, ok := maxBody[spec.Procedure]
			if !ok {
				limit = defaultMaxBody
			}
			return []connect.HandlerOption{connect.WithReadMaxBytes(limit)}
		}),
	}
}

// authenticated finds out who calls before anything of the body is read, and bounds the call.
func (g *Gateway) authenticated(next http.Handler, refuse *connect.ErrorWriter) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if r.URL.Path != runnerv1connect.RunnerServiceFetchTaskProcedure {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, callLimit)
			defer cancel()
		}
		c := &caller{root: g.rootURL(r), address: g.options.TrustedProxies.Address(r), agent: r.UserAgent()}
		if r.URL.Path != runnerv1connect.RunnerServiceRegisterProcedure {
			runner, err := g.authenticate(ctx, r)
			if err != nil {
				g.refuse(w, r, refuse, err)
				return
			}
			c.runner = runner
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, callerKey{}, c)))
	})
}

// authenticate returns the runner that calls; errUnregistered and errRemoved for those that may not call.
func (g *Gateway) authenticate(ctx context.Context, r *http.Request) (*db.Runner, error) {
	ctx, cancel := context.WithTimeout(ctx, queryLimit)
	defer cancel()
	runner, err := g.auth.authenticate(ctx, r.Header)
	if err != nil || runner.RemovedAt.IsZero() {
		return runner, err
	}
	switch r.URL.Path {
	case runnerv1connect.RunnerServiceUpdateTaskProcedure, runnerv1connect.RunnerServiceUpdateLogProcedure:
		if mayReport(runner, g.now()) {
			return runner, nil
		}
	case runnerv1connect.RunnerServiceFetchTaskProcedure:
		if runner.IsEphemeral {
			return nil, errRemoved
		}
	}
	return nil, errUnregistered
}

func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, writer *connect.ErrorWriter, err error) {
	answer := fault.Connect(err)
	g.metrics.rpcSeconds.WithLabelValues(methodOf(r.URL.Path), answer.Code().String()).Observe(0)
	if !writer.IsSupported(r) {
		http.Error(w, answer.Message(), fault.HTTPStatus(err))
		return
	}
	_ = writer.Write(w, r, answer) // the client is gone
}

// methodOf is the metric label of a path: one of the protocol's methods.
func methodOf(path string) string {
	if _, known := maxBody[path]; !known {
		return "unknown"
	}
	return path[strings.LastIndexByte(path, '/')+1:]
}

// observed maps errors to those of Connect, and counts and times the answers.
func (g *Gateway) observed(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		begin := g.now()
		res, err := next(ctx, req)
		if err != nil {
			if fault.Has(err, fault.CodeInternal) {
				g.log.Error("runner call failed", "method", req.Spec().Procedure, "error", err)
			}
			res, err = nil, fault.Connect(err)
		}
		g.metrics.rpcSeconds.WithLabelValues(methodOf(req.Spec().Procedure), codeOf(err)).Observe(g.now().Sub(begin).Seconds())
		return res, err
	}
}

func (g *Gateway) recovered(_ context.Context, spec connect.Spec, _ http.Header, cause any) error {
	g.log.Error("runner call panicked", "method", spec.Procedure, "panic", cause, "stack", string(debug.Stack()))
	return fault.Connect(fault.Internal(fmt.Errorf("panic: %v", cause)))
}
