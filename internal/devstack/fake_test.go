package devstack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	pingv1 "gitea.dev/actions-proto-go/ping/v1"
	"gitea.dev/actions-proto-go/ping/v1/pingv1connect"
	runnerv1 "gitea.dev/actions-proto-go/runner/v1"
	"gitea.dev/actions-proto-go/runner/v1/runnerv1connect"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	fakeToken = "fake-registration-token"
	fakePoll  = 10 * time.Millisecond
)

// fakeServer is as much of a server as the official runner needs. Tests drive it over
// HTTP, because it may run in another process: POST /job with a shell script returns a
// task, POST /cancel cancels it, GET /task shows it.
type fakeServer struct {
	runnerv1connect.UnimplementedRunnerServiceHandler
	registry string // file with the known runners
	http     *http.Server
	failed   chan error

	mu        sync.Mutex
	task      *runnerv1.Task
	taken     bool
	cancelled bool
	result    runnerv1.Result
	rows      []string
}

// fakeTask is what GET /task answers.
type fakeTask struct {
	Taken  bool
	Result string
	Log    []string
}

func startFakeServer(_ context.Context, cfg Config) (Part, error) {
	f := &fakeServer{registry: filepath.Join(cfg.DataDir, "runners.json"), failed: make(chan error, 1)}
	mux := http.NewServeMux()
	mux.Handle("/api/actions/", http.StripPrefix("/api/actions", f.rpc()))
	mux.HandleFunc("POST /job", f.addJob)
	mux.HandleFunc("POST /cancel", f.cancelJob)
	mux.HandleFunc("GET /task", f.showTask)
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	listener, err := net.Listen("tcp", cfg.HTTPAddress)
	if err != nil {
		return nil, err
	}
	f.http = &http.Server{Handler: mux}
	go func() { _ = f.http.Serve(listener) }()
	return f, nil
}

func (f *fakeServer) Stop(context.Context) error { return f.http.Close() }
func (f *fakeServer) Failed() <-chan error       { return f.failed }

func (f *fakeServer) rpc() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(runnerv1connect.NewRunnerServiceHandler(f))
	mux.Handle(pingv1connect.NewPingServiceHandler(fakePing{}))
	return mux
}

type fakePing struct {
	pingv1connect.UnimplementedPingServiceHandler
}

func (fakePing) Ping(context.Context, *connect.Request[pingv1.PingRequest]) (*connect.Response[pingv1.PingResponse], error) {
	return connect.NewResponse(&pingv1.PingResponse{}), nil
}

func (f *fakeServer) known() []string {
	var uuids []string
	_, _ = readJSON(f.registry, &uuids)
	return uuids
}

func (f *fakeServer) Register(_ context.Context, r *connect.Request[runnerv1.RegisterRequest]) (*connect.Response[runnerv1.RegisterResponse], error) {
	if r.Msg.Token != fakeToken {
		return nil, connect.NewError(connect.CodeUnauthenticated, errors.New("wrong registration token"))
	}
	uuids := f.known()
	uuid := fmt.Sprintf("runner-%d", len(uuids)+1)
	if err := writeJSON(f.registry, append(uuids, uuid)); err != nil {
		return nil, err
	}
	return connect.NewResponse(&runnerv1.RegisterResponse{
		Runner: &runnerv1.Runner{Id: 1, Uuid: uuid, Token: "runner-token", Name: r.Msg.Name, Labels: r.Msg.Labels},
	}), nil
}

func (f *fakeServer) Declare(_ context.Context, r *connect.Request[runnerv1.DeclareRequest]) (*connect.Response[runnerv1.DeclareResponse], error) {
	uuid := r.Header().Get("x-runner-uuid")
	if !slices.Contains(f.known(), uuid) {
		return nil, connect.NewError(connect.CodeUnauthenticated, errors.New("unregistered runner"))
	}
	return connect.NewResponse(&runnerv1.DeclareResponse{Runner: &runnerv1.Runner{Uuid: uuid, Labels: r.Msg.Labels}}), nil
}

func (f *fakeServer) FetchTask(ctx context.Context, _ *connect.Request[runnerv1.FetchTaskRequest]) (*connect.Response[runnerv1.FetchTaskResponse], error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for {
		if task := f.take(); task != nil {
			return connect.NewResponse(&runnerv1.FetchTaskResponse{Task: task, TasksVersion: 1}), nil
		}
		select {
		case <-ctx.Done():
			return connect.NewResponse(&runnerv1.FetchTaskResponse{}), nil
		case <-time.After(fakePoll):
		}
	}
}

func (f *fakeServer) take() *runnerv1.Task {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.task == nil || f.taken {
		return nil
	}
	f.taken = true
	return f.task
}

func (f *fakeServer) UpdateTask(_ context.Context, r *connect.Request[runnerv1.UpdateTaskRequest]) (*connect.Response[runnerv1.UpdateTaskResponse], error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	state := &runnerv1.TaskState{Id: r.Msg.State.Id, Result: runnerv1.Result_RESULT_UNSPECIFIED}
	if f.cancelled {
		state.Result = runnerv1.Result_RESULT_CANCELLED
	}
	if r.Msg.State.Result != runnerv1.Result_RESULT_UNSPECIFIED {
		f.result = r.Msg.State.Result
	}
	return connect.NewResponse(&runnerv1.UpdateTaskResponse{State: state}), nil
}

func (f *fakeServer) UpdateLog(_ context.Context, r *connect.Request[runnerv1.UpdateLogRequest]) (*connect.Response[runnerv1.UpdateLogResponse], error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, row := range r.Msg.Rows {
		f.rows = append(f.rows, row.Content)
	}
	return connect.NewResponse(&runnerv1.UpdateLogResponse{AckIndex: r.Msg.Index + int64(len(r.Msg.Rows))}), nil
}

func (f *fakeServer) addJob(w http.ResponseWriter, r *http.Request) {
	script, _ := io.ReadAll(r.Body)
	task, err := newFakeTask(string(script))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.task, f.taken, f.cancelled, f.result, f.rows = task, false, false, 0, nil
}

func newFakeTask(script string) (*runnerv1.Task, error) {
	payload := "name: Test\non: push\njobs:\n  only:\n    runs-on: linux\n    steps:\n      - run: |\n          " +
		strings.ReplaceAll(script, "\n", "\n          ") + "\n"
	values, err := structpb.NewStruct(map[string]any{
		"event": map[string]any{}, "event_name": "push", "run_id": "1", "run_number": "1", "run_attempt": "1",
		"actor": "octo", "repository": "octo/repo", "repository_owner": "octo", "sha": strings.Repeat("0", 40),
		"ref": "refs/heads/main", "ref_name": "main", "ref_type": "branch", "head_ref": "", "base_ref": "",
		"token": "task-token", "retention_days": "", "job": "only", "gitea_default_actions_url": "https://github.com",
	})
	return &runnerv1.Task{
		Id: time.Now().UnixNano(), WorkflowPayload: []byte(payload), Context: values,
		Secrets: map[string]string{"GITHUB_TOKEN": "task-token", "GITEA_TOKEN": "task-token"},
	}, err
}

func (f *fakeServer) cancelJob(http.ResponseWriter, *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cancelled = true
}

func (f *fakeServer) showTask(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = json.NewEncoder(w).Encode(fakeTask{Taken: f.taken, Result: f.result.String(), Log: f.rows})
}

// fakeWorker does nothing.
type fakeWorker struct{ failed chan error }

func (fakeWorker) Stop(context.Context) error { return nil }
func (w fakeWorker) Failed() <-chan error     { return w.failed }

func fakeParts() Parts {
	return Parts{
		Migrate: func(ctx context.Context, cfg Config) error {
			return onDatabase(ctx, cfg.DatabaseURL, "CREATE TABLE IF NOT EXISTS boots (at timestamptz DEFAULT now())")
		},
		Bootstrap: func(ctx context.Context, cfg Config, previous Credentials) (Credentials, error) {
			if err := onDatabase(ctx, cfg.DatabaseURL, "INSERT INTO boots DEFAULT VALUES"); err != nil {
				return Credentials{}, err
			}
			if previous.AdminToken != "" {
				return previous, nil
			}
			return Credentials{"admin", fmt.Sprintf("token-of-%d", os.Getpid()), fakeToken}, nil
		},
		StartServer: startFakeServer,
		StartWorker: func(context.Context, Config) (Part, error) { return fakeWorker{make(chan error, 1)}, nil },
		ServerChild: func(cfg Config) Child {
			return Child{Args: []string{"fake-server", cfg.HTTPAddress}, Env: []string{"FAKE_DATA_DIR=" + cfg.DataDir}, ReadyURL: cfg.URL + "/readyz"}
		},
		WorkerChild: func(cfg Config) Child {
			return Child{Args: []string{"fake-server", cfg.WorkerAddress}, Env: []string{"FAKE_DATA_DIR=" + cfg.DataDir}, ReadyURL: "http://" + cfg.WorkerAddress + "/readyz"}
		},
	}
}
