package workflowfile

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/expr"
)

// callee is a called file that uses its inputs wherever a runner evaluates.
const callee = `name: callee
run-name: never seen ${{ fromJSON('broken') }}
on:
  workflow_call:
    inputs: {text: {type: string}, n: {type: number}, flag: {type: boolean}}
    outputs: {o: {value: '${{ inputs.text }}'}}
env:
  TOP: ${{ inputs.text }}
  "K${{ inputs.n }}": v
defaults: {run: {shell: '${{ inputs.text }}', working-directory: plain}}
jobs:
  a:
    name: job ${{ inputs.text }}
    runs-on: l-${{ inputs.text }}
    if: inputs.flag
    env: {N: '${{ INPUTS.N }}', if: inputs.text}
    container: {image: 'x:${{ inputs.n }}', env: {A: '${{ inputs.text }}'}}
    services: {db: {image: '${{ inputs.text }}'}}
    outputs: {all: '${{ toJSON(inputs) }}'}
    steps:
      - if: inputs.flag && 'inputs.flag' != github.event.inputs.flag
        run: echo "${{ inputs.text }}" inputs.text ${{ github.event.inputs.text }} ${{ inputs['n'] }}
        env: {X: '${{ inputs.missing }}', if: inputs.flag}
        working-directory: ${{ inputs.text }}
      - if: ${{ always() && inputs.n == 2 }}
        name: step ${{ inputs.text }}
        uses: x/y@v1
        with: {if: inputs.flag, a: '${{ !inputs.flag }}', b: plain}
        continue-on-error: ${{ inputs.flag }}
        timeout-minutes: ${{ inputs.n }}
      - run: no inputs here
`

type calleeFile struct {
	Name     string            `yaml:"name"`
	RunName  string            `yaml:"run-name"`
	Env      map[string]string `yaml:"env"`
	Defaults struct {
		Run map[string]string `yaml:"run"`
	} `yaml:"defaults"`
	Jobs map[string]struct {
		Name      string                    `yaml:"name"`
		RunsOn    string                    `yaml:"runs-on"`
		If        string                    `yaml:"if"`
		Env       map[string]string         `yaml:"env"`
		Outputs   map[string]string         `yaml:"outputs"`
		Container map[string]any            `yaml:"container"`
		Services  map[string]map[string]any `yaml:"services"`
		Steps     []map[string]any          `yaml:"steps"`
	} `yaml:"jobs"`
}

func calleePayload(t *testing.T, inputs map[string]any) calleeFile {
	t.Helper()
	p := plan(t, callee, PlanContext{Call: true, Root: "Root CI", Inputs: inputs})
	require.Empty(t, p.RunName)
	var f calleeFile
	require.NoError(t, yaml.Unmarshal(p.Jobs[0].Payload, &f), string(p.Jobs[0].Payload))
	return f
}

// TestInputsAreWrittenIntoThePayload holds that no use of the inputs of a call is left, and that nothing else changes.
func TestInputsAreWrittenIntoThePayload(t *testing.T) {
	f := calleePayload(t, map[string]any{"text": "it's", "n": 2.0, "flag": true})
	const text, n, flag = `fromJSON('{"text":"it''s"}')`, `fromJSON('{"n":2}')`, `fromJSON('{"flag":true}')`
	const all = `fromJSON('{"flag":true,"n":2,"text":"it''s"}')`
	require.Equal(t, "Root CI", f.Name)
	require.Empty(t, f.RunName)
	require.Equal(t, map[string]string{"TOP": "${{ " + text + ".text }}", "K${{ " + n + ".n }}": "v"}, f.Env)
	require.Equal(t, map[string]string{"shell": "${{ " + text + ".text }}", "working-directory": "plain"}, f.Defaults.Run)
	j := f.Jobs["a"]
	require.Equal(t, "job it's", j.Name, "evaluated here")
	require.Equal(t, "l-it's", j.RunsOn)
	require.Equal(t, "always()", j.If)
	require.Equal(t, map[string]string{"N": "${{ " + n + ".N }}", "if": "inputs.text"}, j.Env)
	require.Equal(t, map[string]any{"image": "x:${{ " + n + ".n }}", "env": map[string]any{"A": "${{ " + text + ".text }}"}}, j.Container)
	require.Equal(t, map[string]map[string]any{"db": {"image": "${{ " + text + ".text }}"}}, j.Services)
	require.Equal(t, map[string]string{"all": "${{ toJSON(" + all + ") }}"}, j.Outputs)
	require.Equal(t, []map[string]any{
		{
			"if":  flag + ".flag && 'inputs.flag' != github.event.inputs.flag",
			"run": `echo "${{ ` + text + `.text }}" inputs.text ${{ github.event.inputs.text }} ${{ ` + all + `['n'] }}`,
			"env": map[string]any{"X": "${{ fromJSON('{}').missing }}", "if": "inputs.flag"}, "working-directory": "${{ " + text + ".text }}",
		},
		{
			"if": "${{ always() && " + n + ".n == 2 }}", "name": "step ${{ " + text + ".text }}", "uses": "x/y@v1",
			"with":              map[string]any{"if": "inputs.flag", "a": "${{ !" + flag + ".flag }}", "b": "plain"},
			"continue-on-error": "${{ " + flag + ".flag }}", "timeout-minutes": "${{ " + n + ".n }}",
		},
		{"run": "no inputs here"},
	}, j.Steps)
}

func TestInputsOfEventsAreLeftToTheRunner(t *testing.T) {
	p := plan(t, strings.ReplaceAll(callee, "run-name:", "x:"), PlanContext{Inputs: map[string]any{"text": "a"}})
	require.Contains(t, string(p.Jobs[0].Payload), "${{ inputs.text }}")
	require.NotContains(t, string(p.Jobs[0].Payload), "fromJSON")
	require.Contains(t, string(p.Jobs[0].Payload), "name: callee\n")
}

// TestInputsCannotSmuggle holds that the text of an input stays text, whatever stands in it: also for a runner that
// looks for `${{` in an `if` before it looks for strings.
func TestInputsCannotSmuggle(t *testing.T) {
	for _, text := range []string{
		"${{ secrets.T }}", "}} ${{ secrets.T }}", "'", "''", "') || secrets.T || ('", `\`, `\'`, `"`, "a\nb", "}}", "}}}", "$", "$${{{", "\u2028", "\u007f", "<&>",
	} {
		f := calleePayload(t, map[string]any{"text": text, "n": 2.0, "flag": true})
		condition := f.Jobs["a"].Steps[0]["if"].(string)
		require.NotContains(t, condition, "${{")
		top := f.Env["TOP"]
		require.Equal(t, 1, strings.Count(top, "${{"), top)
		require.Equal(t, 1, strings.Count(top, "}}"), top)
		v, err := expr.Interpolate(top, expr.Env{})
		require.NoError(t, err, top)
		require.Equal(t, text, v)

		holds, err := EvalIf(condition, "x:1:1", JobContext{Facts: ci.Facts{Success: true}})
		require.NoError(t, err, condition)
		require.True(t, holds)
	}
}

// TestCalleePayloadsAreBounded holds that large inputs that are used often do not fill the memory.
func TestCalleePayloadsAreBounded(t *testing.T) {
	var steps strings.Builder
	for range 500 {
		steps.WriteString("      - run: ${{ inputs.a }} ${{ inputs['a'] }}\n")
	}
	src := "on: workflow_call\njobs:\n  a:\n    steps:\n" + steps.String()
	_, err := parse(t, src).Plan(PlanContext{Call: true, Inputs: map[string]any{"a": strings.Repeat("x", 1_000_000)}})
	require.EqualError(t, err, "ci.yml:3:3: the jobs of the run have more than 67108864 bytes together")
	p := plan(t, src, PlanContext{Call: true, Inputs: map[string]any{"a": strings.Repeat("x", 10_000), "b": strings.Repeat("y", 10_000)}})
	require.Less(t, len(p.Jobs[0].Payload), 17_000_000, "a property has its own value only")
}

func TestRootOfDeferredJobs(t *testing.T) {
	cells, err := parse(t, after("runs-on: ${{ needs.a.outputs.x }}\nenv: {A: '${{ inputs.text }}'}")).
		PlanJob("b", PlanContext{Root: "Root", Call: true, Inputs: map[string]any{"text": "hi"}, Needs: map[string]NeedResult{"a": {Outputs: map[string]string{"x": "y"}}}})
	require.NoError(t, err)
	require.Contains(t, string(cells[0].Payload), "name: Root\n")
	require.Contains(t, string(cells[0].Payload), `"${{ fromJSON('{\"text\":\"hi\"}').text }}"`)
}
