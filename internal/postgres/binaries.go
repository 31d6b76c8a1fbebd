package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// MinVersion is the oldest major version that is accepted.
const MinVersion = 13

// ErrNotFound says that this machine has no usable PostgreSQL server.
var ErrNotFound = errors.New("no PostgreSQL server found")

// Binaries are the server programs of one installation.
type Binaries struct {
	Dir   string // holds initdb and postgres
	Major int    // version
}

func (b Binaries) initdb() string   { return filepath.Join(b.Dir, "initdb") }
func (b Binaries) postgres() string { return filepath.Join(b.Dir, "postgres") }

// places are where distributions keep the server programs outside of PATH.
var places = []string{
	"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
	"/usr/pgsql-*/bin",          // PGDG packages of Red Hat systems
	"/usr/libexec/postgresql*",  // Alpine
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// Find looks for the server programs on PATH and then in the usual places, the newest
// version first. It returns ErrNotFound, with what was refused and why, when there are
// none of MinVersion or later.
func Find(ctx context.Context) (Binaries, error) {
	refused := ErrNotFound
	for _, dir := range candidates(os.Getenv("PATH"), places) {
		found, err := inspect(ctx, dir)
		if err == nil {
			return found, nil
		}
		refused = fmt.Errorf("%w; %s: %w", refused, dir, err)
	}
	return Binaries{}, refused
}

// candidates returns the directories that hold both programs, in order of preference.
func candidates(path string, patterns []string) []string {
	var dirs []string
	add := func(dir string) {
		// initdb looks for its files beside itself; a link to it on PATH would mislead it.
		program, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
		if err != nil {
			return
		}
		dir = filepath.Dir(program)
		if isFile(filepath.Join(dir, "initdb")) && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	for _, dir := range filepath.SplitList(path) {
		add(dir)
	}
	for _, dir := range globNewestFirst(patterns) {
		add(dir)
	}
	return dirs
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

var number = regexp.MustCompile(`\d+`)

func globNewestFirst(patterns []string) []string {
	var dirs []string
	for _, pattern := range patterns {
		matches, _ := filepath.Glob(pattern) // only a malformed pattern is an error
		dirs = append(dirs, matches...)
	}
	slices.SortStableFunc(dirs, func(a, b string) int { return cmp.Compare(firstNumber(b), firstNumber(a)) })
	return dirs
}

func firstNumber(s string) int {
	n, _ := strconv.Atoi(number.FindString(s))
	return n
}

// inspect asks the programs in dir for their version.
func inspect(ctx context.Context, dir string) (Binaries, error) {
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return Binaries{}, fmt.Errorf("ask postgres for its version: %w", err)
	}
	major := firstNumber(string(out))
	if major < MinVersion {
		return Binaries{}, fmt.Errorf("%s is older than %d", strings.TrimSpace(string(out)), MinVersion)
	}
	return Binaries{Dir: dir, Major: major}, nil
}
