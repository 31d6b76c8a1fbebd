package main

import (
	"fmt"
	"net"
	"strconv"
)

// ports of one process. History, matching and worker are only spoken to from inside,
// so theirs are free ones at every start.
type ports struct {
	frontend, history, matching, worker, ui, metrics int
}

// pickPorts resolves the configured ports and proves that each can be bound. All
// listeners are held until every port is known, so that no two get the same one; a
// stranger can still take one in the moment before the server binds it.
func pickPorts(cfg config) (ports, error) {
	var p ports
	var held []net.Listener
	defer func() {
		for _, l := range held {
			l.Close()
		}
	}()
	for _, want := range []struct {
		name string
		port int
		into *int
	}{
		{"frontend", cfg.Port, &p.frontend}, {"web UI", cfg.UIPort, &p.ui}, {"metrics", cfg.MetricsPort, &p.metrics},
		{"history", 0, &p.history}, {"matching", 0, &p.matching}, {"worker", 0, &p.worker},
	} {
		*want.into = want.port
		if want.port < 0 {
			continue
		}
		l, err := net.Listen("tcp", hostPort(cfg.Bind, want.port))
		if err != nil {
			return ports{}, fmt.Errorf("%s port: %w", want.name, err)
		}
		held = append(held, l)
		*want.into = l.Addr().(*net.TCPAddr).Port
	}
	return p, nil
}

func hostPort(host string, port int) string {
	return net.JoinHostPort(host, strconv.Itoa(port))
}
