package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pawl-ci/pawl/internal/postgres"
)

const (
	dropLimit = 30 * time.Second
	// objectInUse is the SQLSTATE of copying a database that somebody is connected to;
	// a backend needs a moment to notice that its client is gone.
	objectInUse  = "55006"
	inUseRetries = 200
	inUsePause   = 10 * time.Millisecond
)

// server is a PostgreSQL server with a migrated template database.
type server struct {
	migrate func(ctx context.Context, url string) error
	finally []func()
	checks  []func() error

	once     sync.Once
	startErr error
	admin    *pgx.ConnConfig // connects to the maintenance database
	adminURL *url.URL
	prefix   string // of all databases made by this process
	number   atomic.Int64

	cluster *postgres.Cluster // nil when the server is not ours
	dir     string
}

func (s *server) start(ctx context.Context) error {
	s.once.Do(func() { s.startErr = s.setup(ctx) })
	return s.startErr
}

func (s *server) setup(ctx context.Context) error {
	rawURL := os.Getenv(EnvURL)
	if rawURL == "" {
		if err := s.startCluster(ctx); err != nil {
			return fmt.Errorf("start PostgreSQL: %w", err)
		}
		rawURL = s.cluster.URL("postgres")
	}
	var err error
	if s.adminURL, err = url.Parse(rawURL); err != nil {
		return fmt.Errorf("%s is malformed", EnvURL)
	}
	if s.admin, err = pgx.ParseConfig(rawURL); err != nil {
		return fmt.Errorf("%s: %w", EnvURL, err)
	}
	s.prefix = fmt.Sprintf("pawl_test_%d_%s", os.Getpid(), strings.ToLower(rand.Text()[:6]))
	return s.createTemplate(ctx)
}

func (s *server) startCluster(ctx context.Context) error {
	if err := removeAbandoned(); err != nil {
		return err
	}
	var err error
	if s.dir, err = os.MkdirTemp("", dirPattern()); err != nil {
		return err
	}
	s.cluster, err = postgres.New(postgres.Options{Dir: s.dir + "/postgres", Volatile: true})
	if err != nil {
		return err
	}
	return s.cluster.Start(ctx)
}

func (s *server) template() string { return s.prefix + "_template" }

func (s *server) createTemplate(ctx context.Context) error {
	if err := s.exec(ctx, "CREATE DATABASE "+quote(s.template())); err != nil {
		return fmt.Errorf("create template: %w", err)
	}
	if s.migrate == nil {
		return nil
	}
	if err := s.migrate(ctx, s.url(s.template())); err != nil {
		return fmt.Errorf("migrate template: %w", err)
	}
	return nil
}

func (s *server) clone(ctx context.Context) (*Database, error) {
	name := fmt.Sprintf("%s_%d", s.prefix, s.number.Add(1))
	statement := "CREATE DATABASE " + quote(name) + " TEMPLATE " + quote(s.template())
	err := s.exec(ctx, statement)
	for range inUseRetries {
		if !isInUse(err) {
			break
		}
		time.Sleep(inUsePause)
		err = s.exec(ctx, statement)
	}
	if err != nil {
		return nil, fmt.Errorf("copy template: %w", err)
	}
	return &Database{URL: s.url(name), Name: name}, nil
}

func isInUse(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == objectInUse
}

// drop also cuts off connections that a test forgot.
func (s *server) drop(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), dropLimit)
	defer cancel()
	if err := s.exec(ctx, "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop database: %w", err)
	}
	return nil
}

func (s *server) exec(ctx context.Context, statement string) error {
	conn, err := pgx.ConnectConfig(ctx, s.admin)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

func (s *server) url(database string) string {
	u := *s.adminURL
	u.Path = "/" + database
	return u.String()
}

func (s *server) address() Server {
	return Server{
		Host: s.admin.Host, Port: int(s.admin.Port), User: s.admin.User, Password: s.admin.Password,
		URL: s.url, Drop: s.drop,
	}
}

func (s *server) stop() error {
	for _, cleanup := range s.finally {
		cleanup()
	}
	if s.cluster == nil {
		if s.prefix == "" {
			return nil
		}
		return s.drop(s.template())
	}
	ctx, cancel := context.WithTimeout(context.Background(), dropLimit)
	defer cancel()
	return errors.Join(s.cluster.Stop(ctx), os.RemoveAll(s.dir))
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
