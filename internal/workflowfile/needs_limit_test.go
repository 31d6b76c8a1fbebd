package workflowfile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/workflowfile"
)

// TestNeedsHaveALimit uses an alias, by which a short file asks for a plan of megabytes.
func TestNeedsHaveALimit(t *testing.T) {
	var s strings.Builder
	s.WriteString("on: push\njobs:\n")
	const first = 400
	var all []string
	for i := range first {
		all = append(all, fmt.Sprintf("a%d", i))
		fmt.Fprintf(&s, "  a%d: {runs-on: x, steps: [{run: y}]}\n", i)
	}
	fmt.Fprintf(&s, "  b0: {runs-on: x, steps: [{run: y}], needs: &all [%s]}\n", strings.Join(all, ", "))
	for i := range 200 {
		fmt.Fprintf(&s, "  b%d: {runs-on: x, steps: [{run: y}], needs: *all}\n", i+1)
	}
	_, err := workflowfile.Parse("ci.yml", []byte(s.String()))
	require.ErrorContains(t, err, "more than 10000 entries")
	require.Contains(t, err.Error(), "ci.yml:")
}
