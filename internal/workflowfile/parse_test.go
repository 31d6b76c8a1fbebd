package workflowfile

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/ci"
)

const file = "ci.yml"

func parse(t *testing.T, src string) *Workflow {
	t.Helper()
	w, err := Parse(file, []byte(src))
	require.NoError(t, err)
	return w
}

// problemsOf parses a file, plans it if that works, and returns the problems as text.
func problemsOf(t *testing.T, src string) []string {
	t.Helper()
	w, err := Parse(file, []byte(src))
	if err == nil {
		_, err = w.Plan(PlanContext{})
	}
	require.Error(t, err)
	var fault *Error
	require.ErrorAs(t, err, &fault)
	require.NotEmpty(t, fault.Problems)
	lines := strings.Split(err.Error(), "\n")
	for i, p := range fault.Problems {
		require.Equal(t, file, p.File)
		require.Positive(t, p.Line)
		require.Positive(t, p.Column)
		require.True(t, strings.HasPrefix(p.String(), lines[i]) || len(lines) > len(fault.Problems))
	}
	return lines
}

// job wraps the keys of a job, each line indented by four spaces.
func job(keys string) string {
	return "on: push\njobs:\n  a:\n    runs-on: x\n    steps: [{run: x}]\n    " + strings.ReplaceAll(keys, "\n", "\n    ") + "\n"
}

// TestBadFiles holds that each fault is found, with its place.
func TestBadFiles(t *testing.T) {
	for _, tc := range []struct{ name, src, want string }{
		{"empty", "", "ci.yml:1:1: the file is empty"},
		{"only a comment", "# nothing\n", "ci.yml:1:1: the file is empty"},
		{"only spaces", "  \n\n", "ci.yml:1:1: the file is empty"},
		{"null", "~", "ci.yml:1:1: a workflow file is a mapping with the keys `on` and `jobs`, not nothing"},
		{"list", "- a\n", "ci.yml:1:1: a workflow file is a mapping with the keys `on` and `jobs`, not a list"},
		{"syntax", "on: push\njobs:\n  a: b: c\n", "ci.yml:3:1: invalid YAML: mapping values are not allowed in this context"},
		{"tab", "on: push\njobs:\n\ta: x\n", "ci.yml:3:1: invalid YAML: found character that cannot start any token"},
		{"not text", "\x00\x01", "ci.yml:1:1: invalid YAML: control characters are not allowed"},
		{"bad UTF-8", "on: \xff\xfe", "ci.yml:1:1: invalid YAML: "},
		{"unknown anchor", "on: *x\n", "ci.yml:1:1: invalid YAML: unknown anchor 'x' referenced"},
		{"alias in itself", "on: push\njobs: &a\n  b: *a\n", "ci.yml:3:6: the alias *a stands inside its own anchor"},
		{"twice the same key", "on: push\njobs:\n  a: {}\n  a: {}\n", "ci.yml:4:3: the key \"a\" is already there in line 3"},
		{"mapping as key", "? {a: b}\n: c\n", "ci.yml:1:3: a key must be a single value, not a mapping"},
		{"long key", "on: push\n? " + strings.Repeat("x", 600) + "\n: 1\n", "ci.yml:2:3: the key is longer than 512 bytes"},
		{"merge of a list of strings", "on: push\njobs:\n  <<: [x]\n", "ci.yml:3:7: << takes a mapping or a list of mappings, not a string"},
		{"tag", job("if: !cancelled()"), "ci.yml:6:9: the YAML tag !cancelled() is not supported; a value that begins with ! must be quoted or stand in ${{ }}"},
		{"lying tag", "on: push\nenv: {A: !!int x}\n", "ci.yml:2:10: \"x\" is not a number"},

		{"no on", "jobs: {a: {steps: [{run: x}]}}", "ci.yml:1:1: the workflow has no `on`: no event starts it"},
		{"null on", "on:\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:1: the workflow has no `on`"},
		{"number on", "on: 5\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:5: `on` must be the name of an event, a list of names, or a mapping, not a number"},
		{"list in on", "on: [push, [x]]\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:12: `on` must be the name of an event"},
		{"empty on", "on: []\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:5: `on` names no event"},
		{"event as string", "on: {push: main}\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:12: `on.push` must be a mapping, not a string"},
		{"branches as mapping", "on: {push: {branches: {a: b}}}\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:23: `on.push.branches` must be a string or a list of strings, not a mapping"},
		{"nested branches", "on: {push: {branches: [[a]]}}\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:24: `on.push.branches` must be a list of single values, not a list"},
		{"types as mapping", "on: {issues: {types: {a: b}}}\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:22: `on.issues.types` must be"},
		{"schedule as mapping", "on: {schedule: {cron: x}}\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:16: `on.schedule` must be a list"},
		{"schedule without cron", "on: {schedule: [{x: y}]}\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:17: an entry of `on.schedule` must have `cron`"},
		{"inputs as list", "on: {workflow_dispatch: {inputs: [a]}}\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:34: `on.workflow_dispatch.inputs` must be a mapping, not a list"},
		{"input as string", "on: {workflow_dispatch: {inputs: {a: b}}}\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:38: `on.workflow_dispatch.inputs.a` must be a mapping"},
		{"input type", "on: {workflow_dispatch: {inputs: {a: {type: blob}}}}\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:45: `on.workflow_dispatch.inputs.a.type` is \"blob\"; there are: string, boolean, number, choice, environment"},
		{"choice without options", "on: {workflow_dispatch: {inputs: {a: {type: choice}}}}\njobs: {a: {steps: [{run: x}]}}", "is a choice without `options`"},
		{"bad default", "on: {workflow_dispatch: {inputs: {a: {type: boolean, default: maybe}}}}\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:63: `on.workflow_dispatch.inputs.a.default` must be true or false, not \"maybe\""},
		{"default as list", "on: {workflow_dispatch: {inputs: {a: {default: []}}}}\njobs: {a: {steps: [{run: x}]}}", "`on.workflow_dispatch.inputs.a.default` must be a single value, not a list"},
		{"required as text", "on: {workflow_dispatch: {inputs: {a: {required: 'yes'}}}}\njobs: {a: {steps: [{run: x}]}}", "`on.workflow_dispatch.inputs.a.required` must be true or false"},
		{"call inputs", "on: {workflow_call: {inputs: {a: {default: [1]}}}}\njobs: {a: {steps: [{run: x}]}}", "`on.workflow_call.inputs.a.default` must be a single value"},
		{"call inputs as list", "on: {workflow_call: {inputs: [a]}}\njobs: {a: {steps: [{run: x}]}}", "`on.workflow_call.inputs` must be a mapping"},

		{"name as list", "name: [a]\non: push\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:7: `name` must be a single value, not a list"},
		{"run-name as mapping", "run-name: {a: b}\non: push\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:11: `run-name` must be a single value"},
		{"run-name with matrix", "run-name: x ${{ matrix.os }}\non: push\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:17: the context 'matrix' is not available in `run-name`; there are: github, gitea, inputs, vars"},
		{"env as list", "env: [a]\non: push\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:6: `env` must be a mapping, not a list"},
		{"env of lists", "env: {A: [1]}\non: push\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:10: `env.A` must be a single value, not a list"},
		{"defaults", "defaults: {run: [x]}\non: push\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:17: `defaults.run` must be a mapping"},
		{"defaults shell", "defaults: {run: {shell: {}}}\non: push\njobs: {a: {steps: [{run: x}]}}", "`defaults.run.shell` must be a single value"},
		{"permissions", "permissions: [x]\non: push\njobs: {a: {steps: [{run: x}]}}", "ci.yml:1:14: `permissions` must be a mapping"},

		{"no jobs", "on: push\n", "ci.yml:1:1: the workflow has no `jobs`"},
		{"empty jobs", "on: push\njobs: {}\n", "ci.yml:2:7: the workflow has no jobs"},
		{"jobs as list", "on: push\njobs: [a]\n", "ci.yml:2:7: `jobs` must be a mapping of jobs, not a list"},
		{"job as list", "on: push\njobs:\n  a: [x]\n", "ci.yml:3:6: `jobs.a` must be a mapping, not a list"},
		{"null job", "on: push\njobs:\n  a:\n", "`jobs.a` must be a mapping, not nothing"},
		{"job name", "on: push\njobs:\n  1a: {steps: [{run: x}]}\n", "ci.yml:3:3: \"1a\" cannot name a job"},
		{"long job name", "on: push\njobs:\n  " + strings.Repeat("a", 101) + ": {steps: [{run: x}]}\n", "cannot name a job"},
		{"no steps", "on: push\njobs:\n  a:\n    runs-on: x\n", "ci.yml:3:3: job \"a\" has neither `steps` nor `uses`"},
		{"empty steps", "on: push\njobs:\n  a:\n    steps: []\n", "ci.yml:4:12: job \"a\" has no steps"},
		{"steps as mapping", "on: push\njobs:\n  a:\n    steps: {run: x}\n", "ci.yml:4:12: `steps` must be a list of steps, not a mapping"},
		{"step as string", "on: push\njobs:\n  a:\n    steps: [x]\n", "ci.yml:4:13: `steps` must be a list of mappings with `run` or `uses`, not a string"},
		{"null step", "on: push\njobs:\n  a:\n    steps:\n      -\n", "`steps` must be a list of mappings"},
		{"step without body", "on: push\njobs:\n  a:\n    steps: [{name: x}]\n", "ci.yml:4:13: a step needs `run` or `uses`"},
		{"step with both", "on: push\njobs:\n  a:\n    steps:\n      - run: x\n        uses: y\n", "ci.yml:6:15: a step has either `run` or `uses`, not both"},
		{"empty run", "on: push\njobs:\n  a:\n    steps: [{run: ''}]\n", "`run` is empty"},
		{"empty uses", "on: push\njobs:\n  a:\n    steps: [{uses: ' '}]\n", "`uses` is empty"},
		{"run as list", "on: push\njobs:\n  a:\n    steps: [{run: [x]}]\n", "`run` must be a single value"},
		{"step id", "on: push\njobs:\n  a:\n    steps: [{run: x, id: 'a b'}]\n", "\"a b\" cannot be the id of a step"},
		{"step id twice", "on: push\njobs:\n  a:\n    steps: [{run: x, id: a}, {run: x, id: A}]\n", "two steps of the job have the id \"A\""},
		{"step name", "on: push\njobs:\n  a:\n    steps: [{run: x, name: [a]}]\n", "`name` must be a single value"},
		{"step shell", "on: push\njobs:\n  a:\n    steps: [{run: x, shell: {}}]\n", "`shell` must be a single value"},
		{"step env", "on: push\njobs:\n  a:\n    steps: [{run: x, env: [a]}]\n", "`env` must be a mapping"},
		{"step with", "on: push\njobs:\n  a:\n    steps: [{uses: x, with: {a: [b]}}]\n", "`with.a` must be a single value"},
		{"step continue-on-error", "on: push\njobs:\n  a:\n    steps: [{run: x, continue-on-error: maybe}]\n", "`continue-on-error` must be true, false or an expression, not a string"},
		{"step timeout", "on: push\njobs:\n  a:\n    steps: [{run: x, timeout-minutes: soon}]\n", "`timeout-minutes` must be a number or an expression"},
		{"step if", "on: push\njobs:\n  a:\n    steps:\n      - run: x\n        if: foo(\n", "ci.yml:6:13: unknown function 'foo'"},
		{"step if as list", "on: push\njobs:\n  a:\n    steps: [{run: x, if: []}]\n", "`if` must be a single value"},
		{"expression in run", "on: push\njobs:\n  a:\n    steps:\n      - run: |\n          echo a\n          echo ${{ nofunc(1) }}\n", "ci.yml:7:20: unknown function 'nofunc'"},
		{"expression not closed", "on: push\njobs:\n  a:\n    steps:\n      - run: echo ${{ github.ref\n", "ci.yml:5:19: the expression that begins here has no closing }}"},

		{"unknown need", job("needs: [b]"), "ci.yml:6:13: job \"a\" needs \"b\", which is not a job of this workflow"},
		{"self need", job("needs: a"), "ci.yml:6:12: job \"a\" needs itself"},
		{"cycle", "on: push\njobs:\n  a:\n    needs: b\n    steps: [{run: x}]\n  b:\n    needs: [a]\n    steps: [{run: x}]\n", "ci.yml:4:12: needs form a cycle: a -> b -> a"},
		{"needs as mapping", job("needs: {a: b}"), "ci.yml:6:12: `needs` must be a string or a list of strings"},
		{"if with secrets", job("if: secrets.X == 'y'"), "ci.yml:6:9: the context 'secrets' is not available in `if`; there are: github, gitea, inputs, vars, needs, strategy, matrix"},
		{"if with hashFiles", job("if: true && hashFiles('x')"), "ci.yml:6:17: hashFiles() is not available in `if`: it works on the runner only"},
		{"if with unknown function", job("if: ${{ github.ref && nope() }}"), "ci.yml:6:27: unknown function 'nope'"},
		{"if as list", job("if: [a]"), "ci.yml:6:9: `if` must be a single value, not a list"},
		{"quoted if", job("if: \"true && nope()\""), "ci.yml:6:18: unknown function 'nope'"},
		{"job name with secrets", job("name: x ${{ secrets.A }}"), "ci.yml:6:17: the context 'secrets' is not available in `name`"},
		{"job name with status", job("name: ${{ success() }}"), "ci.yml:6:15: success() is only available in an `if`"},
		{"job env", job("env: 5"), "`env` must be a mapping, not a number"},
		{"runs-on as mapping of lists", job("x: y") + "  b:\n    runs-on: {group: [a]}\n    steps: [{run: x}]\n", "`runs-on.group` must be a single value"},
		{"timeout text", job("timeout-minutes: soon"), "ci.yml:6:22: `timeout-minutes` must be a number or an expression, not a string"},
		{"timeout zero", job("timeout-minutes: 0"), "ci.yml:6:22: `timeout-minutes` must be above 0, not 0"},
		{"timeout negative", job("timeout-minutes: -1"), "`timeout-minutes` must be above 0, not -1"},
		{"timeout nan", job("timeout-minutes: .nan"), "`timeout-minutes` must be a number, not \"NaN\""},
		{"timeout expression", job("timeout-minutes: ${{ github.x }}"), "ci.yml:6:22: `timeout-minutes` must be a number, not \"\""},
		{"continue-on-error text", job("continue-on-error: maybe"), "`continue-on-error` must be true, false or an expression"},
		{"continue-on-error expression", job("continue-on-error: ${{ 'x' }}"), "`continue-on-error` must be true or false, not \"x\""},
		{"strategy as list", job("strategy: [a]"), "`strategy` must be a mapping, not a list"},
		{"matrix as list", job("strategy: {matrix: [a]}"), "ci.yml:6:24: `strategy.matrix` must be a mapping or an expression, not a list"},
		{"matrix as string", job("strategy: {matrix: x}"), "`strategy.matrix` must be a mapping or an expression, not a string"},
		{"fail-fast", job("strategy: {fail-fast: 5}"), "`strategy.fail-fast` must be true, false or an expression, not a number"},
		{"max-parallel", job("strategy: {max-parallel: many}"), "`strategy.max-parallel` must be a number or an expression"},
		{"max-parallel zero", job("strategy: {max-parallel: 0}"), "`strategy.max-parallel` must be a whole number above 0, not 0"},
		{"max-parallel half", job("strategy: {max-parallel: 1.5}"), "`strategy.max-parallel` must be a whole number above 0, not 1.5"},
		{"matrix value mapping", job("strategy: {matrix: {os: {a: b}}}"), "ci.yml:6:29: the matrix key \"os\" must be a list, not a mapping"},
		{"matrix with secrets", job("strategy: {matrix: {os: ['${{ secrets.x }}']}}"), "the context 'secrets' is not available in `strategy.matrix`"},
		{"include no list", job("strategy: {matrix: {include: x}}"), "`matrix.include` must be a list of mappings"},
		{"include of strings", job("strategy: {matrix: {include: [x]}}"), "`matrix.include` must be a list of mappings"},
		{"exclude of unknown key", job("strategy: {matrix: {os: [a], exclude: [{x: y}]}}"), "`matrix.exclude` has the key \"x\", which is not in the matrix"},
		{"matrix of needs without needs", job("strategy: {matrix: '${{ fromJSON(needs.x.outputs.m) }}'}"), "ci.yml:6:29: fromJSON: the text is empty"},
		{"matrix not a mapping", job("strategy: {matrix: '${{ fromJSON(''[1]'') }}'}"), "`strategy.matrix` must be a mapping"},
		{"empty matrix from an expression", job("strategy: {matrix: '${{ fromJSON(''{}'') }}'}"), "the matrix is empty"},
		{"empty list from an expression", job("strategy: {matrix: {os: '${{ fromJSON(''[]'') }}'}}"), "the matrix key \"os\" has no values"},
		{"matrix expression fails", job("strategy: {matrix: '${{ fromJSON(''{'') }}'}"), "fromJSON: the text ends too early"},
		{"container", job("container: [a]"), "`container` must be a mapping"},
		{"container ports", job("container: {image: x, ports: 80}"), "`container.ports` must be a list, not a number"},
		{"container env", job("container: {image: x, env: [a]}"), "`container.env` must be a mapping"},
		{"services", job("services: [a]"), "`services` must be a mapping"},
		{"null service", job("services: {db: }"), "`services.db` must be a mapping with `image`, not nothing"},
		{"service volumes", job("services: {db: {image: x, volumes: [[a]]}}"), "`services.db.volumes` must be a list of single values"},
		{"outputs", job("outputs: {a: [b]}"), "`outputs.a` must be a single value"},
		{"concurrency", job("concurrency: [x]"), "`concurrency` must be the name of a group or a mapping, not a list"},
		{"environment", job("environment: [x]"), "`environment` must be a name or a mapping"},
		{"uses and steps", job("uses: ./x.yml"), "ci.yml:6:11: job \"a\" has both `uses` and `steps`"},
		{"uses with", "on: push\njobs:\n  a:\n    uses: ./x.yml\n    with: [a]\n", "`with` must be a mapping"},
		{"uses secrets", "on: push\njobs:\n  a:\n    uses: ./x.yml\n    secrets: all\n", "ci.yml:5:14: `secrets` must be `inherit` or a mapping, not a string"},

		{"runs-on gives nothing", "on: push\njobs:\n  a:\n    runs-on: ${{ matrix.os }}\n    steps: [{run: x}]\n", "ci.yml:4:14: `runs-on` gives no label"},
		{"runs-on from needs without needs", "on: push\njobs:\n  a:\n    runs-on: ${{ needs.b.outputs.x }}\n    steps: [{run: x}]\n", "ci.yml:4:14: `runs-on` gives no label"},
		{"runs-on gives objects", "on: push\njobs:\n  a:\n    runs-on: ${{ fromJSON('{}') }}\n    steps: [{run: x}]\n", "a label of `runs-on` must be a single value"},
		{"runs-on long", "on: push\njobs:\n  a:\n    runs-on: " + strings.Repeat("x", 256) + "\n    steps: [{run: x}]\n", "a label of `runs-on` is longer than 255 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Contains(t, strings.Join(problemsOf(t, tc.src), "\n"), tc.want)
		})
	}
}

func TestAllProblemsAreReportedInOrder(t *testing.T) {
	lines := problemsOf(t, "on: push\njobs:\n  b:\n    needs: x\n    timeout-minutes: soon\n    steps: [{run: x}]\n  a:\n    if: foo()\n    steps: []\n")
	require.Equal(t, []string{
		`ci.yml:4:12: job "b" needs "x", which is not a job of this workflow`,
		"ci.yml:5:22: `timeout-minutes` must be a number or an expression, not a string",
		"ci.yml:8:9: unknown function 'foo'",
		`ci.yml:9:12: job "a" has no steps`,
	}, lines)
	many := "on: push\njobs:\n" + strings.Repeat("  1x%: {}\n", 1)
	for i := range 200 {
		many += "  " + strings.Repeat("9", i+1) + ": {}\n"
	}
	require.Len(t, problemsOf(t, many), MaxProblems)
}

// bomb is the "billion laughs": each anchor is a list of nine times the one before.
func bomb() string {
	src := "on: push\na00: &a00 [x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 30; i++ {
		prev := "*a" + itoa(i-1)
		src += "a" + itoa(i) + ": &a" + itoa(i) + " [" + strings.Repeat(prev+",", 8) + prev + "]\n"
	}
	return src + "jobs: {a: {steps: [{run: x}]}}\n"
}

func itoa(i int) string { return fmt.Sprintf("%02d", i) }

// TestHostileFiles holds that no file takes long, and that each ends in a problem.
func TestHostileFiles(t *testing.T) {
	wide := "{" + strings.Repeat("a: 1, ", 0)
	for i := range 20_000 {
		wide += "k" + strings.Repeat("x", i%3) + itoa(i%100) + itoa(i/100%100) + itoa(i/10_000) + ": 1, "
	}
	wide += "}"
	var axes, cells strings.Builder
	for i := range 10_000 {
		cells.WriteString(strings.Repeat("x", 1) + itoa(i%100) + itoa(i/100) + ", ")
	}
	entry := ""
	for i := range 60 {
		axes.WriteString("k" + itoa(i) + ": [1, 2], ")
		entry += "k" + itoa(i) + ": 1, "
	}
	for _, tc := range []struct{ name, src, want string }{
		{"anchors bomb", bomb(), "the file has more than 200000 values (aliases written out)"},
		{"long text in many aliases", "on: push\nx: &x " + strings.Repeat("y", 100_000) + "\nz: [" + strings.Repeat("*x, ", 1000) + "]\n", "more than 4194304 bytes"},
		{"merge bomb", "on: push\nx: &x " + wide + "\ny: {" + strings.Repeat("<<: [*x, *x, *x], ", 5_000) + "}\n", "more than 200000 keys are merged"},
		{"merges that grow", "on: push\nx: &x " + wide + "\ny: [" + strings.Repeat("{<<: *x}, ", 5_000) + "]\n", "ci.yml:3:"},
		{"nested 200 deep", "on: push\njobs: " + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "\n", "nested more than 100 deep"},
		{"nested 200 deep in blocks", "on: push\njobs:\n" + nested(200), "nested more than 100 deep"},
		{"half a megabyte of brackets", "on: push\njobs: " + strings.Repeat("[", 500_000), "ci.yml:"},
		{"half a megabyte of braces", "on: push\njobs: " + strings.Repeat("{", 500_000), "ci.yml:"},
		{"half a megabyte of dashes", "on: push\njobs: \n" + strings.Repeat("- ", 250_000), "ci.yml:"},
		{"half a megabyte of keys", "on: push\njobs: \n" + strings.Repeat("? ", 250_000), "ci.yml:"},
		{"many small values", "on: push\njobs: [" + strings.Repeat("1,", 400_000) + "]", "more than 200000 values"},
		{"5 MB", "on: push\nx: " + strings.Repeat("y", 5<<20), "ci.yml:1:1: the file has 5242892 bytes; the limit is 1048576"},
		{"10,000 cells", job("strategy: {matrix: {os: [" + cells.String() + "]}}"), "ci.yml:6:24: the matrix has 10000 cells; the limit is 256"},
		{"2 to the 60 cells", job("strategy: {matrix: {" + axes.String() + "}}"), "the matrix has 1000000000 cells; the limit is 256"},
		{"many matrix keys", job("strategy: {matrix: " + wide + "}"), "the matrix has 20000 keys; the limit is 100"},
		{"many includes", job("strategy: {matrix: {include: [" + strings.Repeat("{a: 1}, ", 10_000) + "]}}"), "has 10000 entries; the limit is 512"},
		{"too many cells by include", job("strategy: {matrix: {include: [" + strings.Repeat("{a: 1}, ", 300) + "]}}"), "the matrix has 300 cells; the limit is 256"},
		{"too many jobs", "on: push\njobs:\n" + manyJobs(1001, ""), "the workflow has 1001 jobs; the limit is 1000"},
		{"too many jobs by matrix", "on: push\njobs:\n" + manyJobs(5, "strategy: {matrix: {a: ["+strings.Repeat("1,", 250)+"]}}, "), "with job \"j04\" the run has 1250 jobs; the limit is 1000"},
		{"payloads too large", "on: push\nenv: {A: " + strings.Repeat("x", 500_000) + "}\njobs:\n" + manyJobs(300, ""), "the jobs of the run have more than 67108864 bytes together"},
		{"too many inputs", "on: {workflow_dispatch: {inputs: {" + manyKeys(26) + "}}}\njobs: {a: {steps: [{run: x}]}}", "declares 26 inputs; the limit is 25"},
		{"many unknown needs", "on: push\njobs: {a: {needs: " + strings.ReplaceAll(strings.ReplaceAll(wide, "{", "["), "}", "]") + ", steps: [{run: x}]}}", "ci.yml:2:"},
		{"labels too long together", "on: push\njobs: {a: {runs-on: [" + strings.Repeat("x", 250) + strings.Repeat(", "+strings.Repeat("y", 250), 8) + "], steps: [{run: x}]}}",
			"the labels of `runs-on` have more than 2000 bytes together"},
		{"too many labels", "on: push\njobs: {a: {runs-on: [" + manyKeysList(51) + "], steps: [{run: x}]}}", "`runs-on` gives 51 labels; the limit is 50"},
		{"too many steps", "on: push\njobs: {a: {steps: [" + strings.Repeat("{run: x}, ", 1001) + "]}}", "job \"a\" has 1001 steps; the limit is 1000"},
		{"deep expression", job("if: " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000)), "nested more than 100 deep"},
		{"long expression", job("if: '" + strings.Repeat("x", 30_000) + " == 1'"), "longer than 21000 characters"},
		{"many names on one line", "on: push\njobs: {a: {if: '" + strings.Repeat("github.a||", 1500) + "nope()', steps: [{run: '" + strings.Repeat("${{ github.a }}", 60_000) + "'}]}}", "unknown function 'nope'"},
		{"many unknown contexts on one line", "on: push\njobs: {a: {name: '" + strings.Repeat("${{ nope.a }}", 70_000) + "', steps: [{run: x}]}}", "the context 'nope' is not available in `name`"},
		{"dear expressions in many cells", job("name: \"" + strings.Repeat("${{ contains("+doubling(15)+", 'x') }}", 3) + "\"\nstrategy: {matrix: {a: [" + strings.Repeat("1,", 256) + "]}}"), "the expressions take too much work together"},
		{"long labels in many cells", job("x: y") + "  b:\n    strategy: {matrix: {a: [" + strings.Repeat("1,", 256) + "]}}\n    runs-on: [&l \"${{ 1" + strings.Repeat("&&1", 4900) + " }}\", " + strings.Repeat("*l, ", 48) + "]\n    steps: [{run: x}]\n", "the expressions take too much work together"},
		{"lists that grow", job("strategy: {matrix: {a: &a ['${{ fromJSON(''[" + strings.Repeat("1,", 2000) + "1]'') }}', &x '${{ fromJSON(''[" + strings.Repeat("1,", 2000) + "1]'') }}'" + strings.Repeat(", *x", 900) + "]}}"), "the expressions take too much work together"},
		{"many excludes of many keys", job("strategy: {matrix: {" + axes.String() + "z: [" + strings.Repeat("1,", 12) + "], exclude: [" + strings.Repeat("&e {"+entry+"z: 2}, ", 1) + strings.Repeat("*e, ", 511) + "]}}"), "the matrix has"},
		{"many excludes of one-valued keys", job("strategy: {matrix: {" + strings.ReplaceAll(axes.String(), "[1, 2]", "[1]") + "z: [" + strings.Repeat("1,", 4000) + "], exclude: [&e {" + entry + "z: 2}, " + strings.Repeat("*e, ", 511) + "]}}"), "too many include and exclude entries"},
		{"excludes of large values", job("x: &x [" + strings.Repeat("1,", 500) + "]\nstrategy: {matrix: {o: [*x], z: [" + strings.Repeat("1,", 4000) + "], exclude: [" + strings.Repeat("{o: *x, z: 2}, ", 80) + "]}}"), "too many include and exclude entries"},
		{"a long if in many cells", job("if: '" + strings.Repeat("x", 900_000) + "${{ true }}'\nstrategy: {matrix: {a: [" + strings.Repeat("1,", 256) + "]}}"), "the jobs of the run have more than 67108864 bytes together"},
		{"many steps in many cells", job("strategy: {matrix: {a: [" + strings.Repeat("1,", 256) + "]}}\nenv: {A: \"" + strings.Repeat("${{ matrix.a }}", 30_000) + "\"}"), "the jobs of the run have more than 67108864 bytes together"},
		{"the place in the matrix in many cells", job("strategy: {matrix: {a: [" + strings.Repeat("1,", 256) + "]}}\nenv: {A: \"" + strings.Repeat("${{ strategy.job-index }}", 15_000) + "\"}"), "the expressions and payloads of the run take too much work together"},
		{"expression that doubles", job("name: ${{ " + doubling(40) + " }}"), "longer than 1048576 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			require.Contains(t, strings.Join(problemsOf(t, tc.src), "\n"), tc.want)
			require.Less(t, time.Since(start), time.Minute, "about half a second on an idle machine")
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<30), "all that was ever allocated; little of it at a time")
		})
	}
}

func nested(levels int) string {
	var out strings.Builder
	for i := range levels {
		out.WriteString(strings.Repeat(" ", i+1) + "k:\n")
	}
	return out.String()
}

func manyJobs(n int, keys string) string {
	var out strings.Builder
	for i := range n {
		out.WriteString("  j" + strings.Repeat("x", i/100) + itoa(i%100) + ": {" + keys + "runs-on: x, steps: [{run: x}]}\n")
	}
	return out.String()
}

func manyKeys(n int) string {
	var out strings.Builder
	for i := range n {
		out.WriteString("k" + itoa(i) + ": {}, ")
	}
	return out.String()
}

func manyKeysList(n int) string {
	return strings.ReplaceAll(manyKeys(n), ": {}", "")
}

func doubling(levels int) string {
	e := "'0123456789abcdef'"
	for range levels {
		e = "format('{0}{0}', " + e + ")"
	}
	return e
}

func TestErrorIsFoundByErrorsAs(t *testing.T) {
	_, err := Parse("x.yml", nil)
	var fault *Error
	require.True(t, errors.As(err, &fault))
	require.Equal(t, Problem{"x.yml", 1, 1, "the file is empty"}, fault.Problems[0])
}

// FuzzParse holds that no file makes the package panic, and that a payload can be read again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(bomb()))
	for _, src := range []string{"", "on: push\njobs: {a: {steps: [{run: x}]}}", job("strategy: {matrix: {os: [a, b], include: [{x: 1}]}}"), job("<<: {name: x}"), "a: &a [*a]", callee, after("name: ${{ needs.a.result }}"), calling("with: {a: '${{ matrix.x }}'}\nsecrets: {a: '${{ secrets.B }}'}")} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		w, err := Parse(file, src)
		if err != nil {
			return
		}
		for _, ctx := range []PlanContext{{}, {Call: true, Root: "r", Inputs: map[string]any{"a": "${{ '}}", "b": true}}} {
			plan, err := w.Plan(ctx)
			if err != nil {
				continue
			}
			for _, j := range plan.Jobs {
				cells := []PlannedJob{j}
				if j.Kind == ci.JobDeferred {
					cells, _ = w.PlanJob(j.Key, ctx)
				}
				checkCells(t, w, cells)
			}
			_, _ = w.CallOutputs(JobContext{}, nil)
		}
	})
}

func checkCells(t *testing.T, w *Workflow, cells []PlannedJob) {
	for _, j := range cells {
		if _, err := Parse(file, j.Payload); j.Kind == ci.JobTask && err != nil {
			t.Fatalf("payload of %s: %v\n%s", j.Key, err, j.Payload)
		}
		c := JobContext{Matrix: j.Matrix, Index: j.Index, Total: j.Total}
		_, _ = w.JobConcurrency(j.Key, c)
		_, _ = w.JobEnvironment(j.Key, c)
		_, _ = EvalIf(j.If, j.IfAt, c)
		_, _ = w.Call(j.Key, c, w)
	}
}
