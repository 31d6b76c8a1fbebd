package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/pawl-ci/pawl/"

// repository is the checkout that this module is a part of.
const repository = "../../.."

// Each line is an import that the architecture allows or forbids, checked against the rules of the repository
// itself in a module made for it.
func TestRulesOfTheRepository(t *testing.T) {
	for _, row := range []struct {
		file, imports string
		breaks        string // rule, or empty
	}{
		{"workflows/run.go", module + "internal/ci", ""},
		{"workflows/run.go", "go.temporal.io/sdk/workflow", ""},
		{"workflows/run.go", "time", ""},
		{"workflows/run.go", module + "db", "workflows"},
		{"workflows/run.go", module + "activities", "workflows"},
		{"workflows/run.go", module + "internal/git", "workflows"},
		{"workflows/run.go", "go.temporal.io/sdk/client", "workflows"},
		{"workflows/run.go", "net/http", "workflows"},
		{"workflows/run.go", "math/rand", "workflows"},
		{"workflows/run_test.go", module + "activities", ""},
		{"internal/ci/status.go", module + "db", "ci"},
		{"internal/ci/status.go", "os/exec", "ci"},
		{"db/runs.go", module + "internal/ci", ""},
		{"db/runs.go", module + "internal/token", "db"},
		{"db/runs.go", "github.com/uptrace/bun", ""},
		{"apiserver/runs.go", module + "db", ""},
		{"apiserver/runs.go", module + "internal/engine", ""},
		{"apiserver/runs.go", module + "runnergw", "apiserver"},
		{"apiserver/runs.go", module + "activities", "apiserver"},
		{"apiserver/pages/run.go", module + "runnergw/lease", "apiserver"},
		{"runnergw/fetch.go", module + "observability", ""},
		{"runnergw/fetch.go", module + "apiserver", "runnergw"},
		{"runnergw/fetch.go", module + "activities", "runnergw"},
		{"runnergw/fetch.go", module + "worker", "runnergw"},
		{"observability/http.go", module + "internal/fault", "observability"},
		{"observability/http.go", "github.com/gorilla/mux", ""},
		{"internal/engine/engine.go", module + "workflows", ""},
		{"internal/engine/engine.go", module + "worker", "internal"},
		{"internal/engine/engine.go", module + "apiserver", "internal"},
		{"internal/devstack/stack.go", module + "cmd/pawl", "internal"},
		{"worker/worker.go", module + "activities", ""},
		{"worker/worker.go", module + "apiserver", "worker"},
		{"activities/plan.go", module + "worker", "activities-below-worker"},
		{"cmd/pawl/server.go", module + "apiserver", ""},
		{"cmd/pawl/server.go", module + "runnergw", ""},
		{"cmd/pawl/server.go", "github.com/stretchr/testify/require", "production"},
		{"cmd/pawl/server_test.go", "github.com/stretchr/testify/require", ""},
		{"internal/postgres/pgtest/pgtest.go", "github.com/stretchr/testify/require", ""},
		{"db/runs.go", "gopkg.in/yaml.v3", "words"},
	} {
		t.Run(row.file+" imports "+row.imports, func(t *testing.T) {
			root := newModule(t)
			write(t, filepath.Join(root, row.file), "package p\n\nimport _ \""+row.imports+"\"\n")
			code, out, errs := runCommand(root)
			if errs != "" {
				t.Fatal(errs)
			}
			if row.breaks == "" {
				if code != 0 || out != "" {
					t.Fatalf("code %d, output %q", code, out)
				}
				return
			}
			want := filepath.FromSlash(row.file) + ":3:8: import of " + row.imports + " breaks rule " + row.breaks + ": "
			if code != 1 || !strings.Contains(out, want) {
				t.Fatalf("code %d, output %q does not contain %q", code, out, want)
			}
		})
	}
}

func TestTheRepositoryObeys(t *testing.T) {
	code, out, errs := runCommand(repository)
	if code != 0 {
		t.Fatalf("code %d\n%s%s", code, out, errs)
	}
}

func TestNotPartOfTheModule(t *testing.T) {
	root := newModule(t)
	for _, dir := range []string{"tools/other", "observability/testdata", ".cache", "vendor/x"} {
		write(t, filepath.Join(root, dir, "a.go"), "package p\n\nimport _ \"gopkg.in/yaml.v3\"\n")
	}
	write(t, filepath.Join(root, "tools/other/go.mod"), "module other\n")
	if code, out, errs := runCommand(root); code != 0 {
		t.Fatal(code, out, errs)
	}
}

func TestBadInputIsNoSuccess(t *testing.T) {
	for name, config := range map[string]string{
		"no rules":     "linters: {}\n",
		"misspelt key": "linters: {settings: {depguard: {rules: {a: {list-mode: lax, denied: []}}}}}\n",
		"no mode":      "linters: {settings: {depguard: {rules: {a: {deny: [{pkg: x}]}}}}}\n",
		"empty rule":   "linters: {settings: {depguard: {rules: {a: {list-mode: strict}}}}}\n",
		"no yaml":      "\t",
	} {
		t.Run(name, func(t *testing.T) {
			root := newModule(t)
			write(t, filepath.Join(root, ".golangci.yml"), config)
			if code, _, errs := runCommand(root); code != 2 || errs == "" {
				t.Fatal(code, errs)
			}
		})
	}
	root := newModule(t)
	write(t, filepath.Join(root, "db", "broken.go"), "pakage db")
	if code, _, errs := runCommand(root); code != 2 || !strings.Contains(errs, "broken.go") {
		t.Fatal(code, errs)
	}
}

// newModule is an empty module with the rules of the repository.
func newModule(t *testing.T) string {
	t.Helper()
	rules, err := os.ReadFile(filepath.Join(repository, ".golangci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	write(t, filepath.Join(root, ".golangci.yml"), string(rules))
	return root
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func runCommand(root string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = run([]string{root}, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}
