package apiserver_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIdempotencyKey(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	path := repoPath(repo, "/actions/workflows/ci.yml/dispatches")
	details := path + "?return_run_details=true"
	body := `{"ref":"main","inputs":{"who":"a"}}`

	first := anna.do("POST", details, body, "Idempotency-Key", "deploy 1")
	run := first.wants(http.StatusOK)
	require.Empty(t, first.Header.Get("Idempotency-Replayed"))
	again := anna.do("POST", details, body, "Idempotency-Key", "deploy 1")
	require.Equal(t, run, again.wants(http.StatusOK))
	require.Equal(t, "true", again.Header.Get("Idempotency-Replayed"))
	// The same request in another form, and without the details.
	form := url.Values{"ref": {"main"}, "inputs[who]": {"a"}}.Encode()
	same := anna.do("POST", details, form, "Idempotency-Key", "deploy 1", "Content-Type", "application/x-www-form-urlencoded")
	require.Equal(t, run, same.wants(http.StatusOK))
	anna.do("POST", path, body, "Idempotency-Key", "deploy 1").wants(http.StatusNoContent)
	require.Equal(t, number(run["workflow_run_id"]), r.latestRun(repo).Run.ID)

	used := "this Idempotency-Key has been used for another dispatch"
	anna.do("POST", path, `{"ref":"main","inputs":{"who":"b"}}`, "Idempotency-Key", "deploy 1").refused(http.StatusConflict, used)
	anna.do("POST", path, `{"ref":"refs/heads/main","inputs":{"who":"a"}}`, "Idempotency-Key", "deploy 1").refused(http.StatusConflict, used)
	anna.do("POST", path, body, "Idempotency-Key", "deploy 2").wants(http.StatusNoContent)
	require.NotEqual(t, number(run["workflow_run_id"]), r.latestRun(repo).Run.ID)

	wrong := "Idempotency-Key must be 1 to 255 printable ASCII characters"
	for _, key := range []string{"", strings.Repeat("x", 256), "schlüssel", "a\tb"} {
		anna.do("POST", path, body, "Idempotency-Key", key).refused(http.StatusBadRequest, wrong)
	}
	anna.do("POST", path, body, "Idempotency-Key", strings.Repeat("x", 255)).wants(http.StatusNoContent)
}

// Who may not dispatch learns nothing of the keys of others.
func TestIdempotencyKeyComesAfterThePermission(t *testing.T) {
	r := newRig(t)
	anna, ben := r.user("anna"), r.user("ben")
	repo := anna.pushed("demo")
	path := repoPath(repo, "/actions/workflows/ci.yml/dispatches")
	anna.do("POST", path, `{"ref":"main"}`, "Idempotency-Key", "k").wants(http.StatusNoContent)
	ben.do("POST", path, `{"ref":"main"}`, "Idempotency-Key", "k").refused(http.StatusNotFound, "not found")
}
