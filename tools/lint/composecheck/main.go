// Command composecheck loads a compose file as `docker compose config` does, with the same library, on machines
// without docker: syntax, schema, interpolation, and that what services refer to exists.
//
//	composecheck COMPOSE-FILE ENV-EXAMPLE
//
// Each variable that the example leaves empty is a secret that a person must fill in. The file must load when all are
// filled in, and must be refused when one is missing.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
)

// optional are variables that may stay empty: they belong to a profile, or to alerts, which nobody has to post.
var optional = map[string]bool{"PAWL_RUNNER_TOKEN": true, "PAWL_ALERT_WEBHOOK_URL": true, "PAWL_ALERT_WEBHOOK_SECRET": true,
	"PAWL_OLD_SECRET_KEYS": true}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: composecheck COMPOSE-FILE ENV-EXAMPLE")
		os.Exit(2)
	}
	if err := check(os.Args[1], os.Args[2], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "composecheck:", err)
		os.Exit(1)
	}
}

func check(composeFile, envExample string, out io.Writer) error {
	env, secrets, err := readExample(envExample)
	if err != nil {
		return err
	}
	services, err := load(composeFile, env, nil)
	if err != nil {
		return err
	}
	for _, secret := range secrets {
		if _, err := load(composeFile, env, map[string]bool{secret: true}); err == nil {
			return fmt.Errorf("%s loads without %s", composeFile, secret)
		}
	}
	fmt.Fprintf(out, "%s: %d services; refused without any of %s\n", composeFile, services, strings.Join(secrets, ", "))
	return nil
}

// readExample returns the variables of the file, with a word for each empty one, and the names of those that must be
// filled in.
func readExample(file string) (env map[string]string, secrets []string, err error) {
	opened, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer opened.Close()
	env = map[string]string{}
	lines := bufio.NewScanner(opened)
	for lines.Scan() {
		name, value, found := strings.Cut(lines.Text(), "=")
		if !found || strings.HasPrefix(name, "#") {
			continue
		}
		if value == "" {
			value = "filled"
			if !optional[name] {
				secrets = append(secrets, name)
			}
		}
		env[name] = value
	}
	return env, secrets, lines.Err()
}

// load returns the number of services, those of all profiles among them.
func load(composeFile string, env map[string]string, without map[string]bool) (int, error) {
	absolute, err := filepath.Abs(composeFile)
	if err != nil {
		return 0, err
	}
	options, err := cli.NewProjectOptions([]string{absolute},
		cli.WithWorkingDirectory(filepath.Dir(absolute)),
		cli.WithEnv(pairs(env, without)),
		cli.WithConsistency(true),
		cli.WithNormalization(true),
		cli.WithProfiles([]string{"*"}))
	if err != nil {
		return 0, err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return 0, err
	}
	return len(project.Services), nil
}

func pairs(env map[string]string, without map[string]bool) []string {
	var list []string
	for name, value := range env {
		if !without[name] {
			list = append(list, name+"="+value)
		}
	}
	return list
}
