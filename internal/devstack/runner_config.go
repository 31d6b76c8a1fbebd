package devstack

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Labels of the runner. The images come only with a docker daemon, and under names of
// their own, so that a job on ubuntu-latest runs the same with and without.
var (
	hostLabels   = []string{"ubuntu-latest:host", "linux:host", "self-hosted:host", "host:host"}
	dockerLabels = []string{
		"docker:docker://docker.gitea.com/runner-images:ubuntu-latest",
		"ubuntu-24.04:docker://docker.gitea.com/runner-images:ubuntu-24.04",
		"ubuntu-22.04:docker://docker.gitea.com/runner-images:ubuntu-22.04",
	}
)

// section is a mapping of the runner's YAML configuration.
type section = map[string]any

// recommended is what differs from the runner's defaults. A held poll with no pause
// after it starts a job within milliseconds (runner-protocol.md §6); short report
// intervals make logs live and let a cancel arrive within a second.
func recommended() section {
	return section{
		"log": section{"level": "info"},
		"runner": section{
			"fetch_timeout":          "60s",
			"fetch_interval":         "10ms",
			"fetch_interval_max":     "10ms",
			"log_report_interval":    "1s",
			"log_report_max_latency": "200ms",
			"state_report_interval":  "500ms",
			"shutdown_timeout":       "3s",
			"timeout":                "168h", // the server has the time limits
		},
		// It would guess an address of this machine to listen on.
		"cache": section{"enabled": false},
	}
}

// writeConfig makes the runner's configuration: the recommended one or the user's, and
// over it what the stack depends on.
func (r *runner) writeConfig(ctx context.Context) error {
	config := recommended()
	if file := r.opt.ConfigFile; file != "" {
		var err error
		if config, err = readConfig(file); err != nil {
			return err
		}
	}
	overlay(config, "runner", section{
		"file": r.registrationFile(), "capacity": r.opt.Capacity, "labels": r.labels(ctx),
	})
	overlay(config, "host", section{"workdir_parent": r.path("work")})
	overlay(config, "metrics", section{"enabled": true, "addr": joinAddress(loopback, r.port)})
	data, err := yaml.Marshal(config)
	if err != nil {
		return fmt.Errorf("encode runner configuration: %w", err)
	}
	return os.WriteFile(r.configFile(), data, 0o600)
}

func readConfig(file string) (section, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("runner configuration: %w", err)
	}
	config := section{}
	if err := yaml.Unmarshal(data, &config); err != nil {
		return nil, fmt.Errorf("runner configuration %s: %w", file, err)
	}
	return config, nil
}

func overlay(config section, name string, values section) {
	existing, ok := config[name].(section)
	if !ok {
		existing = section{}
		config[name] = existing
	}
	maps.Copy(existing, values)
}

func (r *runner) labels(ctx context.Context) []string {
	if len(r.opt.Labels) > 0 {
		return r.opt.Labels
	}
	if dockerAnswers(ctx) {
		return slices.Concat(hostLabels, dockerLabels)
	}
	return hostLabels
}

// jobEnv is ours without what jobs must not see: the runner passes its own on to every
// step. The mark makes the processes of jobs recognizable.
func jobEnv(env []string, mark string) []string {
	kept := slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		return strings.HasPrefix(entry, "PAWL_") || strings.HasPrefix(entry, "TEMPORALD_") ||
			strings.HasPrefix(entry, "PGPASS")
	})
	return append(kept, mark)
}
