package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pawl-ci/pawl/internal/devstack/freeport"
	"github.com/pawl-ci/pawl/internal/supervise"
)

const (
	// MaxConnections is how many clients the server takes at a time.
	MaxConnections = 200

	host = "127.0.0.1"
	// readyPoll is how often a starting server is tried.
	readyPoll = 5 * time.Millisecond
	// readyLimit allows for the recovery of a large log after a crash.
	readyLimit = 5 * time.Minute
	// stopGrace is for the checkpoint of a fast shutdown.
	stopGrace = 20 * time.Second
)

// Options of a cluster. Dir is required.
type Options struct {
	// Dir is the cluster's home; it is created when missing and holds nothing else.
	Dir string
	// Port on the loopback address; 0 picks a free one, which is kept over restarts.
	Port int
	// LastPort is taken instead of any free one if it is free.
	LastPort int
	// Binaries to use; those of Locate when empty.
	Binaries Binaries
	// Volatile gives up durability over a crash of the machine for speed. For tests.
	Volatile bool
	// Output receives the server's log. Nil discards it.
	Output io.Writer
	// OnChange is told the server's process id after each start and 0 when it ended.
	OnChange func(pid int)
	// Logger reports restarts. Nil discards.
	Logger *slog.Logger
}

// Cluster is one PostgreSQL server and its data. The server is restarted, on the same
// port, whenever it ends by itself.
type Cluster struct {
	opt      Options
	account  account
	port     int
	password string
	process  *supervise.Process
}

// New returns a cluster that is not started. Nothing is written yet.
func New(opt Options) (*Cluster, error) {
	dir, err := filepath.Abs(opt.Dir)
	if err != nil || opt.Dir == "" {
		return nil, errors.Join(errors.New("postgres: Dir is required"), err)
	}
	opt.Dir = dir
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Cluster{opt: opt}
	c.process, err = supervise.New(supervise.Options{
		Name:         "postgres",
		Command:      c.command,
		Ready:        c.waitReady,
		ReadyTimeout: readyLimit,
		Output:       opt.Output,
		// The fast shutdown: clients are cut off, and a checkpoint makes the next start
		// quick. A dead parent asks for the same.
		StopSignal:  syscall.SIGINT,
		DeathSignal: syscall.SIGINT,
		Grace:       stopGrace,
		OnChange:    opt.OnChange,
		Logger:      opt.Logger,
	})
	return c, err
}

// Start creates the cluster if there is none, and returns when its server accepts
// connections. An error leaves nothing running. It must not be called twice.
func (c *Cluster) Start(ctx context.Context) error {
	if err := c.prepare(ctx); err != nil {
		return err
	}
	return c.process.Start(ctx)
}

func (c *Cluster) prepare(ctx context.Context) (err error) {
	if c.opt.Binaries == (Binaries{}) {
		if c.opt.Binaries, err = Locate(ctx, c.opt.Logger); err != nil {
			return err
		}
	}
	if c.account, err = chooseAccount(c.dataDir()); err != nil {
		return err
	}
	if err = c.account.makeDir(c.opt.Dir); err != nil {
		return fmt.Errorf("directory of the cluster: %w", err)
	}
	if err = c.ensureInitialized(ctx); err != nil {
		return err
	}
	if err = clearLeftovers(ctx, c.dataDir()); err != nil {
		return err
	}
	if c.port, err = freeport.Resolve(host, c.opt.Port, c.opt.LastPort); err != nil {
		return fmt.Errorf("port of the cluster: %w", err)
	}
	return nil
}

// command is asked before each start of the server.
func (c *Cluster) command(ctx context.Context) (supervise.Command, error) {
	if err := clearLeftovers(ctx, c.dataDir()); err != nil {
		return supervise.Command{}, err
	}
	attr, err := c.account.attributes(c.dataDir())
	if err != nil {
		return supervise.Command{}, err
	}
	args := []string{"-D", c.dataDir()}
	settings := c.settings()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return supervise.Command{Path: c.opt.Binaries.postgres(), Args: args, Dir: "/", Attr: attr}, nil
}

func (c *Cluster) waitReady(ctx context.Context) error {
	for {
		err := ping(ctx, c.URL("postgres"))
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last answer: %w", ctx.Err(), err)
		case <-time.After(readyPoll):
		}
	}
}

func ping(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// Stop shuts the server down fast: open transactions are rolled back. When the context
// ends first, the server is killed, which its next start recovers from, and an error
// returned. It may be called again, and before Start.
func (c *Cluster) Stop(ctx context.Context) error { return c.process.Stop(ctx) }

// Kill ends the server at once and for good, without waiting.
func (c *Cluster) Kill() { c.process.Kill() }

// PID is the server's process id, 0 while it does not run.
func (c *Cluster) PID() int { return c.process.PID() }

// Port is where the server listens on the loopback address. Valid after Start.
func (c *Cluster) Port() int { return c.port }

// Host is the address on which the server listens.
func (c *Cluster) Host() string { return host }

// Password of the Superuser. Valid after Start.
func (c *Cluster) Password() string { return c.password }

// URL of a database for the Superuser. Valid after Start.
func (c *Cluster) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(Superuser, c.password),
		Host:     net.JoinHostPort(host, strconv.Itoa(c.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}
