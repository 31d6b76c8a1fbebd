// Command importrules checks that the packages of a Go module import only what they may.
//
// The rules are those of the linter depguard, read from the place where golangci-lint keeps them
// (linters.settings.depguard in .golangci.yml), so that golangci-lint holds the same rules where it is used. This
// program exists because it needs a second instead of a build of golangci-lint, and because it reads every file of
// the module, whatever its build tags.
//
//	importrules [-config .golangci.yml] [DIRECTORY]
//
// It prints a line for each forbidden import and exits with 1 if there is one, and with 2 when it cannot check.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("importrules", flag.ContinueOnError)
	flags.SetOutput(stderr)
	config := flags.String("config", ".golangci.yml", "file with the rules, relative to the directory")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	root := "."
	if flags.NArg() > 0 {
		root = flags.Arg(0)
	}
	found, err := check(root, *config)
	if err != nil {
		fmt.Fprintln(stderr, "importrules:", err)
		return 2
	}
	for _, violation := range found {
		fmt.Fprintln(stdout, violation)
	}
	return min(len(found), 1)
}

// check returns the forbidden imports of the module at root, in the order of the files.
func check(root, config string) ([]string, error) {
	rules, err := readRules(filepath.Join(root, config))
	if err != nil {
		return nil, err
	}
	var found []string
	err = walk(root, func(file source) {
		for _, r := range rules {
			found = append(found, r.violations(file)...)
		}
	})
	return found, err
}
