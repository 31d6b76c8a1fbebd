// Package pgtest gives each test a fresh database on a real PostgreSQL.
//
//	func TestMain(m *testing.M) { pgtest.Main(m, pgtest.Migrate(db.Migrate)) }
//
//	func TestSomething(t *testing.T) {
//		database := pgtest.New(t)
//		pool, err := pgxpool.New(t.Context(), database.URL)
//
// The server is that of PAWL_TEST_DATABASE_URL (a superuser's URL), if set, which saves
// each test process a second; otherwise a private one, started with the first New and
// gone with the process. Migrations run once per process, into a template that every
// test's database is a copy of.
package pgtest

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

// EnvURL names the variable with the URL of a server to use.
const EnvURL = "PAWL_TEST_DATABASE_URL"

// setupLimit bounds the start of the server with its migrations.
const setupLimit = 2 * time.Minute

// Option configures Main.
type Option func(*server)

// Migrate fills the template. It gets the URL of an empty database and must have closed
// its connections when it returns.
func Migrate(fill func(ctx context.Context, url string) error) Option {
	return func(s *server) { s.migrate = fill }
}

// Finally runs after the tests and before the server stops.
func Finally(cleanup func()) Option {
	return func(s *server) { s.finally = append(s.finally, cleanup) }
}

// Check runs after the tests if they passed; an error fails the run.
func Check(check func() error) Option {
	return func(s *server) { s.checks = append(s.checks, check) }
}

// shared is the one server of a test process; only Main sets it.
var shared *server

// Main runs the tests of a package and exits the process. The server starts only if a
// test asks for a database.
func Main(m *testing.M, options ...Option) {
	shared = &server{}
	for _, option := range options {
		option(shared)
	}
	code := m.Run()
	for _, check := range shared.checks {
		if code != 0 {
			break
		}
		if err := check(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// Database is one test's own.
type Database struct {
	// URL of the database, as a superuser.
	URL string
	// Name of the database.
	Name string
}

// New returns a fresh copy of the template, dropped when the test ends. A test run with
// -short is skipped.
func New(t testing.TB) *Database {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), setupLimit)
	defer cancel()
	s := running(ctx, t)
	database, err := s.clone(ctx)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if err := s.drop(database.Name); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return database
}

// Server is the address of the shared server, for what needs more than one database.
type Server struct {
	Host, User, Password string
	Port                 int
	// URL returns that of a database, which need not exist.
	URL func(database string) string
	// Drop removes a database, connected clients or not.
	Drop func(database string) error
}

// Shared returns the server that New takes databases from.
func Shared(t testing.TB) Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), setupLimit)
	defer cancel()
	return running(ctx, t).address()
}

func running(ctx context.Context, t testing.TB) *server {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a PostgreSQL server")
	}
	if shared == nil {
		t.Fatal("pgtest: the package's TestMain must call pgtest.Main")
	}
	if err := shared.start(ctx); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return shared
}
