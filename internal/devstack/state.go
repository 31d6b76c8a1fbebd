package devstack

import (
	"crypto/rand"
	"fmt"

	"github.com/pawl-ci/pawl/internal/devstack/freeport"
)

// state is what has to stay the same from start to start of a data directory.
type state struct {
	ID          string      `json:"id"` // marks the processes of this directory's jobs
	HTTP        int         `json:"http"`
	Ports       Ports       `json:"ports"`
	Credentials Credentials `json:"credentials"`
}

func loadState(path string) (state, error) {
	var s state
	if _, err := readJSON(path, &s); err != nil {
		return s, fmt.Errorf("read state: %w", err)
	}
	if s.ID == "" {
		s.ID = rand.Text()
	}
	return s, nil
}

// choosePorts gives every part but PostgreSQL its port and remembers them for the next
// start.
func (s *state) choosePorts(opt Options) error {
	host, port, err := splitAddress(opt.HTTP)
	if err != nil {
		return err
	}
	if s.HTTP, err = freeport.Resolve(host, port, s.HTTP); err != nil {
		return fmt.Errorf("port of the server: %w", err)
	}
	for _, p := range []struct {
		name      string
		wanted    int
		remember  *int
		leaveFree bool
	}{
		{"Temporal", opt.Ports.Temporal, &s.Ports.Temporal, false},
		{"the Temporal UI", opt.Ports.TemporalUI, &s.Ports.TemporalUI, false},
		{"the Temporal metrics", opt.Ports.TemporalMetrics, &s.Ports.TemporalMetrics, false},
		{"the worker", opt.Ports.Worker, &s.Ports.Worker, !opt.Split},
		{"the runner", opt.Ports.Runner, &s.Ports.Runner, opt.NoRunner},
	} {
		if p.leaveFree {
			continue
		}
		if *p.remember, err = freeport.Resolve(loopback, p.wanted, *p.remember); err != nil {
			return fmt.Errorf("port of %s: %w", p.name, err)
		}
	}
	return nil
}
