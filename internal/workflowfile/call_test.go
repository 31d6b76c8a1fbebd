package workflowfile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/ci"
)

// calling wraps the keys of a job with `uses`, each line indented by four spaces.
func calling(keys string) string {
	return "on: push\njobs:\n  a:\n    uses: ./w/called.yml\n    " + strings.ReplaceAll(keys, "\n", "\n    ") + "\n"
}

// called is a file with this `on: workflow_call`.
func called(t *testing.T, trigger string) *Workflow {
	t.Helper()
	w, err := Parse("w/called.yml", []byte("on:\n  workflow_call:\n    "+strings.ReplaceAll(trigger, "\n", "\n    ")+body))
	require.NoError(t, err)
	return w
}

func TestParseUses(t *testing.T) {
	for text, want := range map[string]Uses{
		"./x.yml":                     {Local: true, Path: "x.yml"},
		"./.gitea/workflows/a b.yaml": {Local: true, Path: ".gitea/workflows/a b.yaml"},
		"o/r/x.yml@main":              {Owner: "o", Repo: "r", Path: "x.yml", Ref: "main"},
		"my-org/my.repo/.github/workflows/x.yml@v1": {Owner: "my-org", Repo: "my.repo", Path: ".github/workflows/x.yml", Ref: "v1"},
		"o/r/x.yml@refs/heads/a/b":                  {Owner: "o", Repo: "r", Path: "x.yml", Ref: "refs/heads/a/b"},
		"o/r/x.yml@pkg@1.0":                         {Owner: "o", Repo: "r", Path: "x.yml", Ref: "pkg@1.0"},
		"o/r/x.yml@" + strings.Repeat("a", 40):      {Owner: "o", Repo: "r", Path: "x.yml", Ref: strings.Repeat("a", 40)},
	} {
		got, err := ParseUses(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	const forms = "`uses` of a job must be ./path/file.yml or owner/repo/path/file.yml@ref"
	for text, want := range map[string]string{
		"":                                      "`uses` is empty",
		" ./x.yml":                              forms,
		"x.yml":                                 forms,
		".github/workflows/x.yml":               forms,
		"/x.yml":                                forms,
		"../x.yml":                              forms,
		"o/r@v1":                                forms,
		"o/r/x.yml":                             forms,
		"docker://image":                        forms,
		"actions/checkout@v4":                   forms,
		"./${{ vars.X }}.yml":                   "`uses` of a job cannot be an expression",
		"./x":                                   "`uses` of a job must name a file that ends with .yml or .yaml",
		"./":                                    "must name a file that ends with .yml or .yaml",
		"./x.txt":                               "must name a file that ends with .yml or .yaml",
		"o/r/x@main":                            "must name a file that ends with .yml or .yaml",
		"./x.yml@main":                          "a file of the same repository has no @ref",
		"./../x.yml":                            `"../x.yml" is not a plain path`,
		"./a/../../x.yml":                       "is not a plain path",
		"./a//x.yml":                            "is not a plain path",
		".//x.yml":                              "is not a plain path",
		"./a/./x.yml":                           "is not a plain path",
		`./a\x.yml`:                             "is not a plain path",
		"./a\n.yml":                             "is not a plain path",
		"o/r/../x.yml@main":                     "is not a plain path",
		"../r/x.yml@main":                       `".." cannot name an owner or a repository`,
		"o/./x.yml@main":                        `"." cannot name an owner or a repository`,
		"o w/r/x.yml@main":                      "cannot name an owner or a repository",
		"o/r/x.yml@":                            `"" cannot name a branch, tag or commit`,
		"o/r/x.yml@-x":                          "cannot name a branch, tag or commit",
		"o/r/x.yml@a..b":                        "cannot name a branch, tag or commit",
		"o/r/x.yml@a b":                         "cannot name a branch, tag or commit",
		"o/r/x.yml@a:b":                         "cannot name a branch, tag or commit",
		"o/r/x.yml@main^":                       "cannot name a branch, tag or commit",
		"o/r/x.yml@main@{1}":                    "cannot name a branch, tag or commit",
		"o/r/x.yml@a\x00":                       "cannot name a branch, tag or commit",
		"o/r/x.yml@" + strings.Repeat("a", 256): "cannot name a branch, tag or commit",
		"./" + strings.Repeat("a", 1100) + ".yml": "`uses` is longer than 1024 bytes",
	} {
		_, err := ParseUses(text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestCalls(t *testing.T) {
	w := parse(t, "on: push\njobs:\n  a: {steps: [{run: x}]}\n  b:\n    uses: ./w/x.yml\n  c:\n    uses: o/r/y.yml@main\n    needs: b\n")
	require.Equal(t, []CallSite{{"b", "./w/x.yml", Position{5, 11}}, {"c", "o/r/y.yml@main", Position{7, 11}}}, w.Calls())
	require.Equal(t, "o/r/y.yml@main", w.Jobs[2].Uses)
	require.Empty(t, parse(t, job("x: y")).Calls())
}

// TestCallersArePlanned holds that callers have cells as other jobs do, but nothing for a runner.
func TestCallersArePlanned(t *testing.T) {
	p := plan(t, calling("needs: []\nname: deploy\nif: ${{ github.ref }}\npriority: 4\nconcurrency: x\npermissions: read-all\nstrategy: {max-parallel: 1, matrix: {to: [dev, prod]}}\nwith: {to: '${{ matrix.to }}'}"), PlanContext{})
	require.True(t, p.NeedsFiles)
	require.Len(t, p.Jobs, 2)
	require.Empty(t, plan(t, calling("runs-on: ubuntu-latest\nenv: {A: b}"), PlanContext{}).Jobs[0].RunsOn, "both mean nothing on a caller")
	require.Equal(t, PlannedJob{
		Key: "a", Kind: ci.JobCall, Name: "deploy (prod)", Needs: nil, Uses: "./w/called.yml", If: "github.ref", IfAt: "ci.yml:7:13", Gated: true,
		Matrix: map[string]any{"to": "prod"}, MatrixJSON: `{"to":"prod"}`, Index: 1, Total: 2, FailFast: true, MaxParallel: 1,
		TimeoutMinutes: 360, Priority: 4,
	}, p.Jobs[1])
}

func TestBadCallers(t *testing.T) {
	for _, key := range []string{"timeout-minutes: 5", "continue-on-error: true", "container: x", "services: {}", "defaults: {}", "outputs: {}", "environment: x", "retry: 3"} {
		name, _, _ := strings.Cut(key, ":")
		want := fmt.Sprintf("ci.yml:5:%d: a job with `uses` cannot have `%s`", 7+len(name), name)
		require.Contains(t, strings.Join(problemsOf(t, calling(key)), "\n"), want)
	}
	for keys, want := range map[string]string{
		"steps: [{run: x}]":                          "ci.yml:4:11: job \"a\" has both `uses` and `steps`",
		"runs-on: {labels: {}}":                      "`runs-on.labels` must be a string or a list of strings, not a mapping",
		"env: [a]":                                   "`env` must be a mapping, not a list",
		"with: [a]":                                  "ci.yml:5:11: `with` must be a mapping, not a list",
		"with: x":                                    "`with` must be a mapping, not a string",
		"with: {a: [b]}":                             "ci.yml:5:15: `with.a` must be a single value, not a list",
		"with: {a: '${{ secrets.X }}'}":              "ci.yml:5:20: the context 'secrets' is not available in `with`; there are: github, gitea, inputs, vars, needs, strategy, matrix",
		"with: {a: '${{ nope() }}'}":                 "ci.yml:5:20: unknown function 'nope'",
		"with: {a: '${{ env.X }}'}":                  "the context 'env' is not available in `with`",
		"secrets: all":                               "ci.yml:5:14: `secrets` must be `inherit` or a mapping, not a string",
		"secrets: [a]":                               "`secrets` must be `inherit` or a mapping, not a list",
		"secrets: 5":                                 "`secrets` must be `inherit` or a mapping, not a number",
		"secrets: {a: b}":                            "ci.yml:5:18: `secrets.a` must be exactly ${{ secrets.NAME }}",
		"secrets: {a: }":                             "`secrets.a` must be exactly ${{ secrets.NAME }}",
		"secrets: {a: [b]}":                          "`secrets.a` must be exactly ${{ secrets.NAME }}",
		"secrets: {a: 'x${{ secrets.A }}'}":          "`secrets.a` must be exactly ${{ secrets.NAME }}",
		"secrets: {a: \"${{ secrets['A'] }}\"}":      "`secrets.a` must be exactly ${{ secrets.NAME }}",
		"secrets: {a: '${{ secrets.A || vars.A }}'}": "`secrets.a` must be exactly ${{ secrets.NAME }}",
		"secrets: {a: '${{ vars.A }}'}":              "`secrets.a` must be exactly ${{ secrets.NAME }}",
		"permissions: [x]":                           "`permissions` must be a mapping",
		"needs: b":                                   "job \"a\" needs \"b\", which is not a job of this workflow",
		"if: nope()":                                 "ci.yml:5:9: unknown function 'nope'",
	} {
		require.Contains(t, strings.Join(problemsOf(t, calling(keys)), "\n"), want, keys)
	}
	for uses, want := range map[string]string{
		"[./x.yml]":            "ci.yml:4:11: `uses` must be a single value, not a list",
		"{a: b}":               "ci.yml:4:11: `uses` must be a single value, not a mapping",
		"5":                    "ci.yml:4:11: `uses` of a job must be ./path/file.yml",
		"''":                   "ci.yml:4:11: `uses` is empty",
		"./${{ vars.X }}.yml":  "ci.yml:4:11: `uses` of a job cannot be an expression",
		"actions/checkout@v4":  "ci.yml:4:11: `uses` of a job must be ./path/file.yml or owner/repo/path/file.yml@ref",
		"./../secret/file.yml": "ci.yml:4:11: `uses` of a job: \"../secret/file.yml\" is not a plain path",
	} {
		require.Contains(t, strings.Join(problemsOf(t, strings.Replace(calling("x: y"), "./w/called.yml", uses, 1)), "\n"), want, uses)
	}
}

func TestCallTrigger(t *testing.T) {
	w := called(t, "inputs:\n  a: {type: number, required: true, description: d}\n  B: {default: '${{ vars.X }}'}\n  c:\nsecrets:\n  s: {required: true}\n  T:\noutputs:\n  o: {value: '${{ jobs.x.outputs.y }}'}")
	require.True(t, w.Callable())
	require.False(t, parse(t, job("x: y")).Callable())
	require.Equal(t, []CallInput{
		{Position: Position{4, 7}, Name: "a", Type: "number", Required: true},
		{Position: Position{5, 7}, Name: "B", Type: "string", fallback: w.On.Call.Inputs[1].fallback},
		{Position: Position{6, 7}, Name: "c", Type: "string"},
	}, w.On.Call.Inputs)
	require.Equal(t, []CallSecret{{Position{8, 7}, "s", true}, {Position{9, 7}, "T", false}}, w.On.Call.Secrets)
	require.Equal(t, "o", w.On.Call.Outputs[0].Name)
	for _, on := range []string{"workflow_call", "[push, workflow_call]", "{workflow_call: }", "{workflow_call: {}}"} {
		require.True(t, parse(t, "on: "+on+body).Callable(), on)
	}
}

func TestBadCallTriggers(t *testing.T) {
	for trigger, want := range map[string]string{
		"x":                                "`on.workflow_call` must be a mapping, not a string",
		"[inputs]":                         "`on.workflow_call` must be a mapping, not a list",
		"{inputs: [a]}":                    "ci.yml:1:30: `on.workflow_call.inputs` must be a mapping, not a list",
		"{inputs: {a: b}}":                 "`on.workflow_call.inputs.a` must be a mapping, not a string",
		"{inputs: {a: [b]}}":               "`on.workflow_call.inputs.a` must be a mapping, not a list",
		"{inputs: {a: {type: choice}}}":    "ci.yml:1:41: `on.workflow_call.inputs.a.type` is \"choice\"; there are: string, boolean, number",
		"{inputs: {a: {type: [string]}}}":  "`on.workflow_call.inputs.a.type` must be a single value, not a list",
		"{inputs: {a: {required: maybe}}}": "`on.workflow_call.inputs.a.required` must be true or false, not a string",
		"{inputs: {a: {type: boolean, default: no}}}":  "ci.yml:1:59: `on.workflow_call.inputs.a.default` must be true or false, not \"no\"",
		"{inputs: {a: {type: number, default: x}}}":    "`on.workflow_call.inputs.a.default` must be a number, not \"x\"",
		"{inputs: {a: {type: number, default: true}}}": "`on.workflow_call.inputs.a.default` must be a number, not \"true\"",
		"{inputs: {a: {type: boolean, default: 1}}}":   "`on.workflow_call.inputs.a.default` must be true or false, not \"1\"",
		"{inputs: {a: {default: [x]}}}":                "`on.workflow_call.inputs.a.default` must be a single value, not a list",
		"{inputs: {a: {default: '${{ needs.x }}'}}}":   "the context 'needs' is not available in `on.workflow_call.inputs.a.default`; there are: github, gitea, inputs, vars",
		"{inputs: {a b: {}}}":                          "ci.yml:1:31: \"a b\" cannot be a name in `on.workflow_call.inputs`",
		"{inputs: {a: {}, A: {}}}":                     "ci.yml:1:38: the name \"A\" is already there in `on.workflow_call.inputs`; upper and lower case make no difference",
		"{secrets: [a]}":                               "`on.workflow_call.secrets` must be a mapping, not a list",
		"{secrets: {a: b}}":                            "`on.workflow_call.secrets.a` must be a mapping, not a string",
		"{secrets: {a: {required: 1}}}":                "`on.workflow_call.secrets.a.required` must be true or false, not a number",
		"{secrets: {github_token: }}":                  "ci.yml:1:32: the secret github_token is there always, and cannot be declared",
		"{outputs: x}":                                 "`on.workflow_call.outputs` must be a mapping, not a string",
		"{outputs: {a: x}}":                            "`on.workflow_call.outputs.a` must be a mapping, not a string",
		"{outputs: {a: }}":                             "ci.yml:1:32: `on.workflow_call.outputs.a` must have `value`",
		"{outputs: {a: {value: [x]}}}":                 "`on.workflow_call.outputs.a.value` must be a single value, not a list",
		"{outputs: {a: {value: '${{ steps.x }}'}}}":    "ci.yml:1:48: the context 'steps' is not available in `on.workflow_call.outputs.a.value`; there are: github, gitea, inputs, vars, jobs",
		"{outputs: {a: {value: '${{ nope() }}'}}}":     "ci.yml:1:48: unknown function 'nope'",
		"{inputs: {" + manyNames(1001) + "}}":          "`on.workflow_call.inputs` has 1001 entries; the limit is 1000",
	} {
		require.Contains(t, strings.Join(problemsOf(t, "on: {workflow_call: "+trigger+"}"+body), "\n"), want, trigger)
	}
}

func manyNames(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "k%d: {}, ", i)
	}
	return out.String()
}

// TestCall holds execution-semantics.md §10: typed inputs, defaults, what is required, secrets.
func TestCall(t *testing.T) {
	callee := called(t, `inputs:
  text: {}
  must: {type: string, required: true}
  flag: {type: boolean}
  yes: {type: boolean, default: true}
  n: {type: number}
  five: {type: number, default: 5}
  version: {default: 1.10}
  from: {default: '${{ vars.LABEL }}-${{ inputs.must }}-${{ github.ref }}'}
secrets:
  token: {required: true}
  other:`)
	defaults := map[string]any{"text": "", "must": "x", "flag": false, "yes": true, "n": 0.0, "five": 5.0, "version": "1.10", "from": "big-x-refs/heads/main"}
	for with, want := range map[string]map[string]any{
		"must: x":    {},
		"MUST: x":    {},
		"must: ''":   {"must": "", "from": "big--refs/heads/main"},
		"must: 1.10": {"must": "1.10", "from": "big-1.10-refs/heads/main"},
		"must: true": {"must": "true", "from": "big-true-refs/heads/main"},
		"must: ${{ matrix.os }}/${{ strategy.job-index }}":                               {"must": "linux/1", "from": "big-linux/1-refs/heads/main"},
		"must: ${{ inputs.n }}":                                                          {"must": "2", "from": "big-2-refs/heads/main"},
		"must: ${{ inputs.none }}":                                                       {"must": "", "from": "big--refs/heads/main"},
		"must: ${{ github.event.nul }}":                                                  {"must": "a\uFFFDb", "from": "big-a\uFFFDb-refs/heads/main"},
		"must: x\nflag: true\nyes: false\nn: 1.5":                                        {"flag": true, "yes": false, "n": 1.5},
		"must: x\nflag: 'true'\nn: '-2e3'":                                               {"flag": true, "n": -2000.0},
		"must: x\nflag: ${{ inputs.flag }}\nn: ${{ inputs.n }}":                          {"flag": true, "n": 2.0},
		"must: x\nflag: ${{ needs.build.outputs.yes }}\nn: ${{ needs.build.outputs.n }}": {"flag": true, "n": 3.0},
		"must: x\nflag: ${{ needs.build.result == 'success' }}":                          {"flag": true},
		"must: x\nflag: ${{ inputs.none }}\nyes: ${{ inputs.none }}\nfive: ${{ inputs.none }}\nn: ${{ inputs.none }}": {},
		"must: x\ntext: \nyes: \nfive: ":     {}, // null: nothing is given
		"must: x\nnope: ${{ fromJSON('') }}": {}, // what the callee has no input for is ignored
	} {
		for k, v := range defaults {
			if _, ok := want[k]; !ok {
				want[k] = v
			}
		}
		w := parse(t, calling("secrets: inherit\nwith:\n  "+strings.ReplaceAll(with, "\n", "\n  ")))
		call, err := w.Call("a", jobContext(), callee)
		require.NoError(t, err, with)
		require.Equal(t, want, call.Inputs, with)
		require.Equal(t, ci.CallSecrets{Inherit: true}, call.Secrets)
	}
	w := parse(t, calling("with: {must: x}\nsecrets: {Token: '${{ secrets.my_Secret }}', other: '${{SECRETS.GITHUB_TOKEN}}'}"))
	call, err := w.Call("a", jobContext(), callee)
	require.NoError(t, err)
	require.Equal(t, ci.CallSecrets{Names: map[string]string{"TOKEN": "MY_SECRET", "OTHER": "GITHUB_TOKEN"}}, call.Secrets)

	call, err = parse(t, calling("x: y")).Call("a", JobContext{}, called(t, "{}"))
	require.NoError(t, err)
	require.Equal(t, &Call{Inputs: map[string]any{}}, call)
}

func TestCallErrors(t *testing.T) {
	callee := called(t, "inputs:\n  must: {required: true}\n  flag: {type: boolean}\n  n: {type: number}\nsecrets:\n  token: {required: true}")
	const good = "with: {must: x}\nsecrets: inherit"
	for keys, want := range map[string]string{
		"secrets: inherit":                                               "ci.yml:4:11: the input \"must\" of w/called.yml is required",
		"with: {must: }\nsecrets: inherit":                               "ci.yml:4:11: the input \"must\" of w/called.yml is required",
		"with: {must: x, MUST: y}\nsecrets: inherit":                     "ci.yml:5:21: the input \"MUST\" is given twice",
		"with: {must: x, flag: maybe}\nsecrets: inherit":                 "ci.yml:5:27: the input \"flag\" of w/called.yml must be true or false, not \"maybe\"",
		"with: {must: x, flag: 1}\nsecrets: inherit":                     "the input \"flag\" of w/called.yml must be true or false, not \"1\"",
		"with: {must: x, flag: '${{ inputs.text }}'}\nsecrets: inherit":  "must be true or false, not \"hi\"",
		"with: {must: x, n: many}\nsecrets: inherit":                     "the input \"n\" of w/called.yml must be a number, not \"many\"",
		"with: {must: x, n: true}\nsecrets: inherit":                     "the input \"n\" of w/called.yml must be a number, not \"true\"",
		"with: {must: x, n: .inf}\nsecrets: inherit":                     "the input \"n\" of w/called.yml must be a number, not \"Infinity\"",
		"with: {must: x, n: ''}\nsecrets: inherit":                       "the input \"n\" of w/called.yml must be a number, not \"\"",
		"with: {must: '${{ github.event.list }}'}\nsecrets: inherit":     "the input \"must\" of w/called.yml must be a single value, not a list or a mapping",
		"with: {must: '${{ fromJSON(inputs.text) }}'}\nsecrets: inherit": "ci.yml:5:23: fromJSON: invalid character",
		"with: {must: x}":              "ci.yml:4:11: the secret \"token\" of w/called.yml is required",
		"with: {must: x}\nsecrets: {}": "the secret \"token\" of w/called.yml is required",
		"with: {must: x}\nsecrets: {token: '${{ secrets.A }}', b: '${{ secrets.B }}'}": "ci.yml:6:42: the workflow w/called.yml has no secret \"b\"; there are: token",
	} {
		_, err := parse(t, calling(keys)).Call("a", jobContext(), callee)
		var fault *Error
		require.ErrorAs(t, err, &fault, keys)
		require.Contains(t, err.Error(), want)
	}
	_, err := parse(t, calling(good)).Call("a", jobContext(), parse(t, job("x: y")))
	require.EqualError(t, err, "ci.yml:4:11: the workflow ci.yml cannot be called: it has no `on: workflow_call`")
	_, err = parse(t, job("x: y")).Call("a", jobContext(), callee)
	require.EqualError(t, err, `ci.yml:3:3: job "a" calls no workflow`)
	_, err = parse(t, calling(good)).Call("b", jobContext(), callee)
	require.EqualError(t, err, `ci.yml:1:1: the workflow has no job "b"`)
	_, err = parse(t, calling("secrets: {x: '${{ secrets.X }}'}")).Call("a", jobContext(), called(t, "{}"))
	require.EqualError(t, err, `ci.yml:5:15: the workflow w/called.yml has no secret "x": it has none`)

	_, err = parse(t, calling("x: y")).Call("a", jobContext(), called(t, "inputs: {a: {type: number, default: '${{ vars.LABEL }}'}}"))
	require.EqualError(t, err, `w/called.yml:3:41: the default of the input "a" must be a number, not "big"`)
	_, err = parse(t, calling("x: y")).Call("a", jobContext(), called(t, "inputs: {a: {default: '${{ fromJSON(vars.LABEL) }}'}}"))
	require.ErrorContains(t, err, "w/called.yml:3:32: fromJSON: ")

	c := jobContext()
	c.Inputs["large"] = strings.Repeat("x", 600_000)
	_, err = parse(t, calling("with: {a: '${{ inputs.large }}', b: '${{ inputs.large }}'}")).Call("a", c, called(t, "inputs: {a: , b: }"))
	require.EqualError(t, err, "ci.yml:4:11: the inputs of the call have more than 1048576 bytes together")
}

func TestCallOutputs(t *testing.T) {
	callee := called(t, `outputs:
  url: {value: '${{ jobs.a.outputs.url }}'}
  mix: {value: 'v ${{ inputs.n }} ${{ vars.LABEL }} ${{ github.ref }} ${{ jobs.a.result }}'}
  none: {value: '${{ jobs.gone.outputs.url }}'}
  n: {value: '${{ inputs.n == 2 }}'}
  text: {value: 1.10}`)
	c := jobContext()
	got, err := callee.CallOutputs(c, map[string]NeedResult{"a": {Result: "success", Outputs: map[string]string{"url": "http://x"}}})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"url": "http://x", "mix": "v 2 big refs/heads/main success", "none": "", "n": "true", "text": "1.10"}, got)

	got, err = parse(t, job("x: y")).CallOutputs(c, nil)
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = called(t, "outputs: {a: {value: '${{ fromJSON(jobs.x.outputs.y) }}'}, b: {value: '${{ github.event.list }}'}}").CallOutputs(c, nil)
	require.EqualError(t, err, "w/called.yml:3:31: fromJSON: the text is empty\nw/called.yml:3:75: `on.workflow_call.outputs.b.value` must be a single value, not a list or a mapping")
	many := ""
	for i := range 20 {
		many += fmt.Sprintf("o%d: {value: '${{ jobs.a.outputs.x }}'}, ", i)
	}
	_, err = called(t, "outputs: {"+many+"}").CallOutputs(c, map[string]NeedResult{"a": {Outputs: map[string]string{"x": strings.Repeat("y", 1<<20)}}})
	require.ErrorContains(t, err, "the outputs of the workflow have more than 16777216 bytes together")
}
