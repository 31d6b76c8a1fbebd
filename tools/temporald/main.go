// Command temporald is a whole Temporal for one machine in one process: the four
// server services, their schema and namespace, the web UI and a Prometheus endpoint,
// persisted in two databases of a PostgreSQL server.
//
// It is a module of its own because the server brings some 1,300 packages that nothing
// else of the project needs. It can be killed at any moment and started again on the
// same databases, also with other ports. Exactly one process may use a pair of
// databases at a time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// shutdownLimit bounds a clean stop; what is left is abandoned, which Temporal's
// persistence tolerates by design.
const shutdownLimit = 10 * time.Second

func main() {
	err := run(os.Args[1:])
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "temporald:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	cfg, err := parseConfig(args, os.Getenv, os.Stderr)
	if err != nil {
		return err
	}
	tuneMemory(os.Getenv)

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, func() { boundShutdown(stop) })
	if cfg.ParentPID > 0 {
		go exitWithParent(cfg.ParentPID)
	}

	node, err := startNode(ctx, cfg)
	if err != nil {
		return err
	}
	if err := node.announce(ctx); err != nil {
		node.Stop()
		return fmt.Errorf("wait for the server: %w", err)
	}
	return waitAndStop(ctx, node)
}

// boundShutdown runs at the first signal. Handing the signals back to the runtime makes
// a second one kill at once; the limit also covers a start that hangs.
func boundShutdown(release func()) {
	release()
	time.Sleep(shutdownLimit)
	fmt.Fprintf(os.Stderr, "temporald: gave up a clean stop after %s\n", shutdownLimit)
	os.Exit(1)
}

// waitAndStop returns after a signal, or when a part has failed.
func waitAndStop(ctx context.Context, node *node) error {
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-node.failed:
	}
	node.withdraw()
	node.Stop()
	return failed
}
