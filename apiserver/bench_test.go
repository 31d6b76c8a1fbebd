package apiserver_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// get asks for a path and throws the answer away.
func (c *client) get(b *testing.B, path string) int64 {
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, c.rig.url+"/api/v1"+path, nil)
	require.NoError(b, err)
	req.Header.Set("Authorization", c.auth)
	response, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(b, err)
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	require.NoError(b, err)
	require.Equal(b, http.StatusOK, response.StatusCode)
	return n
}

func BenchmarkReads(b *testing.B) {
	r := newRig(b)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	for range 50 {
		anna.do("POST", repoPath(repo, "/actions/workflows/ci.yml/dispatches"), `{"ref":"main"}`).wants(http.StatusNoContent)
	}
	run := r.latestRun(repo)
	for name, path := range map[string]string{
		"version": "/version",
		"repo":    repoPath(repo, ""),
		"run":     repoPath(repo, "/actions/runs/%d", run.Run.ID),
		"runs":    repoPath(repo, "/actions/runs"),
		"jobs":    repoPath(repo, "/actions/runs/%d/jobs", run.Run.ID),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				anna.get(b, path)
			}
		})
	}
	b.Run("run by password", func(b *testing.B) {
		me := anna.with(basic("anna", password))
		for b.Loop() {
			me.get(b, repoPath(repo, "/actions/runs/%d", run.Run.ID))
		}
	})
}

func BenchmarkLogDownload(b *testing.B) {
	r := newRig(b)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	job := r.jobs(r.latestRun(repo))[0]
	task, _ := r.claim(job)
	log := r.logger(task)
	lines := make([]string, 200)
	for i := range lines {
		lines[i] = strings.Repeat("some words of a build log, ", 5)[:120]
	}
	for range 1000 {
		log.append(false, lines...)
	}
	log.append(true)
	for b.Loop() {
		b.SetBytes(anna.get(b, repoPath(repo, "/actions/jobs/%d/logs", job.ID)))
	}
}
