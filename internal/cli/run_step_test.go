package cli

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// newStep is a server with a run whose first job has a log of two pages.
func newStep(t *testing.T) *fake {
	f := newFake(t)
	f.says("GET /runs/7", `{"id":7}`, 0)
	f.says("GET /runs/7/jobs", jobsAnswer, 0)
	f.answers["GET /jobs/4/logs"] = func(w http.ResponseWriter, r *http.Request) {
		pages := map[string]string{
			"0": `{"next_cursor":1,"lines":[{"row":5,"time":"2026-01-02T03:04:05.1Z","line":"make: *** <x>"}],"done":false}`,
			"1": `{"next_cursor":2,"lines":[{"row":6,"time":"2026-01-02T03:04:06Z","line":"two"}],"done":true}`,
		}
		_, _ = w.Write([]byte(pages[r.URL.Query().Get("cursor")]))
	}
	return f
}

func TestLogOfOneStep(t *testing.T) {
	f := newStep(t)
	for step, key := range map[string]string{"1": "1", "Run make test": "1", "Run make": "0", "set-up": "set-up"} {
		out, _, err := f.pawl(Terminal{}, "run", "logs", "7", "--job", "build", "--step", step)
		require.NoError(t, err)
		require.Equal(t, "make: *** <x>\ntwo\n", out)
		require.Equal(t, "GET /jobs/4/logs?cursor=1&step="+key, f.asked[len(f.asked)-1])
	}
	out, _, err := f.pawl(Terminal{}, "run", "logs", "7", "--job", "4", "--step", "1", "--times", "--follow")
	require.NoError(t, err)
	require.Equal(t, "2026-01-02T03:04:05.1000000Z make: *** <x>\n2026-01-02T03:04:06.0000000Z two\n", out)
	out, _, err = f.pawl(Terminal{}, "run", "logs", "7", "--job", "4", "--step", "1", "--json")
	require.NoError(t, err)
	require.Equal(t, `{"job_id":4,"job":"build","time":"2026-01-02T03:04:05.1000000Z","line":"make: *** <x>"}`,
		strings.SplitN(out, "\n", 2)[0])

	_, _, err = f.pawl(Terminal{}, "run", "logs", "7", "--step", "1")
	require.ErrorContains(t, err, "name it with --job")
	_, _, err = f.pawl(Terminal{}, "run", "logs", "7", "--step", "1", "--job", "none")
	require.ErrorContains(t, err, "run 7 has no such job")
	f.says("GET /jobs/4/logs", `{"message":"this job has no step \"9\""}`, http.StatusNotFound)
	_, _, err = f.pawl(Terminal{}, "run", "logs", "7", "--step", "9", "--job", "build")
	require.ErrorContains(t, err, `this job has no step "9"`)
	require.Equal(t, exitNotFound, ExitStatus(err))
}

func TestLogOfAStepThatGoesOnOrIsGone(t *testing.T) {
	f := newStep(t)
	f.says("GET /jobs/4/logs", `{"next_cursor":0,"lines":[],"done":false}`, 0)
	out, _, err := f.pawl(Terminal{}, "run", "logs", "7", "--step", "1", "--job", "build")
	require.NoError(t, err, "who does not follow does not wait")
	require.Empty(t, out)
	f.says("GET /jobs/4/logs", `{"next_cursor":0,"lines":[],"done":true,"expired":true,"message":"logs have been cleaned up"}`, 0)
	_, _, err = f.pawl(Terminal{}, "run", "logs", "7", "--step", "1", "--job", "build", "-f")
	require.ErrorContains(t, err, "logs have been cleaned up")
}

func TestLogsAsJSON(t *testing.T) {
	f := newStep(t)
	f.says("GET /jobs/4/logs", "2026-01-02T03:04:05.1000000Z one \"x\"\n2026-01-02T03:04:05.2000000Z \n", 0)
	out, _, err := f.pawl(Terminal{Rich: true}, "run", "logs", "7", "--json")
	require.NoError(t, err)
	require.Equal(t, `{"job_id":4,"job":"build","time":"2026-01-02T03:04:05.1000000Z","line":"one \"x\""}
{"job_id":4,"job":"build","time":"2026-01-02T03:04:05.2000000Z","line":""}
`, out)
}
