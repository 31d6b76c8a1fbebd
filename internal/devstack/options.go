package devstack

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
)

// loopback is where everything but the HTTP server listens.
const loopback = "127.0.0.1"

// Options of a stack. DataDir is required.
type Options struct {
	// DataDir holds everything that the stack keeps; it is created when missing.
	DataDir string
	// HTTP is the host:port that the server listens on. Port 0 picks a free one and
	// keeps it in the data directory, because runners register with the address.
	// Default 127.0.0.1:0.
	HTTP string
	// Ports of the other parts.
	Ports Ports
	// DatabaseURL is a superuser's URL of a database on a PostgreSQL server to use
	// instead of an own one. It is created when missing; Temporal gets two beside it.
	DatabaseURL string
	// Namespace of Temporal. Default pawl.
	Namespace string
	// Split runs server and worker as processes of their own.
	Split bool
	// NoRunner leaves the runner out.
	NoRunner bool
	// Temporald is the path of that program; empty looks beside this executable and on PATH.
	Temporald string
	// Runner configures the official runner.
	Runner RunnerOptions
	// Logger reports progress and restarts. Nil discards.
	Logger *slog.Logger
}

// RunnerOptions configure the official runner.
type RunnerOptions struct {
	// Binary is the path of gitea-runner; empty looks beside this executable and on PATH.
	Binary string
	// Labels replace the default ones.
	Labels []string
	// Capacity is how many jobs run at a time. Default 4.
	Capacity int
	// ConfigFile is a runner configuration to use instead of the recommended one; what
	// the stack depends on is set over it.
	ConfigFile string
}

// Ports on the loopback address. 0 means the one used last in this data directory if it
// is still free, else any free one.
type Ports struct {
	Postgres        int `json:"postgres,omitempty"`
	Temporal        int `json:"temporal,omitempty"`
	TemporalUI      int `json:"temporal_ui,omitempty"`
	TemporalMetrics int `json:"temporal_metrics,omitempty"`
	Worker          int `json:"worker,omitempty"` // health and metrics of a split worker
	Runner          int `json:"runner,omitempty"` // health and metrics of the runner
}

func (o Options) withDefaults() (Options, error) {
	dir, err := filepath.Abs(o.DataDir)
	if err != nil || o.DataDir == "" {
		return o, errors.Join(errors.New("devstack: DataDir is required"), err)
	}
	o.DataDir = dir
	if o.HTTP == "" {
		o.HTTP = net.JoinHostPort(loopback, "0")
	}
	if o.Namespace == "" {
		o.Namespace = "pawl"
	}
	if o.Runner.Capacity == 0 {
		o.Runner.Capacity = 4
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	_, _, err = splitAddress(o.HTTP)
	return o, err
}

// splitAddress takes host:port apart; an empty host means every address.
func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("HTTP address %q: %w", address, err)
	}
	number, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("HTTP address %q: %q is not a port", address, text)
	}
	return host, int(number), nil
}

func joinAddress(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
