package deploy_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/pawl-ci/pawl/workflows"
)

func TestDockerfile(t *testing.T) {
	dockerfile := read(t, "Dockerfile")
	goVersion := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(read(t, "go.mod"))
	require.Len(t, goVersion, 2)
	require.Contains(t, dockerfile, "ARG GO_VERSION="+goVersion[1]+"\n")

	_, final, found := strings.Cut(dockerfile, " AS pawl\n")
	require.True(t, found)
	require.Regexp(t, `(?m)^USER [1-9]\d*:[1-9]\d*$`, final, "not root")
	require.Regexp(t, `apt-get install [^\n]*\bgit\b`, final)
	require.Regexp(t, `apt-get install [^\n]*\bcurl\b`, final, "the health checks of compose use it")
	require.NotContains(t, final, "\nFROM ", "the last stage is what a build without a target makes")
}

func TestScriptsAreShell(t *testing.T) {
	scripts, err := filepath.Glob("*/*.sh")
	require.NoError(t, err)
	require.Len(t, scripts, 4)
	for _, script := range append(scripts, "../tools/lint/run") {
		out, err := exec.CommandContext(t.Context(), "sh", "-n", script).CombinedOutput()
		require.NoError(t, err, "%s: %s", script, out)
		require.Regexp(t, `(?m)^set -eu$`, read(t, filepath.Join("deploy", script)))
	}
}

// The namespace gets the attributes that workflows set; a run with an unknown one would not start.
func TestSearchAttributes(t *testing.T) {
	script := read(t, "deploy/temporal/namespace.sh")
	for name, kind := range map[string]string{
		workflows.AttributeRepository: "Keyword",
		workflows.AttributeWorkflow:   "Keyword",
		workflows.AttributeEvent:      "Keyword",
		workflows.AttributeBranch:     "Keyword",
		workflows.AttributeActor:      "Keyword",
		workflows.AttributeConclusion: "Keyword",
		workflows.AttributeRunNumber:  "Int",
	} {
		require.Contains(t, script, "--name "+name+" --type "+kind)
	}
	require.Equal(t, 7, strings.Count(script, "--type "))
}

// The cluster of compose is tuned as the embedded one, but for the sizes of its caches.
func TestDynamicConfigEqualsTemporald(t *testing.T) {
	var config map[string][]struct {
		Value int `yaml:"value"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "deploy/temporal/dynamicconfig.yaml")), &config))
	tuning := regexp.MustCompile(`dynamicconfig\.(\w+)\.Key\(\):\s+([\d_]+)`).
		FindAllStringSubmatch(read(t, "tools/temporald/tuning.go"), -1)
	embedded := map[string]string{}
	for _, match := range tuning {
		if !strings.Contains(match[1], "Cache") {
			embedded[strings.ToLower(match[1])] = match[2]
		}
	}
	require.Len(t, config, len(embedded))
	for key, values := range config {
		require.Len(t, values, 1, key)
		part, name, _ := strings.Cut(strings.ToLower(key), ".")
		want, found := embedded[name]
		if !found {
			want = embedded[part+name] // Go names of the matching part begin with its name
		}
		require.Equal(t, want, fmt.Sprint(values[0].Value), key)
	}
}

func TestPrometheus(t *testing.T) {
	var config struct {
		RuleFiles []string `yaml:"rule_files"`
		Scrapes   []struct {
			Job string `yaml:"job_name"`
			DNS []struct {
				Names []string `yaml:"names"`
				Port  int      `yaml:"port"`
			} `yaml:"dns_sd_configs"`
		} `yaml:"scrape_configs"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "deploy/prometheus/prometheus.yml")), &config))
	compose := readCompose(t)

	require.Len(t, config.RuleFiles, 1)
	require.Contains(t, compose.Services["prometheus"].Volumes, "./observability/alerts.yml:"+config.RuleFiles[0]+":ro")

	jobs := map[string]int{}
	for _, scrape := range config.Scrapes {
		for _, dns := range scrape.DNS {
			require.Contains(t, compose.Services, dns.Names[0])
			jobs[scrape.Job] = dns.Port
		}
	}
	require.Equal(t, map[string]int{"pawl-server": 3000, "pawl-worker": 3001}, jobs)
	require.Equal(t, ":3000", compose.Services["server"].Environment["PAWL_HTTP_ADDR"])
	require.Contains(t, compose.Services["worker"].Command, "--metrics-addr=:3001")

	alerts := read(t, "observability/alerts.yml")
	for job := range jobs {
		require.Contains(t, alerts, `job="`+job+`"`)
	}
}

func TestGrafana(t *testing.T) {
	volumes := strings.Join(readCompose(t).Services["grafana"].Volumes, "\n")

	var provider struct {
		Providers []struct {
			Options struct {
				Path string `yaml:"path"`
			} `yaml:"options"`
		} `yaml:"providers"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "deploy/grafana/dashboards/pawl.yml")), &provider))
	require.Len(t, provider.Providers, 1)
	require.Contains(t, volumes, "./observability/dashboards:"+provider.Providers[0].Options.Path+":ro")

	var sources struct {
		Datasources []struct {
			Type    string `yaml:"type"`
			URL     string `yaml:"url"`
			Default bool   `yaml:"isDefault"`
		} `yaml:"datasources"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "deploy/grafana/datasources/pawl.yml")), &sources))
	require.Len(t, sources.Datasources, 1)
	require.Equal(t, "prometheus", sources.Datasources[0].Type)
	require.Equal(t, "http://prometheus:9090", sources.Datasources[0].URL)
	require.True(t, sources.Datasources[0].Default)
}

// A job reaches the server only on the network that compose makes.
func TestRunnerConfig(t *testing.T) {
	var config struct {
		Runner struct {
			File             string `yaml:"file"`
			FetchTimeout     string `yaml:"fetch_timeout"`
			FetchInterval    string `yaml:"fetch_interval"`
			FetchIntervalMax string `yaml:"fetch_interval_max"`
		} `yaml:"runner"`
		Container struct {
			Network    string `yaml:"network"`
			Privileged bool   `yaml:"privileged"`
			DockerHost string `yaml:"docker_host"`
		} `yaml:"container"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "deploy/runner/config.yaml")), &config))
	require.Equal(t, readCompose(t).Networks["default"].Name, config.Container.Network)
	require.False(t, config.Container.Privileged)
	require.Equal(t, "-", config.Container.DockerHost, "jobs do not get the docker socket")
	// runner-protocol.md §6: the recommended polling.
	require.Equal(t, "60s", config.Runner.FetchTimeout)
	require.Equal(t, "10ms", config.Runner.FetchInterval)
	require.Equal(t, "10ms", config.Runner.FetchIntervalMax)
	require.Contains(t, read(t, "deploy/runner/start.sh"), config.Runner.File)
}
