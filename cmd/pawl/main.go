// Command pawl is the CI orchestrator: the servers, the worker, and the tools to run them. It wires the packages
// together and decides nothing.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/pawl-ci/pawl/internal/cli"
	"github.com/pawl-ci/pawl/observability"
)

// version is set by the build.
var version = "dev"

// commands is the command tree. Every flag has an environment variable and a line in the file of --config; a flag
// wins over the environment, the environment over the file.
type commands struct {
	Config    kong.ConfigFlag `help:"File with settings as JSON, by their flag names."`
	LogLevel  string          `name:"log-level" env:"PAWL_LOG_LEVEL" enum:"debug,info,warn,error" default:"info" help:"Least level to log: ${enum}."`
	LogFormat string          `name:"log-format" env:"PAWL_LOG_FORMAT" enum:"text,json" default:"text" help:"Format of logs: ${enum}."`

	Dev     devCommand     `cmd:"" help:"Run everything on this machine: Postgres, Temporal, server, worker and a runner."`
	Demo    demoCommand    `cmd:"" help:"Run everything for a moment, push a sample repository and follow its run."`
	Server  serverCommand  `cmd:"" help:"Run the API server and the runner gateway."`
	Worker  workerCommand  `cmd:"" help:"Run the worker that decides what runs."`
	Migrate migrateCommand `cmd:"" help:"Bring the database up to date."`
	Admin   adminCommand   `cmd:"" help:"Manage accounts on the database itself."`
	Version versionCommand `cmd:"" help:"Print the version."`

	cli.Commands
}

func main() {
	var c commands
	parser := kong.Must(&c, kong.Name("pawl"), kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Description("A self-hosted CI orchestrator for Gitea and GitHub Actions workflow files."),
		kong.Configuration(strictJSON))
	k, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)

	defer runtime.KeepAlive(relaxGC())
	ctx, stop := signalContext()
	defer stop()
	logger, err := observability.NewLogger(os.Stderr, observability.LogOptions{Level: c.LogLevel, Format: c.LogFormat})
	parser.FatalIfErrorf(err)
	slog.SetDefault(logger)
	k.BindTo(ctx, (*context.Context)(nil))
	if err := k.Run(logger, cli.NewTerminal()); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "pawl:", err)
		os.Exit(cli.ExitStatus(err))
	}
}

// ballastSize has a server that holds 10 MB collect at 200 MB and not at 50. A collection holds up what is asked meanwhile for some
// tens of milliseconds on two cores, and a busy server would make one every second or two.
const ballastSize = 32 << 20

// relaxGC lets the heap grow fivefold between two collections, unless GOGC says otherwise: the heap of a server is some
// tens of megabytes, and collecting it as often as Go does by default costs a fifth of its CPU. What it returns is for
// runtime.KeepAlive: it is never written to, so that it takes no memory, but the collector counts it.
func relaxGC() (ballast []byte) {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	debug.SetGCPercent(400)
	return make([]byte, ballastSize)
}

// signalContext ends at the first SIGINT or SIGTERM, so that the process drains. The second one ends the process.
func signalContext() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(130)
	}()
	return ctx, cancel
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run() error {
	fmt.Println("pawl", version)
	return nil
}
