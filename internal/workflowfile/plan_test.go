package workflowfile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/pawl-ci/pawl/internal/ci"
)

func plan(t *testing.T, src string, ctx PlanContext) *Plan {
	t.Helper()
	p, err := parse(t, src).Plan(ctx)
	require.NoError(t, err)
	return p
}

// planJob plans a file with the one job of job().
func planJob(t *testing.T, keys string) []PlannedJob {
	t.Helper()
	return plan(t, job(keys), PlanContext{
		GitHub: map[string]any{"ref": "refs/heads/main", "event": map[string]any{"list": []any{"p", "q"}}},
		Inputs: map[string]any{"n": 2.0, "text": "hi"}, Vars: map[string]string{"OS": `["v1","v2"]`, "LABEL": "big"},
	}).Jobs
}

func TestSample(t *testing.T) {
	w := parse(t, sample)
	require.Equal(t, "Sample CI", w.Name)
	p, err := w.Plan(PlanContext{GitHub: map[string]any{"actor": "bob"}, Inputs: map[string]any{"target": "dev"}})
	require.NoError(t, err)
	require.Equal(t, "Deploy dev by @bob", p.RunName)
	require.Len(t, p.Jobs, 4)

	first := p.Jobs[0]
	first.Payload = nil
	require.Equal(t, PlannedJob{
		Key: "build", Kind: ci.JobTask, Gated: true, Name: "Build (linux, 1.22, true)", RunsOn: []string{"self-hosted", "linux"},
		Matrix: map[string]any{"os": "linux", "go": 1.22, "extra": true}, MatrixJSON: `{"os":"linux","go":1.22,"extra":true}`,
		Index: 0, Total: 3, FailFast: false, MaxParallel: 2, ContinueOnError: true, TimeoutMinutes: 13, Outputs: []string{"sum", "other"},
		StepNames: []string{"Run actions/checkout@v4", "Test ${{ matrix.os }}", "Run echo second"},
	}, first)
	require.Equal(t, "Build (windows, 1.23)", p.Jobs[2].Name)
	require.False(t, p.Jobs[2].ContinueOnError)
	require.Equal(t, 2, p.Jobs[2].Index)

	last := p.Jobs[3]
	last.Payload = nil
	require.Equal(t, PlannedJob{
		Key: "report", Name: "report", Needs: []string{"build"}, RunsOn: []string{"ubuntu-latest"},
		If: "always() && needs.build.result == 'failure'", IfAt: "ci.yml:93:13", Kind: ci.JobTask,
		Total: 1, FailFast: true, TimeoutMinutes: 360, StepNames: []string{"Run owner/action@v1"},
	}, last)
}

// TestMatrix holds execution-semantics.md §5: names and values of the cells in their order. Its other rows: the limit is
// in TestMatrixLimitIsInclusive and TestHostileFiles, keys that `exclude` does not know in TestBadFiles, fail-fast,
// max-parallel and the strategy context in TestStrategyContext, matrices from needs in TestDynamicMatrix.
func TestMatrix(t *testing.T) {
	for _, tc := range []struct {
		name, keys string
		want       []string
	}{
		{"no matrix", "name: N", []string{"N"}},
		{"product in declaration order", "strategy: {matrix: {z: [2, 1], a: [x, y]}}", []string{"a (2, x)", "a (2, y)", "a (1, x)", "a (1, y)"}},
		{"scalar is wrapped", "strategy: {matrix: {os: linux, n: 3}}", []string{"a (linux, 3)"}},
		{"null value", "strategy: {matrix: {os: [linux, null]}}", []string{"a (linux)", "a ()"}},
		{"exclude", "strategy: {matrix: {os: [l, w], v: [1, 2], exclude: [{os: w, v: 1}]}}", []string{"a (l, 1)", "a (l, 2)", "a (w, 2)"}},
		{"exclude by part", "strategy: {matrix: {os: [l, w], v: [1, 2], exclude: [{os: w}]}}", []string{"a (l, 1)", "a (l, 2)"}},
		{"exclude all", "strategy: {matrix: {os: [l], exclude: [{os: l}]}}", []string{"a"}},
		{"include adds to matching cells", "strategy: {matrix: {os: [l, w], include: [{os: l, x: 1}]}}", []string{"a (l, 1)", "a (w)"}},
		{"include adds to all cells", "strategy: {matrix: {os: [l, w], include: [{x: 1}]}}", []string{"a (l, 1)", "a (w, 1)"}},
		{"include makes an extra cell", "strategy: {matrix: {os: [l], include: [{os: m, x: 1}]}}", []string{"a (l)", "a (m, 1)"}},
		{"include replaces what an include added", "strategy: {matrix: {os: [l], include: [{x: 1}, {os: l, x: 2}]}}", []string{"a (l, 2)"}},
		{"include does not touch extra cells", "strategy: {matrix: {os: [l], include: [{os: m}, {os: m, x: 1}]}}", []string{"a (l)", "a (m)", "a (m, 1)"}},
		{"the example of the manual", `strategy:
  matrix:
    fruit: [apple, pear]
    animal: [cat, dog]
    include:
      - color: green
      - color: pink
        animal: cat
      - fruit: apple
        shape: circle
      - fruit: banana
      - fruit: banana
        animal: cat`, []string{
			"a (apple, cat, pink, circle)", "a (apple, dog, green, circle)", "a (pear, cat, pink)", "a (pear, dog, green)", "a (banana)", "a (banana, cat)",
		}},
		{"only include", "strategy: {matrix: {include: [{os: l, v: 1}, {os: w}]}}", []string{"a (l, 1)", "a (w)"}},
		{"empty matrix", "strategy: {matrix: {}}", []string{"a"}},
		{"empty list", "strategy: {matrix: {os: []}}", []string{"a"}},
		{"object values", "strategy: {matrix: {c: [{os: l, v: [1, 2]}, {os: w}]}}", []string{"a (l, 1, 2)", "a (w)"}},
		{"expression per key", "strategy: {matrix: {os: '${{ fromJSON(vars.OS) }}'}}", []string{"a (v1)", "a (v2)"}},
		{"expression in a list", "strategy: {matrix: {os: [u, '${{ fromJSON(vars.OS) }}', '${{ inputs.text }}']}}", []string{"a (u)", "a (v1)", "a (v2)", "a (hi)"}},
		{"expression for the whole matrix", "strategy: {matrix: '${{ fromJSON(''{\"z\":[1,2],\"a\":\"x\"}'') }}'}", []string{"a (1, x)", "a (2, x)"}},
		{"include by expression", "strategy: {matrix: {include: '${{ fromJSON(''[{\"os\":\"l\"}]'') }}'}}", []string{"a (l)"}},
		{"github context", "strategy: {matrix: {x: '${{ github.event.list }}'}}", []string{"a (p)", "a (q)"}},
		{"name with a matrix expression", "name: on ${{ matrix.os }}\nstrategy: {matrix: {os: [l, w]}}", []string{"on l", "on w"}},
		{"literal name", "name: build it\nstrategy: {matrix: {os: [l, w]}}", []string{"build it (l)", "build it (w)"}},
		{"name that evaluates to nothing", "name: ${{ matrix.no }}\nstrategy: {matrix: {os: [l]}}", []string{"a (l)"}},
		{"numbers", "strategy: {matrix: {v: [1.10, 3.0, 0x10, 1e3, '1.10', true]}}", []string{"a (1.1)", "a (3)", "a (16)", "a (1000)", "a (1.10)", "a (true)"}},
		{"date is text", "strategy: {matrix: {v: [2020-01-02]}}", []string{"a (2020-01-02)"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			jobs := planJob(t, tc.keys)
			var names []string
			for i, j := range jobs {
				names = append(names, j.Name)
				require.Equal(t, i, j.Index)
				require.Equal(t, len(jobs), j.Total)
			}
			require.Equal(t, tc.want, names)
		})
	}
}

// TestMatrixFromEvent holds that mappings of an event, which have no order, can be values, and compared.
func TestMatrixFromEvent(t *testing.T) {
	event := map[string]any{
		"all": map[string]any{"z": []any{1.0}, "a": []any{"x", "y"}, "exclude": []any{map[string]any{"a": "y"}}, "include": []any{map[string]any{"b": 2.0}}},
		"o":   map[string]any{"b": map[string]any{"d": 1.0}, "a": []any{true, nil}},
		"n":   7,
	}
	for matrix, want := range map[string][]string{
		"'${{ github.event.all }}'":      {"a (x, 1, 2)"},
		"{c: ['${{ github.event.o }}']}": {"a (true, , 1)"},
		"{c: ['${{ github.event.o }}', 1], exclude: [{c: '${{ github.event.o }}'}]}": {"a (1)"},
		"{c: ['${{ github.event.o }}'], exclude: [{c: {b: {d: 1}, a: [true]}}]}":     {"a (true, , 1)"},
		"{c: ['${{ github.event.n }}', 8], exclude: [{c: 7}]}":                       {"a (8)"},
	} {
		var names []string
		for _, j := range plan(t, job("strategy: {matrix: "+matrix+"}"), PlanContext{GitHub: map[string]any{"event": event}}).Jobs {
			names = append(names, j.Name)
		}
		require.Equal(t, want, names, matrix)
	}
}

func TestMatrixLimitIsInclusive(t *testing.T) {
	list := "[" + strings.Repeat("x, ", 256) + "]"
	require.Len(t, planJob(t, "strategy: {matrix: {v: "+list+"}}"), 256)
	require.Len(t, planJob(t, "strategy: {matrix: {v: [a, b], w: "+list+", exclude: [{v: b}]}}"), 256, "what counts is what is left")
}

func TestStrategyContext(t *testing.T) {
	jobs := planJob(t, "name: ${{ strategy.job-index }}/${{ strategy.job-total }} ${{ strategy.fail-fast }} ${{ strategy.max-parallel }}\nstrategy: {fail-fast: '${{ inputs.n == 3 }}', max-parallel: '${{ inputs.n }}', matrix: {v: [a, b]}}")
	require.Equal(t, "0/2 false 2", jobs[0].Name)
	require.Equal(t, "1/2 false 2", jobs[1].Name)
	require.False(t, jobs[0].FailFast)
	require.Equal(t, 2, jobs[0].MaxParallel)
	jobs = planJob(t, "name: ${{ toJSON(strategy) }}")
	require.Equal(t, "{\n  \"fail-fast\": true,\n  \"job-index\": 0,\n  \"job-total\": 1,\n  \"max-parallel\": 1\n}", jobs[0].Name)
	require.True(t, planJob(t, "strategy: {fail-fast: 'true', max-parallel: '3'}")[0].FailFast)
	for _, large := range []string{"1000", "9999999999", "1e300"} {
		require.Equal(t, 1000, planJob(t, "strategy: {max-parallel: "+large+"}")[0].MaxParallel, "the database has room for it")
	}
	alone := planJob(t, "env: {A: '${{ strategy.job-index }} of ${{ strategy.job-total }}'}")[0]
	require.Equal(t, map[string]any{
		"A": `${{ fromJSON('{"job-index":0}').job-index }} of ${{ fromJSON('{"job-total":1}').job-total }}`,
	}, readPayload(t, alone.Payload).Jobs["a"].Env, "also without a matrix, of which the runner knows neither")
}

func TestRunsOn(t *testing.T) {
	for keys, want := range map[string][]string{
		"runs-on: ubuntu":                              {"ubuntu"},
		"runs-on: [a, b, a]":                           {"a", "b"},
		"runs-on: ${{ vars.LABEL }}":                   {"big"},
		"runs-on: ['${{ vars.LABEL }}-x', y]":          {"big-x", "y"},
		"runs-on: ${{ fromJSON(vars.OS) }}":            {"v1", "v2"},
		"runs-on: {group: g, labels: [a, b]}":          {"a", "b", "g"},
		"runs-on: {group: g}":                          {"g"},
		"runs-on: {labels: '${{ vars.LABEL }}'}":       {"big"},
		"runs-on: 22.04":                               {"22.04"},
		"runs-on: []":                                  nil,
		"runs-on: ":                                    nil,
		"runs-on: ${{ github.nope || 'self-hosted' }}": {"self-hosted"},
	} {
		src := "on: push\njobs:\n  a:\n    " + keys + "\n    steps: [{run: x}]\n"
		jobs := plan(t, src, PlanContext{Vars: map[string]string{"OS": `["v1","v2"]`, "LABEL": "big"}}).Jobs
		require.Equal(t, want, jobs[0].RunsOn, keys)
	}
	require.Nil(t, plan(t, "on: push\njobs: {a: {steps: [{run: x}]}}", PlanContext{}).Jobs[0].RunsOn)
}

func TestTimeout(t *testing.T) {
	for keys, want := range map[string]int{
		"x: y": 360, "timeout-minutes: 5": 5, "timeout-minutes: 0.1": 1, "timeout-minutes: 1.5": 2, "timeout-minutes: 1e9": ci.MaxTimeoutMinutes,
		"timeout-minutes: '7'": 7, "timeout-minutes: ${{ inputs.n }}": 2, "timeout-minutes: ${{ '8' }}": 8,
	} {
		require.Equal(t, want, planJob(t, keys)[0].TimeoutMinutes, keys)
	}
}

func TestContinueOnError(t *testing.T) {
	for keys, want := range map[string]bool{
		"x: y": false, "continue-on-error: true": true, "continue-on-error: 'true'": true, "continue-on-error: ${{ inputs.n == 2 }}": true,
		"continue-on-error: ${{ inputs.nope }}": false, "continue-on-error: ${{ 'false' }}": false,
	} {
		require.Equal(t, want, planJob(t, keys)[0].ContinueOnError, keys)
	}
}

func TestIfIsUnwrapped(t *testing.T) {
	for keys, want := range map[string]string{
		"x: y": "", "if: ": "", "if: ''": "", "if: always()": "always()", "if: ${{ always() }}": "always()", "if: false": "false",
		"if: ${{ github.ref }} == 'x'": "${{ github.ref }} == 'x'", "if: |\n  failure() ||\n  success()": "failure() ||\nsuccess()",
	} {
		require.Equal(t, want, planJob(t, keys)[0].If, keys)
	}
}

func TestNamesAreCut(t *testing.T) {
	long := strings.Repeat("ä", 300)
	p := plan(t, "run-name: "+long+"\non: push\njobs: {a: {name: "+long+", steps: [{name: "+long+", run: x}, {run: "+long+"}]}}", PlanContext{})
	require.Equal(t, strings.Repeat("ä", 255), p.RunName)
	require.Equal(t, strings.Repeat("ä", 255), p.Jobs[0].Name)
	require.Equal(t, []string{strings.Repeat("ä", 255), "Run " + strings.Repeat("ä", 251)}, p.Jobs[0].StepNames)
}

func TestRunName(t *testing.T) {
	for name, want := range map[string]string{"": "", "''": "", "x": "x", "${{ github.nope }}": "", "'  ${{ inputs.a }}  '": "b"} {
		src := "run-name: " + name + "\non: push\njobs: {a: {steps: [{run: x}]}}"
		require.Equal(t, want, plan(t, src, PlanContext{Inputs: map[string]any{"a": "b"}}).RunName)
	}
}

// runnerFile is how the official runner reads a payload: a value of another kind would be an error there.
type runnerFile struct {
	Name     string            `yaml:"name"`
	On       map[string]any    `yaml:"on"`
	Env      map[string]string `yaml:"env"`
	Defaults runnerDefaults    `yaml:"defaults"`
	Jobs     map[string]struct {
		Name     string         `yaml:"name"`
		Needs    yaml.Node      `yaml:"needs"`
		RunsOn   any            `yaml:"runs-on"`
		If       string         `yaml:"if"`
		Env      map[string]any `yaml:"env"`
		Strategy *struct {
			FailFast    string           `yaml:"fail-fast"`
			MaxParallel string           `yaml:"max-parallel"`
			Matrix      map[string][]any `yaml:"matrix"`
		} `yaml:"strategy"`
		Timeout     string                    `yaml:"timeout-minutes"`
		Defaults    runnerDefaults            `yaml:"defaults"`
		Outputs     map[string]string         `yaml:"outputs"`
		Container   map[string]any            `yaml:"container"`
		Services    map[string]map[string]any `yaml:"services"`
		Environment any                       `yaml:"environment"`
		Snapshot    any                       `yaml:"snapshot"`
		Steps       []map[string]any          `yaml:"steps"`
	} `yaml:"jobs"`
}

type runnerDefaults struct {
	Run struct {
		Shell string `yaml:"shell"`
	} `yaml:"run"`
}

func readPayload(t *testing.T, payload []byte) runnerFile {
	t.Helper()
	var f runnerFile
	require.NoError(t, yaml.Unmarshal(payload, &f), string(payload))
	require.NotContains(t, string(payload), "\n*", "no aliases")
	return f
}

func TestPayload(t *testing.T) {
	p := plan(t, sample, PlanContext{GitHub: map[string]any{"actor": "bob"}, Inputs: map[string]any{"target": "dev"}})
	f := readPayload(t, p.Jobs[0].Payload)
	require.Equal(t, "Sample CI", f.Name)
	require.Len(t, f.On, 5)
	require.Equal(t, map[string]any{"inputs": map[string]any{
		"target": map[string]any{"description": "where to", "type": "choice", "default": "dev", "options": []any{"dev", "prod"}},
		"dry":    map[string]any{"type": "boolean", "default": "true"},
		"count":  map[string]any{"type": "number"},
		"note":   map[string]any{"type": "string"},
	}}, f.On["workflow_dispatch"])
	require.Equal(t, map[string]string{"GREETING": "hello", "VERSION": "1.10"}, f.Env)
	require.Equal(t, "bash", f.Defaults.Run.Shell)
	require.Len(t, f.Jobs, 1)

	j := f.Jobs["build"]
	require.Equal(t, "Build (linux, 1.22, true)", j.Name)
	require.Equal(t, []any{"self-hosted", "linux"}, j.RunsOn)
	require.Equal(t, "always()", j.If, "the server has decided")
	require.Equal(t, "false", j.Strategy.FailFast)
	require.Equal(t, "2", j.Strategy.MaxParallel)
	require.Equal(t, map[string][]any{"os": {"linux"}, "go": {1.22}, "extra": {true}}, j.Strategy.Matrix)
	require.Equal(t, "13", j.Timeout)
	require.Equal(t, "bash", j.Defaults.Run.Shell, "aliases are written out")
	require.Equal(t, map[string]string{"sum": "${{ steps.s.outputs.sum }}", "other": "1"}, j.Outputs)
	require.Equal(t, map[string]any{"image": "golang:${{ matrix.go }}", "ports": []any{80}}, j.Container)
	require.Equal(t, map[string]map[string]any{"db": {"image": "postgres", "env": map[string]any{"POSTGRES_PASSWORD": "x"}}}, j.Services)
	require.Nil(t, j.Environment)
	require.Nil(t, j.Snapshot)
	require.Equal(t, []map[string]any{
		{"uses": "actions/checkout@v4", "with": map[string]any{"fetch-depth": 0}},
		{"name": "Test ${{ matrix.os }}", "id": "s", "run": "go test ./...\necho \"sum=1\" >> $GITHUB_OUTPUT\n\necho done\n", "continue-on-error": true, "timeout-minutes": 5, "if": "${{ !cancelled() }}"},
		{"run": "\necho second\necho third\n", "working-directory": "sub dir", "shell": "sh", "env": map[string]any{"EMPTY": nil, "TRICKY": "a: b # c"}},
	}, j.Steps)

	report := readPayload(t, p.Jobs[3].Payload).Jobs["report"]
	require.Equal(t, "ubuntu-latest", report.RunsOn, "one label is a scalar")
	require.Equal(t, "always()", report.If)
	require.True(t, report.Needs.IsZero(), "needs are erased")
	require.Nil(t, report.Strategy)
}

func TestPayloadWithoutNameIsCalledByItsFile(t *testing.T) {
	w, err := Parse(".gitea/workflows/x.yml", []byte(job("x: y")))
	require.NoError(t, err)
	p, err := w.Plan(PlanContext{})
	require.NoError(t, err)
	require.Equal(t, "x.yml", readPayload(t, p.Jobs[0].Payload).Name)
}

// TestEvaluatedTextIsNotEvaluatedAgain holds that what the server has evaluated reaches the runner as text,
// so that a dispatch input cannot smuggle in an expression.
func TestEvaluatedTextIsNotEvaluatedAgain(t *testing.T) {
	src := "run-name: ${{ inputs.x }}\n" + job("name: ${{ inputs.x }}\nstrategy: {matrix: {v: ['${{ inputs.x }}'], o: [{k: '${{ inputs.x }}'}]}}")
	p := plan(t, src, PlanContext{Inputs: map[string]any{"x": "${{ secrets.T }}"}})
	require.Equal(t, "${{ secrets.T }}", p.Jobs[0].Name)
	require.Equal(t, "${{ secrets.T }}", p.Jobs[0].Matrix["v"])
	j := readPayload(t, p.Jobs[0].Payload).Jobs["a"]
	const safe = "${{ '${{' }} secrets.T }}"
	require.Equal(t, safe, j.Name)
	require.Equal(t, []any{safe}, j.Strategy.Matrix["v"])
	require.Equal(t, []any{map[string]any{"k": safe}}, j.Strategy.Matrix["o"])
}

func TestPlansAreEqualAndFileIsShared(t *testing.T) {
	w := parse(t, sample)
	ctx := PlanContext{GitHub: map[string]any{"a": 1, "b": map[string]any{"c": 2, "d": 3}}}
	first, err := w.Plan(ctx)
	require.NoError(t, err)
	done := make(chan *Plan, 8)
	for range cap(done) {
		go func() {
			p, _ := w.Plan(ctx)
			done <- p
		}()
	}
	for range cap(done) {
		require.Equal(t, first, <-done)
	}
}

func largeFile() []byte {
	var values, steps strings.Builder
	for i := range 250 {
		fmt.Fprintf(&values, "v%d, ", i)
	}
	for i := range 20 {
		fmt.Fprintf(&steps, "      - name: step %d\n        run: |\n          echo ${{ matrix.v }} %d\n          make test\n", i, i)
	}
	return []byte("on: push\njobs:\n  a:\n    name: run ${{ matrix.v }}\n    runs-on: ['${{ matrix.v }}', x]\n    strategy: {matrix: {v: [" + values.String() + "]}}\n    steps:\n" + steps.String())
}

func TestLargeMatrixIsFast(t *testing.T) {
	src := largeFile()
	best := time.Hour
	for range 5 {
		start := time.Now()
		p, err := Parse(file, src)
		require.NoError(t, err)
		planned, err := p.Plan(PlanContext{})
		require.NoError(t, err)
		require.Len(t, planned.Jobs, 250)
		best = min(best, time.Since(start))
	}
	require.Less(t, best, 200*time.Millisecond, "about 5 ms on an idle machine")
}

func BenchmarkParseAndPlan250Cells(b *testing.B) {
	src := largeFile()
	for b.Loop() {
		w, err := Parse(file, src)
		if err == nil {
			_, err = w.Plan(PlanContext{})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
