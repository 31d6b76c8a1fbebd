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

// choosePorts gives every part its port and remembers them for the next start.
// PostgreSQL's is only a proposal: a server that a killed predecessor left may still
// have it, which the cluster finds out.
func (s *state) choosePorts(opt Options) error {
	host, port, err := splitAddress(opt.HTTP)
	if err != nil {
		return err
	}
	wanted := opt.Ports
	c := chooser{taken: map[int]bool{}}
	for _, p := range []int{port, wanted.Postgres, wanted.Temporal, wanted.TemporalUI, wanted.TemporalMetrics, wanted.Worker, wanted.Runner} {
		c.taken[p] = p != 0
	}
	if wanted.Postgres == 0 {
		s.Ports.Postgres = c.propose(s.Ports.Postgres)
	}
	c.choose("the server", host, port, &s.HTTP)
	c.choose("Temporal", loopback, wanted.Temporal, &s.Ports.Temporal)
	c.choose("the Temporal UI", loopback, wanted.TemporalUI, &s.Ports.TemporalUI)
	c.choose("the Temporal metrics", loopback, wanted.TemporalMetrics, &s.Ports.TemporalMetrics)
	if opt.Split {
		c.choose("the worker", loopback, wanted.Worker, &s.Ports.Worker)
	}
	if !opt.NoRunner {
		c.choose("the runner", loopback, wanted.Runner, &s.Ports.Runner)
	}
	return c.err
}

// chooser gives no port twice: what it has given is not bound yet.
type chooser struct {
	taken map[int]bool // at first those that are asked for by number
	err   error        // the first one
}

func (c *chooser) choose(part, host string, wanted int, remember *int) {
	if c.err != nil {
		return
	}
	last := *remember
	if wanted == 0 && c.taken[last] {
		last = 0
	}
	port, err := freeport.Resolve(host, wanted, last)
	for err == nil && wanted == 0 && c.taken[port] {
		port, err = freeport.Find(host)
	}
	if err != nil {
		c.err = fmt.Errorf("port of %s: %w", part, err)
		return
	}
	c.taken[port] = true
	*remember = port
}

// propose returns last, or a port that is free at this moment if there is no last one.
func (c *chooser) propose(last int) int {
	if last != 0 && !c.taken[last] {
		c.taken[last] = true
		return last
	}
	c.choose("PostgreSQL", loopback, 0, &last)
	return last
}
