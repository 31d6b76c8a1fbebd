package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	searchAnswer = `{"matches":[
		{"job_id":4,"job":"build","task_id":9,"step":"1","step_name":"Run make","row":7,
			"time":"2026-01-02T03:04:05.1Z","line":"an\terror: \u001b[31mX"},
		{"job_id":4,"job":"build","task_id":9,"step":"1","step_name":"Run make","row":8,
			"time":"2026-01-02T03:04:06Z","line":"error, error"}
	],"next_cursor":null}`
	jobsAnswer = `{"total_count":2,"jobs":[{"id":4,"name":"build","started_at":"2026-01-02T03:04:05Z",
		"steps":[{"name":"Run make","number":0},{"name":"Run make test","number":1}]},{"id":5,"name":"5 o'clock"}]}`
)

func TestSearch(t *testing.T) {
	f := newFake(t)
	f.says("GET /runs/7/logs/search", searchAnswer, 0)
	f.says("GET /runs/7", `{"id":7}`, 0)
	f.says("GET /runs/7/jobs", jobsAnswer, 0)
	out, errs, err := f.pawl(Terminal{}, "run", "search", "7", "error")
	require.NoError(t, err)
	require.Empty(t, errs)
	require.Equal(t, "build\tRun make\tan\terror: \x1b[31mX\nbuild\tRun make\terror, error\n", out)
	require.Equal(t, []string{"GET /runs/7/logs/search?ignore_case=false&q=error"}, f.asked)

	_, _, err = f.pawl(Terminal{}, "run", "search", "7", "error", "--job", "5 o'clock", "--attempt", "2")
	require.Error(t, err, "there is no attempt 2")
	out, _, err = f.pawl(Terminal{Rich: true}, "run", "search", "7", "ERROR", "-i", "--times", "--job", "5 o'clock")
	require.NoError(t, err)
	require.Equal(t, "\x1b[90mbuild\x1b[0m\t\x1b[90mRun make\x1b[0m\t2026-01-02T03:04:05Z an    \x1b[31merror\x1b[0m: [31mX\n"+
		"\x1b[90mbuild\x1b[0m\t\x1b[90mRun make\x1b[0m\t2026-01-02T03:04:06Z \x1b[31merror\x1b[0m, \x1b[31merror\x1b[0m\n", out)
	require.Equal(t, "GET /runs/7/logs/search?ignore_case=true&job=5&q=ERROR", f.asked[len(f.asked)-1])

	out, errs, err = f.pawl(Terminal{}, "run", "search", "7", "error", "-L", "1")
	require.NoError(t, err)
	require.Equal(t, "build\tRun make\tan\terror: \x1b[31mX\n", out)
	require.Equal(t, "there are more than 1 lines; -L shows more\n", errs)
	_, _, err = f.pawl(Terminal{}, "run", "search", "7", "error", "--job", "test")
	require.ErrorContains(t, err, `run 7 has no job "test"`)
}

func TestSearchFailsWhenNothingIsFound(t *testing.T) {
	f := newFake(t)
	f.says("GET /runs/7/logs/search", `{"matches":[],"next_cursor":null}`, 0)
	out, _, err := f.pawl(Terminal{}, "run", "search", "7", "error")
	require.ErrorContains(t, err, `no line of the logs of run 7 holds "error"`)
	require.Equal(t, exitFailed, ExitStatus(err))
	require.Empty(t, out)
	out, _, err = f.pawl(Terminal{}, "run", "search", "7", "error", "--json")
	require.Error(t, err)
	require.Equal(t, "[]\n", out)

	f.says("GET /runs/7/logs/search", searchAnswer, 0)
	out, _, err = f.pawl(Terminal{Rich: true}, "run", "search", "7", "error", "--json")
	require.NoError(t, err)
	require.Contains(t, out, `"line": "error, error"`)
}

func TestHighlight(t *testing.T) {
	p := printer{&Terminal{Rich: true}}
	require.Equal(t, "a\x1b[31mbc\x1b[0md\x1b[31mbc\x1b[0m", p.highlight("abcdbc", "bc", false))
	require.Equal(t, "none", p.highlight("none", "x", true))
	require.Equal(t, "İ bc", p.highlight("İ bc", "BC", true), "which has another length in small letters")
}
