package ci_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/ci"
)

func TestFromFork(t *testing.T) {
	const own = `{"pull_request": {"head": {"repo": {"id": 1}}, "base": {"repo": {"id": 1}}}}`
	const fork = `{"pull_request": {"head": {"repo": {"id": 2}, "repo_id": 1}, "base": {"repo": {"id": 1}}}}`
	for _, c := range []struct {
		event, payload string
		want           bool
	}{
		{"push", fork, false},
		{"workflow_dispatch", `{}`, false},
		{"pull_request", own, false},
		{"pull_request", fork, true},
		{"pull_request_review", fork, true},
		{"pull_request_target", fork, false},
		{"pull_request", `{"pull_request": {"head": {"repo_id": 1}, "base": {"repo_id": 1}}}`, false},
		{"pull_request", `{"pull_request": {"head": {"repo": null}, "base": {"repo": {"id": 1}}}}`, true},
		{"pull_request", `{}`, true},
		{"pull_request", `[]`, true},
		{"pull_request", ``, true},
	} {
		require.Equal(t, c.want, ci.RunFacts{Event: c.event, EventPayload: []byte(c.payload)}.FromFork(), "%s %s", c.event, c.payload)
	}
}
