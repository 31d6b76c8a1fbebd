package workflowfile

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// values are one value of each kind, and lists and mappings of each.
var values = map[string]string{
	"null": "null", "bool": "true", "number": "7", "string": "word", "list": "[a, b]", "map": "{k: v}",
	"list of lists": "[[a]]", "list of maps": "[{k: v}]", "map of lists": "{k: [v]}", "map of maps": "{k: {a: b}}", "empty list": "[]", "empty map": "{}",
}

const (
	trigger = "on: {push: {%s}}\njobs: {a: {steps: [{run: x}]}}\n"
	trig    = "on: {workflow_dispatch: {inputs: {i: {%s}}}}\njobs: {a: {steps: [{run: x}]}}\n"
	reuse   = "on: {workflow_call: {%s}}\njobs: {a: {steps: [{run: x}]}}\n"
	top     = "on: push\n%s\njobs: {a: {steps: [{run: x}]}}\n"
	inJob   = "on: push\njobs:\n  b: {steps: [{run: x}]}\n  a:\n    steps: [{run: x}]\n    %s\n"
	inCall  = "on: push\njobs:\n  a:\n    uses: ./w/x.yml\n    %s\n"
	inStep  = "on: push\njobs:\n  a:\n    steps:\n      - run: x\n        %s\n"
	inUse   = "on: push\njobs:\n  a:\n    steps:\n      - uses: ./x\n        %s\n"
)

// TestWrongKindsOfEveryKey walks all keys that the parser knows. A value of a kind that is not among the good ones must
// be a problem at its place; and nothing, of any kind, may do worse than be a problem. null counts as absent, and what is
// missing in a mapping is a problem of its key.
func TestWrongKindsOfEveryKey(t *testing.T) {
	scalar := []string{"bool", "number", "string"}
	texts := []string{"bool", "number", "string", "list", "empty list"} // one, or a list of them
	mapping := []string{"map", "empty map"}
	anyMap := []string{"map", "map of lists", "map of maps", "empty map"}
	filters := []string{"bool", "number", "string", "list", "empty list"}
	lists := []string{"list", "empty list"}
	for _, tc := range []struct {
		around, key string // @ is the value
		good        []string
	}{
		{"%s\njobs: {a: {steps: [{run: x}]}}\n", "on: @", []string{"string", "list", "map", "map of maps"}},
		{"on: push\n%s\n", "jobs: @", nil},
		{"on: push\njobs:\n  %s\n", "a: @", anyMap},
		{top, "name: @", scalar}, {top, "run-name: @", scalar}, {top, "env: @", mapping}, {top, "defaults: @", anyMap}, {top, "defaults: {run: @}", anyMap},
		{top, "defaults: {run: {shell: @}}", scalar}, {top, "defaults: {run: {working-directory: @}}", scalar},
		{top, "permissions: @", slices.Concat(scalar, mapping)}, {top, "permissions: {contents: @}", scalar}, {top, "env: {A: @}", scalar},
		{top, "concurrency: @", scalar}, {top, "concurrency: {group: @}", scalar},
		{top, "concurrency: {group: x, cancel-in-progress: @}", []string{"bool"}}, {top, "concurrency: {group: x, queue: @}", nil},

		{"on: {%s}\njobs: {a: {steps: [{run: x}]}}\n", "push: @", anyMap}, {"on: {%s}\njobs: {a: {steps: [{run: x}]}}\n", "pull_request: @", anyMap},
		{"on: {%s}\njobs: {a: {steps: [{run: x}]}}\n", "workflow_dispatch: @", anyMap}, {"on: {%s}\njobs: {a: {steps: [{run: x}]}}\n", "workflow_call: @", anyMap},
		{"on: {%s}\njobs: {a: {steps: [{run: x}]}}\n", "schedule: @", []string{"empty list"}},
		{"on: {schedule: [{%s}]}\njobs: {a: {steps: [{run: x}]}}\n", "cron: @", scalar},
		{"on: {schedule: [{cron: x, %s}]}\njobs: {a: {steps: [{run: x}]}}\n", "timezone: @", scalar},
		{trigger, "branches: @", filters}, {trigger, "branches-ignore: @", filters}, {trigger, "tags: @", filters}, {trigger, "tags-ignore: @", filters},
		{trigger, "paths: @", filters}, {trigger, "paths-ignore: @", filters}, {trigger, "types: @", filters}, {trigger, "workflows: @", filters},
		{"on: {workflow_dispatch: {%s}}\njobs: {a: {steps: [{run: x}]}}\n", "inputs: @", []string{"map of maps", "empty map"}},
		{"on: {workflow_dispatch: {inputs: {%s}}}\njobs: {a: {steps: [{run: x}]}}\n", "i: @", anyMap},
		{trig, "description: @", scalar}, {trig, "required: @", []string{"bool"}}, {trig, "type: @", nil}, {trig, "default: @", scalar}, {trig, "options: @", texts},
		{reuse, "inputs: @", []string{"map of maps", "empty map"}}, {reuse, "secrets: @", []string{"map of maps", "empty map"}}, {reuse, "outputs: @", []string{"empty map"}},
		{reuse, "inputs: {i: @}", mapping}, {reuse, "inputs: {i: {description: @}}", scalar}, {reuse, "inputs: {i: {required: @}}", []string{"bool"}},
		{reuse, "inputs: {i: {type: @}}", nil}, {reuse, "inputs: {i: {default: @}}", scalar}, {reuse, "inputs: {i: {type: boolean, default: @}}", []string{"bool"}},
		{reuse, "inputs: {i: {type: number, default: @}}", []string{"number"}}, {reuse, "secrets: {s: @}", mapping}, {reuse, "secrets: {s: {description: @}}", scalar},
		{reuse, "secrets: {s: {required: @}}", []string{"bool"}}, {reuse, "outputs: {o: @}", mapping}, {reuse, "outputs: {o: {value: @}}", scalar},
		{reuse, "outputs: {o: {value: x, description: @}}", scalar},

		{inJob, "name: @", scalar}, {inJob, "needs: @", []string{"empty list"}}, {inJob, "if: @", scalar}, {inJob, "runs-on: @", slices.Concat(texts, anyMap)},
		{inJob, "runs-on: {group: @}", scalar}, {inJob, "runs-on: {labels: @}", texts}, {inJob, "timeout-minutes: @", []string{"number"}},
		{inJob, "continue-on-error: @", []string{"bool"}}, {inJob, "strategy: @", anyMap}, {inJob, "strategy: {fail-fast: @}", []string{"bool"}},
		{inJob, "strategy: {max-parallel: @}", []string{"number"}}, {inJob, "strategy: {matrix: @}", []string{"map", "map of lists", "empty map"}},
		{inJob, "strategy: {matrix: {os: @}}", []string{"bool", "number", "string", "list", "list of lists", "list of maps", "empty list"}},
		{inJob, "strategy: {matrix: {k: [v], include: @}}", []string{"list of maps", "empty list"}}, {inJob, "strategy: {matrix: {k: [v], exclude: @}}", []string{"list of maps", "empty list"}},
		{inJob, "concurrency: @", scalar}, {inJob, "concurrency: {group: @}", scalar}, {inJob, "concurrency: {group: x, cancel-in-progress: @}", []string{"bool"}},
		{inJob, "concurrency: {group: x, queue: @}", nil}, {inJob, "environment: @", scalar}, {inJob, "environment: {name: @}", scalar},
		{inJob, "environment: {name: x, url: @}", scalar}, {inJob, "retry: @", []string{"number"}}, {inJob, "retry: {max-attempts: @}", []string{"number"}},
		{inJob, "retry: {max-attempts: 2, on: @}", []string{"empty list"}}, {inJob, "retry: {max-attempts: 2, backoff: @}", []string{"number"}},
		{inJob, "priority: @", []string{"number"}}, {inJob, "env: @", mapping}, {inJob, "env: {A: @}", scalar}, {inJob, "defaults: @", anyMap}, {inJob, "defaults: {run: @}", anyMap},
		{inJob, "permissions: @", slices.Concat(scalar, mapping)}, {inJob, "container: @", slices.Concat(scalar, anyMap)}, {inJob, "container: {image: @}", scalar},
		{inJob, "container: {image: x, options: @}", scalar}, {inJob, "container: {image: x, env: @}", mapping}, {inJob, "container: {image: x, credentials: @}", mapping},
		{inJob, "container: {image: x, ports: @}", lists}, {inJob, "container: {image: x, volumes: @}", lists}, {inJob, "container: {image: x, cmd: @}", lists},
		{inJob, "services: @", []string{"map of maps", "empty map"}}, {inJob, "services: {s: @}", anyMap}, {inJob, "services: {s: {ports: @}}", lists},
		{inJob, "outputs: @", mapping}, {inJob, "outputs: {o: @}", scalar},
		{"on: push\njobs:\n  a:\n    %s\n", "steps: @", nil}, {"on: push\njobs:\n  a:\n    steps:\n      - %s\n", "@", nil},

		{"on: push\njobs:\n  a:\n    %s\n", "uses: @", nil}, {inCall, "with: @", mapping}, {inCall, "with: {i: @}", scalar}, {inCall, "secrets: @", []string{"empty map"}},
		{inCall, "secrets: {s: @}", nil}, {inCall, "strategy: @", anyMap}, {inCall, "name: @", scalar}, {inCall, "if: @", scalar}, {inCall, "concurrency: @", scalar},
		{inCall, "priority: @", []string{"number"}}, {inCall, "permissions: @", slices.Concat(scalar, mapping)},

		{"on: push\njobs:\n  a:\n    steps:\n      - %s\n", "run: @", scalar}, {"on: push\njobs:\n  a:\n    steps:\n      - %s\n", "uses: @", scalar},
		{inStep, "id: @", []string{"bool", "string"}}, {inStep, "name: @", scalar}, {inStep, "if: @", scalar}, {inStep, "shell: @", scalar}, {inStep, "working-directory: @", scalar},
		{inStep, "env: @", mapping}, {inStep, "env: {A: @}", scalar}, {inUse, "with: @", mapping}, {inUse, "with: {a: @}", scalar},
		{inStep, "continue-on-error: @", []string{"bool"}}, {inStep, "timeout-minutes: @", []string{"number"}},
	} {
		for kind, value := range values {
			before, after, _ := strings.Cut(strings.Replace(tc.around, "%s", tc.key, 1), "@")
			src := before + value + after
			t.Run(tc.key+" as "+kind, func(t *testing.T) {
				started := time.Now()
				w, err := Parse(file, []byte(src))
				if err == nil {
					_, err = w.Plan(PlanContext{})
				}
				require.Less(t, time.Since(started), time.Minute, "some milliseconds on an idle machine")
				if err == nil {
					require.True(t, kind == "null" || slices.Contains(tc.good, kind), "no problem was found in:\n%s", src)
					return
				}
				var fault *Error
				require.ErrorAs(t, err, &fault)
				line := 1 + strings.Count(before, "\n")
				column := 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
				inside := func(p Problem) bool {
					return p.Line == line && p.Column >= column && p.Column < column+len(value)
				}
				if kind != "null" && !slices.Contains(tc.good, kind) {
					require.True(t, slices.ContainsFunc(fault.Problems, inside), "%s\nin\n%s", err, src)
				}
			})
		}
	}
}
