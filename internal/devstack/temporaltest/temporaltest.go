// Package temporaltest gives tests a real Temporal server.
//
//	func TestMain(m *testing.M) { temporaltest.Main(m, pgtest.Migrate(db.Migrate)) }
//
//	func TestSomething(t *testing.T) {
//		server := temporaltest.New(t)
//		c, err := client.Dial(client.Options{HostPort: server.Address, Namespace: server.Namespace})
//
// All tests of a process share one server, so they have to use task queues and workflow
// ids of their own. It is that of PAWL_TEST_TEMPORAL_ADDRESS if set (with the namespace
// pawl and its search attributes); otherwise bin/temporald on the server of pgtest,
// started with the first New.
package temporaltest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/pawl-ci/pawl/internal/devstack/temporald"
	"github.com/pawl-ci/pawl/internal/postgres/pgtest"
)

const (
	// EnvAddress names the variable with the host:port of a server to use.
	EnvAddress = "PAWL_TEST_TEMPORAL_ADDRESS"

	namespace  = "pawl"
	startLimit = 2 * time.Minute
	stopLimit  = 30 * time.Second
)

// Server tells how to reach the server.
type Server struct {
	Address   string // host:port
	Namespace string
}

// shared is the one server of a test process; only Main sets it.
var shared *server

type server struct {
	once    sync.Once
	err     error
	running *temporald.Server // nil when the server is not ours
	drop    func(database string) error
	address string
	dir     string
}

// Main runs the tests of a package as pgtest.Main does, stops the server, and exits.
func Main(m *testing.M, options ...pgtest.Option) {
	shared = &server{}
	pgtest.Main(m, append(options, pgtest.Finally(shared.stop))...)
}

// New returns the shared server, started if need be. A test run with -short is skipped.
func New(t testing.TB) Server {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Temporal server")
	}
	if shared == nil {
		t.Fatal("temporaltest: the package's TestMain must call temporaltest.Main")
	}
	shared.once.Do(func() { shared.err = shared.start(t) })
	if shared.err != nil {
		t.Fatalf("temporaltest: %v", shared.err)
	}
	return Server{Address: shared.address, Namespace: namespace}
}

func (s *server) start(t testing.TB) error {
	if s.address = os.Getenv(EnvAddress); s.address != "" {
		return nil
	}
	binary, err := temporald.FindForTest()
	if err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "pawl-temporaltest-"); err != nil {
		return err
	}
	postgres := pgtest.Shared(t)
	s.drop = postgres.Drop
	s.running, err = temporald.New(temporald.Options{
		Binary:         binary,
		Dir:            s.dir,
		DatabaseURL:    postgres.URL("postgres"),
		DatabasePrefix: databasePrefix(),
		Namespace:      namespace,
		UIPort:         -1,
		MetricsPort:    -1,
		Output:         os.Stderr,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	if err := s.running.Start(ctx); err != nil {
		return err
	}
	s.address = s.running.Endpoints().Address
	return nil
}

// databasePrefix keeps test processes on one PostgreSQL apart.
func databasePrefix() string { return fmt.Sprintf("pawl_test_%d_", os.Getpid()) }

func (s *server) stop() {
	if s.running == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	err := errors.Join(s.running.Stop(ctx), s.drop(databasePrefix()+"temporal"),
		s.drop(databasePrefix()+"temporal_visibility"), os.RemoveAll(s.dir))
	if err != nil {
		fmt.Fprintln(os.Stderr, "temporaltest:", err)
	}
}
