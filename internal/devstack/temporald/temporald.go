// Package temporald runs bin/temporald, the embedded Temporal server with its web UI,
// as a supervised child process on a given PostgreSQL.
package temporald

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pawl-ci/pawl/internal/devstack/freeport"
	"github.com/pawl-ci/pawl/internal/supervise"
)

const (
	host      = "127.0.0.1"
	readyPoll = 5 * time.Millisecond
	// stopGrace exceeds the time after which the program ends by itself.
	stopGrace = 15 * time.Second
)

// Options of a server. Binary, Dir, DatabaseURL and Namespace are required.
type Options struct {
	// Binary is the path of the program.
	Binary string
	// Dir receives the ready file; it is created when missing.
	Dir string
	// DatabaseURL is a superuser's URL of the PostgreSQL server; the database in it is
	// not used.
	DatabaseURL string
	// DatabasePrefix distinguishes several servers on one PostgreSQL: the databases are
	// <prefix>temporal and <prefix>temporal_visibility.
	DatabasePrefix string
	// MaxConns is the limit per service (of four) and main database; 0 means the program's own.
	MaxConns int
	// Namespace to create.
	Namespace string
	// Port, UIPort and MetricsPort on the loopback address. 0 picks a free one, which is
	// kept over restarts; -1 switches UI or metrics off.
	Port, UIPort, MetricsPort int
	// Output receives the program's log. Nil discards it.
	Output io.Writer
	// OnChange is told the process id after each start and 0 when it ended.
	OnChange func(pid int)
	// Logger reports restarts. Nil discards.
	Logger *slog.Logger
}

// Endpoints tell how to reach a running server. URLs of parts that are off are empty.
type Endpoints struct {
	Address    string `json:"grpc_address"` // host:port of the gRPC frontend
	UIURL      string `json:"ui_url"`
	MetricsURL string `json:"metrics_url"`
	Namespace  string `json:"namespace"`
}

// Server is one supervised temporald. It is restarted, on the same ports, whenever it
// ends by itself.
type Server struct {
	opt     Options
	process *supervise.Process

	mu        sync.Mutex
	endpoints Endpoints
}

// New returns a server that is not started. Free ports are chosen here.
func New(opt Options) (*Server, error) {
	for _, port := range []*int{&opt.Port, &opt.UIPort, &opt.MetricsPort} {
		if *port < 0 {
			continue
		}
		var err error
		if *port, err = freeport.Resolve(host, *port); err != nil {
			return nil, fmt.Errorf("port of temporald: %w", err)
		}
	}
	s := &Server{opt: opt}
	var err error
	s.process, err = supervise.New(supervise.Options{
		Name:     "temporald",
		Command:  s.command,
		Ready:    s.waitReady,
		Output:   opt.Output,
		Grace:    stopGrace,
		OnChange: opt.OnChange,
		Logger:   opt.Logger,
	})
	return s, err
}

// Start returns when clients can use the server, with the namespace and its search
// attributes. An error leaves nothing running. It must not be called twice.
func (s *Server) Start(ctx context.Context) error {
	if err := os.MkdirAll(s.opt.Dir, 0o700); err != nil {
		return fmt.Errorf("directory of temporald: %w", err)
	}
	return s.process.Start(ctx)
}

// Stop shuts the server down; it is killed when the context ends first. It may be called
// again, and before Start.
func (s *Server) Stop(ctx context.Context) error { return s.process.Stop(ctx) }

// Kill ends the server at once and for good, without waiting.
func (s *Server) Kill() { s.process.Kill() }

// PID is the server's process id, 0 while it does not run.
func (s *Server) PID() int { return s.process.PID() }

// Endpoints of the server. Valid after Start, and the same after restarts.
func (s *Server) Endpoints() Endpoints {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endpoints
}

func (s *Server) setEndpoints(data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := json.Unmarshal(data, &s.endpoints); err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	return nil
}

func (s *Server) readyFile() string { return filepath.Join(s.opt.Dir, "ready.json") }

func (s *Server) command(context.Context) (supervise.Command, error) {
	// A killed predecessor's file must not make this start look ready.
	if err := os.Remove(s.readyFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return supervise.Command{}, err
	}
	db, err := pgx.ParseConfig(s.opt.DatabaseURL)
	if err != nil {
		return supervise.Command{}, fmt.Errorf("database URL: %w", err)
	}
	return supervise.Command{
		Path: s.opt.Binary,
		Args: s.arguments(db),
		Env:  append(os.Environ(), "TEMPORALD_POSTGRES_PASSWORD="+db.Password),
	}, nil
}

func (s *Server) arguments(db *pgx.ConnConfig) []string {
	sslMode := "disable"
	if db.TLSConfig != nil {
		sslMode = "require"
	}
	args := []string{
		"--postgres-host", db.Host,
		"--postgres-port", strconv.Itoa(int(db.Port)),
		"--postgres-user", db.User,
		"--postgres-sslmode", sslMode,
		"--database", s.opt.DatabasePrefix + "temporal",
		"--visibility-database", s.opt.DatabasePrefix + "temporal_visibility",
		"--namespace", s.opt.Namespace,
		"--bind", host,
		"--port", strconv.Itoa(s.opt.Port),
		"--ui-port", strconv.Itoa(s.opt.UIPort),
		"--metrics-port", strconv.Itoa(s.opt.MetricsPort),
		"--ready-file", s.readyFile(),
		"--parent-pid", strconv.Itoa(os.Getpid()),
	}
	if s.opt.MaxConns > 0 {
		args = append(args, "--max-conns", strconv.Itoa(s.opt.MaxConns))
	}
	return args
}

func (s *Server) waitReady(ctx context.Context) error {
	for {
		data, err := os.ReadFile(s.readyFile())
		if err == nil {
			return s.setEndpoints(data)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(readyPoll):
		}
	}
}
