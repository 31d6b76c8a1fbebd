package workflowfile

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/ci"
)

// after is a file whose job b needs job a and has these keys, each line indented by four spaces.
func after(keys string) string {
	return "on: push\njobs:\n  a: {runs-on: x, steps: [{run: x}]}\n  b:\n    needs: a\n    steps: [{run: x}]\n    " + strings.ReplaceAll(keys, "\n", "\n    ") + "\n"
}

// given are results of job a with these outputs.
func given(outputs map[string]string) PlanContext {
	return PlanContext{
		GitHub: map[string]any{"ref": "refs/heads/main"}, Inputs: map[string]any{"text": "hi"},
		Needs: map[string]NeedResult{"a": {Result: "success", Outputs: outputs}},
	}
}

// TestDeferred holds which jobs cannot be planned before their needs have ended.
func TestDeferred(t *testing.T) {
	for keys, late := range map[string]bool{
		"runs-on: x":                                                                false,
		"name: ${{ needs.a.result }}":                                               true,
		"runs-on: ${{ needs.a.outputs.x }}":                                         true,
		"runs-on: [x, '${{ needs.a.outputs.x }}']":                                  true,
		"runs-on: {group: '${{ needs.a.outputs.x }}'}":                              true,
		"timeout-minutes: ${{ fromJSON(needs.a.outputs.x) }}":                       true,
		"continue-on-error: ${{ needs.a.outputs.x == 'y' }}":                        true,
		"priority: ${{ needs.a.outputs.x }}":                                        true,
		"strategy: {matrix: '${{ fromJSON(needs.a.outputs.x) }}'}":                  true,
		"strategy: {matrix: {os: '${{ fromJSON(needs.a.outputs.x) }}'}}":            true,
		"strategy: {matrix: {os: [x, '${{ needs.a.outputs.x }}']}}":                 true,
		"strategy: {matrix: {os: [x], include: [{v: '${{ needs.a.outputs.x }}'}]}}": true,
		"strategy: {max-parallel: '${{ needs.a.outputs.x }}', matrix: {os: [x]}}":   true,
		"strategy: {fail-fast: '${{ NEEDS.a.outputs.x }}', matrix: {os: [x]}}":      true,
		"if: needs.a.outputs.x":                                                     false, // decided then anyway
		"concurrency: ${{ needs.a.outputs.x }}":                                     false,
		"environment: ${{ needs.a.outputs.x }}":                                     false,
		"env: {X: '${{ needs.a.outputs.x }}'}":                                      false, // the runner knows the needs
		"outputs: {x: '${{ needs.a.outputs.x }}'}":                                  false,
		"name: ${{ github.event.needs }}":                                           false,
		"name: ${{ 'needs.a' }}":                                                    false,
	} {
		p := plan(t, after(keys), PlanContext{})
		require.Len(t, p.Jobs, 2, keys)
		require.Equal(t, late, p.Jobs[1].Kind == ci.JobDeferred, keys)
		require.Equal(t, late || p.Jobs[1].Gated, p.NeedsFiles, keys)
	}
	src := after("name: ${{ needs.a.result }}")
	require.Equal(t, ci.JobTask, plan(t, strings.Replace(src, "needs: a\n", "needs: []\n", 1), PlanContext{}).Jobs[1].Kind, "without needs there is nothing to wait for")
}

func TestDeferredJob(t *testing.T) {
	keys := "strategy: {fail-fast: false, matrix: '${{ fromJSON(needs.a.outputs.m) }}'}\nif: always() && matrix.os\nconcurrency: x\nretry: 2\noutputs: {o: x}\nruns-on: ${{ matrix.os }}\npriority: 3"
	w := parse(t, after("name: build\n"+keys))
	p, err := w.Plan(PlanContext{})
	require.NoError(t, err)
	require.Equal(t, PlannedJob{
		Key: "b", Kind: ci.JobDeferred, Name: "build", Needs: []string{"a"}, If: "always() && matrix.os", IfAt: "ci.yml:9:9", IfMatrix: true,
		Total: 1, FailFast: true, TimeoutMinutes: 360, Outputs: []string{"o"}, StepNames: []string{"Run x"},
	}, p.Jobs[1])

	cells, err := w.PlanJob("b", given(map[string]string{"m": `{"os":["l","w"],"v":[1]}`}))
	require.NoError(t, err)
	require.Len(t, cells, 2)
	f := readPayload(t, cells[1].Payload).Jobs["b"]
	require.Equal(t, "build (w, 1)", f.Name)
	require.Equal(t, "w", f.RunsOn)
	require.Equal(t, map[string][]any{"os": {"w"}, "v": {1}}, f.Strategy.Matrix)
	cells[1].Payload = nil
	require.Equal(t, PlannedJob{
		Key: "b", Kind: ci.JobTask, Name: "build (w, 1)", Needs: []string{"a"}, RunsOn: []string{"w"},
		If: "always() && matrix.os", IfAt: "ci.yml:9:9", IfMatrix: true, Gated: true,
		Matrix: map[string]any{"os": "w", "v": 1.0}, MatrixJSON: `{"os":"w","v":1}`, Index: 1, Total: 2,
		TimeoutMinutes: 360, Priority: 3, Retry: w.Jobs[1].retry, Outputs: []string{"o"}, StepNames: []string{"Run x"},
	}, cells[1])

	_, err = w.PlanJob("c", PlanContext{})
	require.EqualError(t, err, `ci.yml:1:1: the workflow has no job "c"`)
}

func TestNamesOfDeferredJobs(t *testing.T) {
	const late = "\nruns-on: ${{ needs.a.outputs.x }}"
	for name, want := range map[string]string{
		"x: y": "b", "name: build": "build", "name: build ${{ inputs.text }}": "build hi", "name: ${{ github.nope }}": "b",
		"name: on ${{ matrix.os }}": "b", "name: ${{ needs.a.result }}": "b", "name: ${{ strategy.job-index }}": "b",
	} {
		require.Equal(t, want, plan(t, after(name+late), PlanContext{Inputs: map[string]any{"text": "hi"}}).Jobs[1].Name, name)
	}
}

// TestIfMatrix holds when the `if` of a deferred job has to wait for its cells.
func TestIfMatrix(t *testing.T) {
	for keys, want := range map[string]bool{
		"x: y": false, "if: always()": false, "if: needs.a.result": false, "if: matrix.os == 'l'": true, "if: ${{ Matrix.os }}": true,
		"if: strategy.job-index == 0": true, "if: ${{ github.matrix }} x ${{ matrix.y }}": true, "if: \"'matrix' == github.matrix\"": false,
	} {
		require.Equal(t, want, plan(t, after(keys), PlanContext{}).Jobs[1].IfMatrix, keys)
	}
}

// TestDynamicMatrix holds known-problems.md A3: a matrix from the outputs of needs, as if it were written out.
func TestDynamicMatrix(t *testing.T) {
	for _, tc := range []struct {
		matrix, output string
		want           []string
	}{
		{"'${{ fromJSON(needs.a.outputs.m) }}'", `{"z":[2,1],"a":["x"]}`, []string{"b (2, x)", "b (1, x)"}},
		{"'${{ fromJSON(needs.a.outputs.m) }}'", `{"include":[{"os":"l","v":1},{"os":"w"}]}`, []string{"b (l, 1)", "b (w)"}},
		{"'${{ fromJSON(needs.a.outputs.m) }}'", `{"os":["l","w"],"exclude":[{"os":"l"}],"include":[{"x":1}]}`, []string{"b (w, 1)"}},
		{"'${{ fromJSON(needs.a.outputs.m) }}'", `{"os":"l"}`, []string{"b (l)"}},
		{"{os: '${{ fromJSON(needs.a.outputs.m) }}'}", `["l","w"]`, []string{"b (l)", "b (w)"}},
		{"{os: '${{ fromJSON(needs.a.outputs.m) }}', v: [1, 2]}", `["l"]`, []string{"b (l, 1)", "b (l, 2)"}},
		{"{os: [x, '${{ fromJSON(needs.a.outputs.m) }}']}", `["l","w"]`, []string{"b (x)", "b (l)", "b (w)"}},
		{"{c: '${{ fromJSON(needs.a.outputs.m) }}'}", `[{"os":"l","v":[1,2]}]`, []string{"b (l, 1, 2)"}},
		{"{include: '${{ fromJSON(needs.a.outputs.m) }}'}", `[{"os":"l"},{"os":"w"}]`, []string{"b (l)", "b (w)"}},
		{"{os: ['${{ needs.a.outputs.m }}']}", `plain text`, []string{"b (plain text)"}},
		{"{os: ['${{ needs.a.outputs.m }}']}", `${{ secrets.X }}`, []string{"b (${{ secrets.X }})"}},
	} {
		cells, err := parse(t, after("strategy: {matrix: "+tc.matrix+"}")).PlanJob("b", given(map[string]string{"m": tc.output}))
		require.NoError(t, err, tc.output)
		var names []string
		for i, c := range cells {
			names = append(names, c.Name)
			require.Equal(t, i, c.Index)
			require.Equal(t, len(cells), c.Total)
		}
		require.Equal(t, tc.want, names)
	}
}

func TestDynamicMatrixErrors(t *testing.T) {
	whole, key, include := "'${{ fromJSON(needs.a.outputs.m) }}'", "{os: '${{ fromJSON(needs.a.outputs.m) }}'}", "{include: '${{ fromJSON(needs.a.outputs.m) }}'}"
	list := "[" + strings.Repeat("1,", 9_999) + "1]"
	for _, tc := range []struct{ matrix, output, want string }{
		{whole, `{}`, "ci.yml:7:24: the matrix is empty"},
		{whole, `{"os":[]}`, "ci.yml:7:24: the matrix is empty"},
		{whole, `{"include":[]}`, "ci.yml:7:24: the matrix is empty"},
		{whole, `{"os":["l"],"exclude":[{"os":"l"}]}`, "ci.yml:7:24: the matrix is empty"},
		{key, `[]`, "ci.yml:7:29: the matrix key \"os\" has no values"},
		{"{os: ['${{ fromJSON(needs.a.outputs.m) }}']}", `[]`, "ci.yml:7:29: the matrix key \"os\" has no values"},
		{include, `[]`, "ci.yml:7:34: the matrix is empty"},
		{whole, ``, "ci.yml:7:29: fromJSON: the text is empty"},
		{whole, `no json`, "ci.yml:7:29: fromJSON: invalid character"},
		{whole, `{"os":[1`, "ci.yml:7:29: fromJSON: the text ends too early"},
		{whole, `{} {}`, "fromJSON: there is more than one value"},
		{whole, `[1]`, "ci.yml:7:24: `strategy.matrix` must be a mapping, not \"Array\""},
		{whole, `"x"`, "`strategy.matrix` must be a mapping, not \"x\""},
		{whole, `null`, "`strategy.matrix` must be a mapping, not \"\""},
		{whole, `{"os":{"a":1}}`, "ci.yml:7:24: the matrix key \"os\" must be a list, not a mapping"},
		{whole, `{"include":[1]}`, "`matrix.include` must be a list of mappings"},
		{whole, `{"include":{"a":1}}`, "`matrix.include` must be a list of mappings"},
		{whole, `{"os":[1],"exclude":[{"x":1}]}`, "`matrix.exclude` has the key \"x\", which is not in the matrix"},
		{whole, `{"a":` + list[:len("[")+2*16-1] + `],"b":` + list[:len("[")+2*17-1] + `]}`, "ci.yml:7:24: the matrix has 272 cells; the limit is 256"},
		{key, list, "ci.yml:7:24: the matrix has 10000 cells; the limit is 256"},
		{"{v: [1, 2], os: '${{ fromJSON(needs.a.outputs.m) }}', exclude: [{v: 1}]}", list, "the matrix has 20000 cells; the limit is 256"},
		{whole, `{"a":` + list + `,"b":` + list + `,"c":` + list + `}`, "the matrix has 1000000000 cells; the limit is 256"},
		{include, "[" + strings.Repeat(`{"a":1},`, 9_999) + `{"a":1}]`, "`matrix.include` has 10000 entries; the limit is 512"},
		{whole, strings.Repeat("[", 1000), "fromJSON: nested more than 100 deep"},
	} {
		start := time.Now()
		_, err := parse(t, after("strategy: {matrix: "+tc.matrix+"}")).PlanJob("b", given(map[string]string{"m": tc.output}))
		require.Less(t, time.Since(start), time.Minute, "some milliseconds on an idle machine")
		var fault *Error
		require.ErrorAs(t, err, &fault, tc.output)
		require.Contains(t, err.Error(), tc.want)
	}
	for keys, want := range map[string]string{
		"runs-on: ${{ needs.a.outputs.no }}":                   "ci.yml:7:14: `runs-on` gives no label",
		"timeout-minutes: ${{ needs.a.outputs.m }}":            "ci.yml:7:22: `timeout-minutes` must be a number, not \"text\"",
		"continue-on-error: ${{ needs.a.outputs.m }}":          "`continue-on-error` must be true or false, not \"text\"",
		"priority: ${{ needs.a.outputs.m }}":                   "`priority` must be a number, not \"text\"",
		"strategy: {max-parallel: '${{ needs.a.outputs.m }}'}": "`strategy.max-parallel` must be a number, not \"text\"",
		"strategy: {fail-fast: '${{ needs.a.outputs.m }}'}":    "`strategy.fail-fast` must be true or false, not \"text\"",
		"name: ${{ fromJSON(needs.a.outputs.m) }}":             "ci.yml:7:15: fromJSON: invalid character",
	} {
		_, err := parse(t, after(keys)).PlanJob("b", given(map[string]string{"m": "text"}))
		require.ErrorContains(t, err, want, keys)
	}
}

// TestLateKeys holds that all keys that may use needs get their results.
func TestLateKeys(t *testing.T) {
	cells, err := parse(t, after(`name: n ${{ needs.a.result }} ${{ needs.a.outputs.x }}
runs-on: ['${{ needs.a.outputs.x }}', '${{ fromJSON(needs.a.outputs.list) }}']
timeout-minutes: ${{ needs.a.outputs.n }}
continue-on-error: ${{ needs.a.outputs.n == 7 }}
priority: ${{ needs.a.outputs.n }}
strategy: {fail-fast: '${{ needs.a.outputs.n != 7 }}', max-parallel: '${{ needs.a.outputs.n }}', matrix: {os: [l, w]}}`)).
		PlanJob("b", given(map[string]string{"x": "y", "n": "7", "list": `["p","q"]`}))
	require.NoError(t, err)
	require.Len(t, cells, 2)
	j := cells[0]
	require.Equal(t, "n success y", j.Name)
	require.Equal(t, []string{"y", "p", "q"}, j.RunsOn)
	require.Equal(t, 7, j.TimeoutMinutes)
	require.True(t, j.ContinueOnError)
	require.Equal(t, 7, j.Priority)
	require.False(t, j.FailFast)
	require.Equal(t, 7, j.MaxParallel)
}

func TestDeferredCaller(t *testing.T) {
	w := parse(t, "on: push\njobs:\n  a: {steps: [{run: x}]}\n  b:\n    needs: a\n    uses: ./w/x.yml\n    strategy: {matrix: {to: '${{ fromJSON(needs.a.outputs.to) }}'}}\n    with: {to: '${{ matrix.to }}'}\n")
	p, err := w.Plan(PlanContext{})
	require.NoError(t, err)
	require.Equal(t, ci.JobDeferred, p.Jobs[1].Kind)
	require.Equal(t, "./w/x.yml", p.Jobs[1].Uses)
	cells, err := w.PlanJob("b", given(map[string]string{"to": `["dev","prod"]`}))
	require.NoError(t, err)
	require.Len(t, cells, 2)
	require.Equal(t, ci.JobCall, cells[1].Kind)
	require.Equal(t, "b (prod)", cells[1].Name)
	require.Nil(t, cells[1].Payload)
}

// TestPlanJobGivesThePlan holds that a job which could have been planned at once is planned in the same way later.
func TestPlanJobGivesThePlan(t *testing.T) {
	w := parse(t, sample)
	ctx := PlanContext{GitHub: map[string]any{"actor": "bob"}, Inputs: map[string]any{"target": "dev"}}
	p, err := w.Plan(ctx)
	require.NoError(t, err)
	cells, err := w.PlanJob("build", ctx)
	require.NoError(t, err)
	require.Equal(t, p.Jobs[:3], cells)
}
