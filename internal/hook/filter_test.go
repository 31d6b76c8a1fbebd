package hook

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

func TestWhoIsToldWhat(t *testing.T) {
	for _, test := range []struct {
		of            db.StatusEvent
		event, action string
		ok            bool
	}{
		{db.StatusEvent{Status: ci.StatusWaiting, First: true}, EventRun, "requested", true},
		{db.StatusEvent{Status: ci.StatusBlocked, First: true}, EventRun, "requested", true},
		{db.StatusEvent{Status: ci.StatusBlocked}, EventRun, "requested", false}, // it waits for its gate
		{db.StatusEvent{Status: ci.StatusRunning}, EventRun, "in_progress", true},
		{db.StatusEvent{Status: ci.StatusFailure}, EventRun, "completed", true},
		{db.StatusEvent{Status: ci.StatusFailure, First: true}, EventRun, "completed", true}, // its file is invalid
		{db.StatusEvent{JobID: 1, Status: ci.StatusWaiting, First: true}, EventJob, "queued", true},
		{db.StatusEvent{JobID: 1, Status: ci.StatusBlocked, First: true}, EventJob, "waiting", true},
		{db.StatusEvent{JobID: 1, Status: ci.StatusWaiting}, EventJob, "queued", true},
		{db.StatusEvent{JobID: 1, Status: ci.StatusRunning}, EventJob, "in_progress", true},
		{db.StatusEvent{JobID: 1, Status: ci.StatusSkipped}, EventJob, "completed", true},
		{db.StatusEvent{JobID: 1, Status: ci.StatusSuccess, First: true}, EventJob, "completed", false}, // passed through
	} {
		event, action, ok := messageOf(test.of)
		require.Equal(t, test.event, event, "%+v", test.of)
		require.Equal(t, test.ok, ok, "%+v", test.of)
		if ok {
			require.Equal(t, test.action, action, "%+v", test.of)
		}
	}
}

func TestBranchFilter(t *testing.T) {
	for _, test := range []struct {
		filter, ref string
		want        bool
	}{
		{"", "refs/heads/x", true},
		{"*", "refs/heads/x/y", true},
		{"main", "refs/heads/main", true},
		{"main", "refs/heads/main2", false},
		{"main", "refs/tags/v1", true},
		{"release/*", "refs/heads/release/1/2", true},
		{"release/*", "refs/heads/prerelease/1", false},
		{"{main,release/**}", "refs/heads/release/1", true},
		{"{main,release/**}", "refs/heads/dev", false},
		{"v?", "refs/heads/v1", true},
		{"v[0-9]", "refs/heads/v5", true},
		{"v[!0-9]", "refs/heads/v5", false},
		{`a\*`, "refs/heads/a*", true},
		{`a\*`, "refs/heads/ab", false},
		{"a.b", "refs/heads/axb", false},
		{"a,b", "refs/heads/a,b", true},
	} {
		require.NoError(t, CheckBranchFilter(test.filter))
		require.Equal(t, test.want, onBranch(&db.Hook{BranchFilter: test.filter}, test.ref), "%+v", test)
	}
	for _, bad := range []string{"{a", "[a", "[]", "[z-a]", strings.Repeat("a", maxFilter+1)} {
		require.Error(t, CheckBranchFilter(bad), bad)
		require.False(t, onBranch(&db.Hook{BranchFilter: bad}, "refs/heads/a"))
	}
}

func FuzzBranchFilter(f *testing.F) {
	for _, seed := range []string{"", "{a,b}", "[a-z]*", `\`, "[[:alpha:]]", "{{,},}", "[^]]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, filter string) {
		if CheckBranchFilter(filter) == nil {
			onBranch(&db.Hook{BranchFilter: filter}, "refs/heads/main")
		}
	})
}
