package cli

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Commands are all verbs of the package, for the command tree of the program.
type Commands struct {
	Run        runCommands        `cmd:"" help:"List, watch and control runs."`
	Workflow   workflowCommands   `cmd:"" help:"List, start and check workflows."`
	Runner     runnerCommands     `cmd:"" help:"Manage runners."`
	Secret     secretCommands     `cmd:"" help:"Manage secrets."`
	Variable   variableCommands   `cmd:"" help:"Manage variables."`
	Context    contextCommands    `cmd:"" help:"Manage the servers that this user works with."`
	Completion completionCommands `cmd:"" help:"Print what makes a shell complete commands."`
}

// Terminal is where commands read and write.
type Terminal struct {
	In       io.Reader
	Out, Err io.Writer
	// Asks: somebody is at In who can be asked.
	Asks bool
	// Rich allows colours and cursor movements on Out.
	Rich bool
	// Width and Height are the size of Out in characters, if it is a terminal.
	Width, Height int
}

// Flags are common to all verbs that call a server.
type Flags struct {
	Context string `env:"PAWL_CONTEXT" placeholder:"NAME" help:"Use this context and not the current one."`
	URL     string `name:"url" env:"PAWL_URL" help:"Address of the server; wins over the context."`
	Token   string `env:"PAWL_TOKEN" help:"Access token; give it by environment or context, not on the command line."`
	Repo    string `short:"R" env:"PAWL_REPO" placeholder:"OWNER/NAME" help:"Repository; else that of the context, or of the git remote of this directory."`
	JSON    bool   `name:"json" help:"Print JSON."`
	NoColor bool   `name:"no-color" help:"Print no colours, and do not move the cursor."`
}

// NewTerminal is that of this process.
func NewTerminal() *Terminal {
	t := &Terminal{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Asks: term.IsTerminal(int(os.Stdin.Fd()))}
	t.Width, t.Height, t.Rich = screenOf(os.Stdout)
	return t
}
