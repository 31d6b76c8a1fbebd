package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// errUsage marks a command line that was refused; the reason is already printed.
var errUsage = errors.New("usage")

// config is the whole command line. Every flag can also be given as an environment
// variable TEMPORALD_<FLAG>, in capitals with underscores; the flag wins.
type config struct {
	PostgresHost       string // host name, address, or directory of a unix socket
	PostgresPort       int
	PostgresUser       string
	PostgresPassword   string // environment only, so that it never shows in a process list
	PostgresSSLMode    string // as in a PostgreSQL URL
	Database           string
	VisibilityDatabase string
	MaxConns           int // per service, into the main database; half of it into visibility

	Namespace string
	Retention time.Duration // of closed workflows; at least an hour

	Bind        string // IP address of every listener
	Port        int    // frontend gRPC; 0 picks a free one
	UIPort      int    // 0 picks a free one, -1 switches the UI off
	MetricsPort int    // 0 picks a free one, -1 switches metrics off

	LogLevel  string
	ReadyFile string
	ParentPID int // exit when this process is no longer the parent; 0 means never
}

func parseConfig(args []string, getenv func(string) string, out io.Writer) (config, error) {
	var c config
	fs := flag.NewFlagSet("temporald", flag.ContinueOnError)
	fs.SetOutput(out)
	c.define(fs)
	if err := applyEnv(fs, getenv); err != nil {
		return c, refuse(out, err)
	}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return c, err
		}
		return c, errUsage
	}
	if fs.NArg() > 0 {
		return c, refuse(out, fmt.Errorf("unexpected argument %q", fs.Arg(0)))
	}
	c.PostgresPassword = getenv("TEMPORALD_POSTGRES_PASSWORD")
	if err := c.validate(); err != nil {
		return c, refuse(out, err)
	}
	return c, nil
}

func (c *config) define(fs *flag.FlagSet) {
	fs.StringVar(&c.PostgresHost, "postgres-host", "127.0.0.1", "PostgreSQL `host`, or the directory of its unix socket")
	fs.IntVar(&c.PostgresPort, "postgres-port", 5432, "PostgreSQL `port`")
	fs.StringVar(&c.PostgresUser, "postgres-user", "postgres", "PostgreSQL `user` that may create databases; its password is read from TEMPORALD_POSTGRES_PASSWORD")
	fs.StringVar(&c.PostgresSSLMode, "postgres-sslmode", "disable", "`sslmode` of the connections to PostgreSQL")
	fs.StringVar(&c.Database, "database", "temporal", "main `database`, created when missing")
	fs.StringVar(&c.VisibilityDatabase, "visibility-database", "temporal_visibility", "visibility `database`, created when missing")
	fs.IntVar(&c.MaxConns, "max-conns", 14, "connections of each of the four services to the main database; visibility gets half as many")
	fs.StringVar(&c.Namespace, "namespace", "pawl", "`namespace` to create or update")
	fs.DurationVar(&c.Retention, "retention", 72*time.Hour, "how long closed workflows stay in the namespace")
	fs.StringVar(&c.Bind, "bind", "127.0.0.1", "IP `address` to listen on")
	fs.IntVar(&c.Port, "port", 7233, "frontend gRPC `port`, 0 picks a free one")
	fs.IntVar(&c.UIPort, "ui-port", 8233, "web UI `port`, 0 picks a free one, -1 switches the UI off")
	fs.IntVar(&c.MetricsPort, "metrics-port", 0, "Prometheus `port`, 0 picks a free one, -1 switches metrics off")
	fs.StringVar(&c.LogLevel, "log-level", "warn", "debug, info, warn or error")
	fs.StringVar(&c.ReadyFile, "ready-file", "", "`file` written as JSON once a client can use the server, removed on a clean stop")
	fs.IntVar(&c.ParentPID, "parent-pid", 0, "exit when this `process` is no longer the parent")
}

// applyEnv sets flags from the environment before the command line overrides them.
func applyEnv(fs *flag.FlagSet, getenv func(string) string) error {
	var err error
	fs.VisitAll(func(f *flag.Flag) {
		name := "TEMPORALD_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value := getenv(name)
		if value == "" || err != nil {
			return
		}
		if setErr := fs.Set(f.Name, value); setErr != nil {
			err = fmt.Errorf("%s: %w", name, setErr)
		}
	})
	return err
}

func (c *config) validate() error {
	switch {
	case net.ParseIP(c.Bind) == nil:
		return fmt.Errorf("--bind: %q is not an IP address", c.Bind)
	case c.PostgresHost == "" || c.PostgresUser == "":
		return errors.New("--postgres-host and --postgres-user must not be empty")
	case c.Database == "" || c.VisibilityDatabase == "" || c.Database == c.VisibilityDatabase:
		return errors.New("--database and --visibility-database must be two different names")
	case c.Namespace == "":
		return errors.New("--namespace must not be empty")
	case c.Retention < time.Hour:
		return fmt.Errorf("--retention: %s is less than an hour", c.Retention)
	case c.MaxConns < 2:
		return fmt.Errorf("--max-conns: %d is less than 2", c.MaxConns)
	}
	return c.validatePorts()
}

func (c *config) validatePorts() error {
	for _, p := range []struct {
		name      string
		port, min int
	}{
		{"--postgres-port", c.PostgresPort, 1}, {"--port", c.Port, 0},
		{"--ui-port", c.UIPort, -1}, {"--metrics-port", c.MetricsPort, -1},
	} {
		if p.port < p.min || p.port > 65535 {
			return fmt.Errorf("%s: %d is not in %d..65535", p.name, p.port, p.min)
		}
	}
	return nil
}

func refuse(out io.Writer, err error) error {
	fmt.Fprintln(out, "temporald:", err)
	return errUsage
}
