// Package deploy_test holds the files of a deployment to each other and to the code: docker-compose.temporal.yml, the
// Dockerfile, .env.example and what is mounted. Whether compose itself accepts its file is checked by
// tools/lint/composecheck, with the library of docker compose.
package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const root = ".."

// composeFile is every key that our file uses, so that a misspelt one fails to decode.
type composeFile struct {
	Name        string               `yaml:"name"`
	Pawl        yaml.Node            `yaml:"x-pawl"`
	Environment yaml.Node            `yaml:"x-pawl-environment"`
	Services    map[string]service   `yaml:"services"`
	Volumes     map[string]yaml.Node `yaml:"volumes"`
	Networks    map[string]struct {
		Name string `yaml:"name"`
	} `yaml:"networks"`
}

type service struct {
	Image string `yaml:"image"`
	Build *struct {
		Context string            `yaml:"context"`
		Target  string            `yaml:"target"`
		Args    map[string]string `yaml:"args"`
	} `yaml:"build"`
	Profiles    []string          `yaml:"profiles"`
	Restart     string            `yaml:"restart"`
	Entrypoint  []string          `yaml:"entrypoint"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Ports       []string          `yaml:"ports"`
	Volumes     []string          `yaml:"volumes"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	Healthcheck *struct {
		Test        []string `yaml:"test"`
		Interval    string   `yaml:"interval"`
		Timeout     string   `yaml:"timeout"`
		Retries     int      `yaml:"retries"`
		StartPeriod string   `yaml:"start_period"`
	} `yaml:"healthcheck"`
	ShmSize     string   `yaml:"shm_size"`
	StopGrace   string   `yaml:"stop_grace_period"`
	ReadOnly    bool     `yaml:"read_only"`
	Tmpfs       []string `yaml:"tmpfs"`
	CapDrop     []string `yaml:"cap_drop"`
	SecurityOpt []string `yaml:"security_opt"`
}

// oneShots end by themselves; all other services stay.
var oneShots = []string{"temporal-schema", "temporal-namespace", "migrate"}

func TestServices(t *testing.T) {
	compose := readCompose(t)
	for _, name := range append([]string{
		"postgres", "temporal", "temporal-ui", "server", "worker", "runner", "prometheus", "grafana",
	}, oneShots...) {
		require.Contains(t, compose.Services, name)
	}
	for name, s := range compose.Services {
		if slices.Contains(oneShots, name) {
			require.Regexp(t, `^on-failure:\d+$`, s.Restart, name)
			continue
		}
		require.Equal(t, "unless-stopped", s.Restart, name)
	}
	require.Equal(t, []string{"runner"}, compose.Services["runner"].Profiles, "the one optional service")
}

// An image has an exact version, or is built here.
func TestImagesArePinned(t *testing.T) {
	for name, s := range readCompose(t).Services {
		if strings.HasPrefix(s.Image, "pawl") {
			continue
		}
		require.Nil(t, s.Build, name)
		require.Regexp(t, `^[a-z/-]+:v?\d+\.\d+(\.\d+)?$`, s.Image, name)
	}
}

func TestBuiltImagesHaveATargetOfTheDockerfile(t *testing.T) {
	dockerfile := read(t, "Dockerfile")
	built := 0
	for name, s := range readCompose(t).Services {
		if s.Build == nil {
			continue
		}
		built++
		require.Equal(t, ".", s.Build.Context, name)
		require.Regexp(t, `(?m)^FROM \S+ AS `+s.Build.Target+`$`, dockerfile, name)
		for arg := range s.Build.Args {
			require.Regexp(t, `(?m)^ARG `+arg+`(=|$)`, dockerfile, name)
		}
	}
	require.Positive(t, built)
}

// Pawl's own processes need no rights.
func TestPawlIsConfined(t *testing.T) {
	compose := readCompose(t)
	for _, name := range []string{"server", "worker", "migrate"} {
		s := compose.Services[name]
		require.True(t, s.ReadOnly, name)
		require.Equal(t, []string{"ALL"}, s.CapDrop, name)
		require.Equal(t, []string{"no-new-privileges:true"}, s.SecurityOpt, name)
	}
}

func TestWaitsAreMet(t *testing.T) {
	compose := readCompose(t)
	for name, s := range compose.Services {
		for other, wait := range s.DependsOn {
			require.Contains(t, compose.Services, other, name)
			switch wait.Condition {
			case "service_healthy":
				require.NotNil(t, compose.Services[other].Healthcheck, "%s waits for %s", name, other)
			case "service_completed_successfully":
				require.Contains(t, oneShots, other, name)
			default:
				require.Failf(t, "unknown condition", "%s: %s", name, wait.Condition)
			}
		}
	}
	for _, name := range []string{"server", "worker"} {
		require.Contains(t, compose.Services[name].DependsOn, "migrate")
		require.Contains(t, compose.Services[name].DependsOn, "temporal-namespace")
	}
}

func TestVolumes(t *testing.T) {
	compose := readCompose(t)
	used := map[string]bool{}
	for name, s := range compose.Services {
		for _, volume := range s.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			switch {
			case strings.HasPrefix(source, "./"):
				require.FileExists(t, existing(t, source), "%s mounts %s", name, source)
				require.True(t, strings.HasSuffix(volume, ":ro"), "%s may write to %s", name, source)
			case strings.HasPrefix(source, "/"):
				require.Equal(t, "runner", name, "only the runner sees the machine")
			default:
				require.Contains(t, compose.Volumes, source, name)
				used[source] = true
			}
		}
	}
	require.Len(t, used, len(compose.Volumes), "a volume is declared and not used")
}

// existing is the path of a mounted file, or of a file in a mounted directory.
func existing(t *testing.T, source string) string {
	t.Helper()
	path := filepath.Join(root, source)
	info, err := os.Stat(path)
	require.NoError(t, err)
	if !info.IsDir() {
		return path
	}
	entries, err := os.ReadDir(path)
	require.NoError(t, err)
	require.NotEmpty(t, entries, source)
	return filepath.Join(path, entries[0].Name())
}

// optionalSecrets are the secrets that nothing needs; their default is none.
var optionalSecrets = []string{"PAWL_ALERT_WEBHOOK_SECRET", "PAWL_OLD_SECRET_KEYS"}

var variable = regexp.MustCompile(`\$\{([A-Z_]+)(:[-?])([^}]*)\}`)

// Each variable is in .env.example. Secrets, but for the optional ones, have no value in either file, and nothing starts without them; all other
// variables have the same default in both.
func TestVariables(t *testing.T) {
	example := readExample(t)
	used := map[string]bool{}
	text := read(t, "docker-compose.temporal.yml")
	require.Equal(t, strings.Count(text, "${"), len(variable.FindAllString(text, -1)), "a variable without default or error")
	for _, match := range variable.FindAllStringSubmatch(text, -1) {
		name, kind, value := match[1], match[2], match[3]
		used[name] = true
		require.Contains(t, example, name)
		if kind == ":?" {
			require.Empty(t, example[name], "%s is a secret", name)
			continue
		}
		require.Equal(t, example[name], value, name)
		if slices.Contains(optionalSecrets, name) {
			require.Empty(t, value)
		} else {
			require.NotRegexp(t, `PASSWORD|SECRET`, name, "a secret has no default")
		}
	}
	for name := range example {
		require.True(t, used[name], "%s is in .env.example and not used", name)
	}
}

// Only what listens on an address of the machine is reached from outside, and the default is the loopback one.
func TestPortsAreOnTheLoopbackAddress(t *testing.T) {
	for name, s := range readCompose(t).Services {
		for _, port := range s.Ports {
			require.Regexp(t, `^\$\{[A-Z_]+_?LISTEN:-127\.0\.0\.1:\d+\}:\d+$`, port, name)
		}
	}
}

// The program knows each variable that it is given.
func TestPawlKnowsItsEnvironment(t *testing.T) {
	sources, err := filepath.Glob(filepath.Join(root, "cmd", "pawl", "*.go"))
	require.NoError(t, err)
	var code strings.Builder
	for _, source := range sources {
		content, err := os.ReadFile(source)
		require.NoError(t, err)
		code.Write(content)
	}
	compose := readCompose(t)
	for _, name := range []string{"server", "worker", "migrate"} {
		for key := range compose.Services[name].Environment {
			require.Contains(t, code.String(), `env:"`+key+`"`, name)
		}
	}
	require.Contains(t, code.String(), `name:"metrics-addr"`)
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	var compose composeFile
	decoder := yaml.NewDecoder(strings.NewReader(read(t, "docker-compose.temporal.yml")))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(&compose))
	return compose
}

func readExample(t *testing.T) map[string]string {
	t.Helper()
	values := map[string]string{}
	for line := range strings.Lines(read(t, ".env.example")) {
		name, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if found && !strings.HasPrefix(name, "#") {
			require.NotContains(t, values, name)
			values[name] = value
		}
	}
	require.NotEmpty(t, values)
	return values
}

// read returns the text of a file of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return string(content)
}
