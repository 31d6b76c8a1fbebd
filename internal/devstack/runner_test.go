package devstack

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func TestOfficialRunnerRunsJobs(t *testing.T) {
	t.Setenv("PAWL_SECRET_OF_THE_SERVER", "hush")
	stack := startStack(t, options(t, dataDir(t)))
	url := stack.Info().URL

	post(t, url+"/job", "env\necho done")
	eventually(t, "the job ends", func() bool { return task(t, url).Result == "RESULT_SUCCESS" })
	require.Contains(t, task(t, url).Log, "done")
	require.NotContains(t, strings.Join(task(t, url).Log, "\n"), "PAWL_SECRET")

	// The runner kills the shell only; what the shell waited for must not live on.
	post(t, url+"/job", "sleep 600 &\necho pid $!\nwait")
	job := jobPID(t, url)
	post(t, url+"/cancel", "")
	eventually(t, "the command of a cancelled step ends", func() bool { return !alive(job) })
	eventually(t, "the runner reports it", func() bool { return task(t, url).Result != "RESULT_UNSPECIFIED" })

	// A daemon that redirects its output outlives its step.
	post(t, url+"/job", "sleep 600 >/dev/null 2>&1 &\necho pid $!")
	daemon := jobPID(t, url)
	eventually(t, "the job ends", func() bool { return task(t, url).Result == "RESULT_SUCCESS" })
	require.True(t, alive(daemon))
	stopStack(t, stack)
	eventually(t, "the daemon ends with the stack", func() bool { return !alive(daemon) })
}

func TestRejectedRegistrationIsRenewed(t *testing.T) {
	dir := dataDir(t)
	stack := startStack(t, options(t, dir))
	stopStack(t, stack)
	require.NoError(t, os.Remove(filepath.Join(dir, "runners.json")))
	again := startStack(t, options(t, dir))
	require.NotZero(t, again.Info().PIDs.Runner)
	require.Len(t, runners(t, dir), 1)
}

func TestAdoptRegistration(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".runner")
	exists, err := adoptRegistration(path, "http://127.0.0.1:1")
	require.NoError(t, err)
	require.False(t, exists)

	require.NoError(t, os.WriteFile(path, []byte(`{"id":7,"token":"t","address":"http://127.0.0.1:9"}`), 0o600))
	exists, err = adoptRegistration(path, "http://127.0.0.1:1")
	require.NoError(t, err)
	require.True(t, exists)
	var got map[string]any
	_, err = readJSON(path, &got)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"id": 7.0, "token": "t", "address": "http://127.0.0.1:1"}, got)

	require.NoError(t, os.WriteFile(path, []byte("half"), 0o600))
	_, err = adoptRegistration(path, "http://127.0.0.1:1")
	require.Error(t, err)
}

func TestRunnerConfig(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(dir, "no.sock"))
	r := &runner{opt: RunnerOptions{Capacity: 4}, dir: dir, port: 1234}
	config := writtenConfig(t, r)
	require.Equal(t, "10ms", config["runner"]["fetch_interval"])
	require.Equal(t, "10ms", config["runner"]["fetch_interval_max"])
	require.Equal(t, "60s", config["runner"]["fetch_timeout"])
	require.Equal(t, 4, config["runner"]["capacity"])
	require.Equal(t, []any{"ubuntu-latest:host", "linux:host", "self-hosted:host", "host:host"}, config["runner"]["labels"])
	require.Equal(t, false, config["cache"]["enabled"])
	require.Equal(t, "127.0.0.1:1234", config["metrics"]["addr"])

	own := filepath.Join(dir, "own.yaml")
	require.NoError(t, os.WriteFile(own, []byte("runner:\n  fetch_interval: 5s\n  capacity: 99\n"), 0o600))
	r.opt.ConfigFile, r.opt.Labels = own, []string{"mine:host"}
	config = writtenConfig(t, r)
	require.Equal(t, "5s", config["runner"]["fetch_interval"], "the user's own")
	require.Equal(t, 4, config["runner"]["capacity"], "what the stack sets")
	require.Equal(t, []any{"mine:host"}, config["runner"]["labels"])
	require.Equal(t, r.registrationFile(), config["runner"]["file"])

	r.opt.ConfigFile = filepath.Join(dir, "missing.yaml")
	require.ErrorIs(t, r.writeConfig(t.Context()), os.ErrNotExist)
}

func writtenConfig(t *testing.T, r *runner) (config map[string]map[string]any) {
	t.Helper()
	require.NoError(t, r.writeConfig(t.Context()))
	data, err := os.ReadFile(r.configFile())
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(data, &config))
	return config
}

func TestDockerLabelsComeWithTheDaemon(t *testing.T) {
	daemon := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/_ping" {
			t.Errorf("asked for %s", r.URL.Path)
		}
	}))
	defer daemon.Close()
	t.Setenv("DOCKER_HOST", strings.Replace(daemon.URL, "http://", "tcp://", 1))
	labels := (&runner{}).labels(t.Context())
	require.Equal(t, hostLabels, labels[:len(hostLabels)])
	require.True(t, slices.ContainsFunc(labels, func(l string) bool { return strings.HasPrefix(l, "docker:docker://") }))

	for _, address := range []string{"ssh://somewhere", "nonsense", "tcp://127.0.0.1:1"} {
		t.Setenv("DOCKER_HOST", address)
		require.False(t, dockerAnswers(t.Context()), address)
	}
}

func TestJobEnvHidesSecrets(t *testing.T) {
	got := jobEnv([]string{"PATH=/bin", "PAWL_SECRET_KEY=x", "TEMPORALD_POSTGRES_PASSWORD=x", "PGPASSWORD=x", "PAWLS=1"}, "PAWL_DEV_STACK=id")
	require.Equal(t, []string{"PATH=/bin", "PAWLS=1", "PAWL_DEV_STACK=id"}, got)
}
