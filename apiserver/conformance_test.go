package apiserver_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// The table of docs/compatibility.md says of each operation of Gitea's description whether it is there. It is written
// from what the tests of this package really called: an operation is there when one of its good answers was validated
// against the description. `go test ./apiserver -update` writes the table, and a run of all tests fails when it has
// drifted.

var update = flag.Bool("update", false, "write the table of docs/compatibility.md")

// notYet are the operations that no test calls with success, by a part of their method and path, and why. An entry
// counts for nothing once its operations are there.
var notYet = []struct{ part, reason string }{
	{"/actions/artifacts/{artifact_id}", "there are no artifacts yet, each is 404"},
}

const (
	conformanceFile  = "../docs/compatibility.md"
	conformanceBegin = "<!-- conformance:begin -->\n"
	conformanceEnd   = "<!-- conformance:end -->\n"
)

// conformance collects what was seen of each operation while the tests run.
var conformance = struct {
	sync.Mutex

	seen map[operation]*witness
}{seen: map[operation]*witness{}}

// operation is one of the description: a method, and a path with its parameters.
type operation struct{ method, path string }

// witness is what shows that an operation is there.
type witness struct {
	statuses map[int]bool
	sdk      map[string]bool // calls of the Go SDK that succeeded
}

// note takes down a valid answer. sdk is the call of the Go SDK that asked, if it was one.
func (o operation) note(status int, sdk string) {
	if status >= 400 {
		return
	}
	conformance.Lock()
	defer conformance.Unlock()
	w := conformance.seen[o]
	if w == nil {
		w = &witness{map[int]bool{}, map[string]bool{}}
		conformance.seen[o] = w
	}
	w.statuses[status] = true
	if sdk != "" {
		w.sdk[sdk] = true
	}
}

// checkConformance compares the table with what the tests have called, or writes it. It needs all tests.
func checkConformance() error {
	if !*update && !allTestsRan() {
		return nil
	}
	table, err := conformanceTable(conformance.seen)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(conformanceFile)
	if err != nil {
		return err
	}
	fresh, err := withTable(text, table)
	switch {
	case err != nil:
		return err
	case bytes.Equal(text, fresh):
		return nil
	case *update:
		return os.WriteFile(conformanceFile, fresh, 0o644)
	}
	return fmt.Errorf("the table of %s has drifted; run: go test ./apiserver -update", conformanceFile)
}

// withTable is a text with another table between its marks.
func withTable(text []byte, table string) ([]byte, error) {
	begin, end := bytes.Index(text, []byte(conformanceBegin)), bytes.Index(text, []byte(conformanceEnd))
	if begin < 0 || end < begin {
		return nil, fmt.Errorf("%s has no section for the table", conformanceFile)
	}
	return slices.Concat(text[:begin], []byte(conformanceBegin+table), text[end:]), nil
}

// allTestsRan tells whether nothing was left out.
func allTestsRan() bool {
	for name, whole := range map[string]string{"run": "", "skip": "", "list": "", "short": "false"} {
		if f := flag.Lookup("test." + name); f != nil && f.Value.String() != whole {
			return false
		}
	}
	return true
}

func conformanceTable(seen map[operation]*witness) (string, error) {
	all, err := operations()
	if err != nil {
		return "", err
	}
	var rows strings.Builder
	var faults []error
	there := 0
	for _, o := range all {
		w := seen[o]
		if w != nil {
			there++
			fmt.Fprintf(&rows, "| `%s %s` | there (%s) | %s |\n", o.method, o.path, w.answers(), w.checks())
			continue
		}
		reason := o.missing()
		if reason == "" {
			faults = append(faults, fmt.Errorf("no test calls %s %s with success", o.method, o.path))
		}
		fmt.Fprintf(&rows, "| `%s %s` | not yet: %s | |\n", o.method, o.path, reason)
	}
	head := fmt.Sprintf("%d of %d operations are there.\n\n| operation | state | checked by |\n|---|---|---|\n", there, len(all))
	return head + rows.String(), errors.Join(faults...)
}

// operations are those of the description, in the order of their paths.
func operations() ([]operation, error) {
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(specJSON, &doc); err != nil {
		return nil, err
	}
	var out []operation
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for _, method := range []string{"get", "post", "put", "patch", "delete"} {
			if _, ok := doc.Paths[path][method]; ok {
				out = append(out, operation{strings.ToUpper(method), path})
			}
		}
	}
	return out, nil
}

func (o operation) missing() string {
	for _, n := range notYet {
		if strings.Contains(o.method+" "+o.path, n.part) {
			return n.reason
		}
	}
	return ""
}

func (w *witness) answers() string {
	var out []string
	for _, status := range slices.Sorted(maps.Keys(w.statuses)) {
		out = append(out, fmt.Sprint(status))
	}
	return strings.Join(out, ", ")
}

func (w *witness) checks() string {
	out := []string{"description"}
	for _, name := range slices.Sorted(maps.Keys(w.sdk)) {
		out = append(out, "SDK `"+name+"`")
	}
	return strings.Join(out, ", ")
}

// A table that cannot be wrong proves nothing.
func TestConformanceTable(t *testing.T) {
	all, err := operations()
	require.NoError(t, err)
	require.Len(t, all, 73)
	seen := map[operation]*witness{}
	for _, o := range all {
		if o.missing() == "" {
			seen[o] = &witness{map[int]bool{204: true, 200: true}, map[string]bool{"B": true, "A": true}}
		}
	}
	runs := operation{"GET", "/repos/{owner}/{repo}/actions/runs"}
	table, err := conformanceTable(seen)
	require.NoError(t, err)
	require.Contains(t, table, "| `GET "+runs.path+"` | there (200, 204) | description, SDK `A`, SDK `B` |\n")
	delete(seen, runs)
	_, err = conformanceTable(seen)
	require.EqualError(t, err, "no test calls GET /repos/{owner}/{repo}/actions/runs with success")

	text, err := withTable([]byte("a\n"+conformanceBegin+"old\n"+conformanceEnd+"b\n"), "new\n")
	require.NoError(t, err)
	require.Equal(t, "a\n"+conformanceBegin+"new\n"+conformanceEnd+"b\n", string(text))
	_, err = withTable([]byte("a\n"), "new\n")
	require.Error(t, err)
}
