package expr

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// world is a context with one of everything.
func world() Env {
	o := NewObject()
	o.Set("Zeta", 1.0)
	o.Set("alpha", "x")
	return Env{
		Context: Contexts{
			"github": map[string]any{
				"ref": "refs/heads/main", "Event_Name": "push", "run_number": 7,
				"event": map[string]any{
					"commits": []any{
						map[string]any{"id": "a", "files": []any{"f1", "f2"}},
						map[string]any{"id": "b", "files": []any{"f3"}, "extra": true},
						"no object",
					},
				},
			},
			"inputs": map[string]any{"flag": false, "count": 3.0, "name": "bob"},
			"vars":   map[string]string{"ENV": "prod"},
			"matrix": o,
			"labels": []string{"Bug", "help"},
			"nan":    math.NaN(),
			"none":   nil,
		},
		Status: &Status{Success: true},
	}
}

func TestEval(t *testing.T) {
	for _, tc := range []struct {
		src  string
		want any
	}{
		// literals
		{"null", nil}, {"true", true}, {"false", false}, {"711", 711.0}, {"-9.2", -9.2}, {"0xff", 255.0}, {"0o17", 15.0},
		{"-2.99e-2", -0.0299}, {".5", 0.5}, {"+3", 3.0}, {"'it''s'", "it's"}, {"''", ""}, {"Infinity", math.Inf(1)}, {"-Infinity", math.Inf(-1)},
		{"' }} '", " }} "}, {"'héé'", "héé"},
		// properties and indexes
		{"github.ref", "refs/heads/main"}, {"GITHUB.REF", "refs/heads/main"}, {"github['ref']", "refs/heads/main"},
		{"github.event_name", "push"}, {"github.run_number", 7.0}, {"github.nope", nil}, {"github.nope.deeper[3]", nil},
		{"vars.env", "prod"}, {"matrix.zeta", 1.0}, {"matrix.ALPHA", "x"}, {"labels[0]", "Bug"}, {"labels[1.9]", "help"},
		{"labels[2]", nil}, {"labels[-1]", nil}, {"labels['x']", nil}, {"labels[nan]", nil}, {"labels['1']", "help"}, {"github[labels]", nil}, {"'text'.x", nil},
		{"github.event.commits[1].id", "b"}, {"none.x", nil},
		// the * filter
		{"github.event.commits.*.id", []any{"a", "b"}}, {"github.event.commits[*].id", []any{"a", "b"}},
		{"github.event.commits.*.files", []any{[]any{"f1", "f2"}, []any{"f3"}}},
		{"github.event.commits.*.files[0]", []any{"f1", "f3"}}, {"github.event.commits.*.files.*", []any{"f1", "f2", "f3"}},
		{"github.event.commits.*.extra", []any{true}}, {"matrix.*", []any{1.0, "x"}}, {"none.*", []any{}}, {"labels.*.x", []any{}},
		{"join(github.event.commits.*.id)", "a,b"}, {"contains(github.event.commits.*.id, 'B')", true},
		// logic
		{"!true", false}, {"!!'x'", true}, {"!''", true}, {"!nan", true}, {"!0", true}, {"![]", nil},
		{"'a' && 'b'", "b"}, {"'' && 'b'", ""}, {"'a' || 'b'", "a"}, {"0 || 'b'", "b"}, {"null || false", false},
		{"true || nope.x", true}, {"false && nope.x", false}, {"labels && 1", 1.0},
		{"true || false && false", true}, {"(true || false) && false", false}, {"1 < 2 == true", true}, {"!true == false", true},
		{"inputs.flag && 'yes' || 'no'", "no"},
		// comparison
		{"1 == 1.0", true}, {"'A' == 'a'", true}, {"'A' != 'a'", false}, {"'1' == 1", true}, {"'' == 0", true}, {"null == 0", true}, {"null == ''", true},
		{"null == null", true}, {"true == 1", true}, {"true == 'true'", false}, {"'0xff' == 255", true}, {"' 5 ' == 5", true}, {"'abc' == 0", false},
		{"nan == nan", false}, {"nan != nan", true}, {"nan < 1", false}, {"nan >= nan", false},
		{"github.event.commits == github.event.commits", true}, {"matrix == matrix", true}, {"labels == matrix", false}, {"labels == 'Array'", false}, {"labels == null", false},
		{"labels != null", true}, {"github.event.commits[0] == github.event.commits[1]", false}, {"labels < labels", false},
		{"1 < 2", true}, {"2 <= 2", true}, {"3 > 2", true}, {"'b' > 'A'", true}, {"'a' < 'B'", true}, {"'10' > 9", true}, {"'x' > 1", false}, {"true > false", true},
		{"null >= 0", true}, {"null > null", false}, {"'1_0' == 10", false}, {"'0x1p4' == 16", false}, {"'1e3' == 1000", true},
		// functions
		{"contains('Hello', 'ELL')", true}, {"contains('Hello', 'x')", false}, {"contains(labels, 'bug')", true}, {"contains(labels, 'bu')", false},
		{"contains(711, 11)", true}, {"contains(matrix, 'x')", false}, {"contains('x', '')", true}, {"contains(fromJSON('[1,2]'), '2')", true},
		{"startsWith('Hello', 'he')", true}, {"endsWith('Hello', 'LO')", true}, {"startsWith(labels, 'A')", false}, {"STARTSWITH('ab','A')", true},
		{"format('{0}-{1}-{0}', 'a', 2)", "a-2-a"}, {"format('{{{0}}}', 'x')", "{x}"}, {"format('{{}}')", "{}"}, {"format('x')", "x"}, {"format('{0}', null)", ""},
		{"format('{0}', labels)", "Array"}, {"format('{0}', matrix)", "Object"}, {"format('{00}', 1)", "1"},
		{"join(labels)", "Bug,help"}, {"join(labels, ' + ')", "Bug + help"}, {"join('one')", "one"}, {"join(fromJSON('[true,null,1]'), '|')", "true||1"},
		{"toJSON('a\"<b>')", `"a\"<b>"`}, {"toJSON(null)", "null"}, {"toJSON(1.50)", "1.5"}, {"toJSON(nan)", "null"},
		{"toJSON(labels)", "[\n  \"Bug\",\n  \"help\"\n]"}, {"toJSON(matrix)", "{\n  \"Zeta\": 1,\n  \"alpha\": \"x\"\n}"},
		{"toJSON(fromJSON('[]'))", "[]"}, {"toJSON(fromJSON('{}'))", "{}"}, {"toJSON(vars)", "{\n  \"ENV\": \"prod\"\n}"},
		{"fromJSON('{\"b\":1,\"A\":[2]}').a[0]", 2.0}, {"fromJSON('true')", true}, {"fromJSON(true)", true}, {"fromJSON(' 12 ')", 12.0}, {"fromJSON('null')", nil},
		{"fromJSON(toJSON(matrix)).zeta", 1.0},
		// status
		{"success()", true}, {"failure()", false}, {"cancelled()", false}, {"always()", true}, {"success() && !cancelled()", true},
		// numbers as text
		{"format('{0}', 1e20)", "1E+20"}, {"format('{0}', 123456789012)", "123456789012"}, {"format('{0}', 0.1)", "0.1"}, {"format('{0}', -0.0)", "0"},
		{"format('{0}', 0.00001)", "1E-05"}, {"format('{0} {1} {2}', nan, Infinity, -Infinity)", "NaN Infinity -Infinity"},
		{"inputs.count == 3", true}, {"vars.missing == ''", true},
	} {
		t.Run(tc.src, func(t *testing.T) {
			if tc.src == "![]" {
				_, err := Parse(tc.src)
				require.Error(t, err)
				return
			}
			e, err := Parse(tc.src)
			require.NoError(t, err)
			got, err := e.Eval(world())
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestErrors(t *testing.T) {
	for _, tc := range []struct {
		src     string
		offset  int
		message string
	}{
		{"", 0, "the expression is empty"},
		{"  ", 2, "the expression is empty"},
		{"a b", 2, "unexpected 'b'"},
		{"(1", 2, "expected ')', found end of expression"},
		{"1)", 1, "unexpected ')'"},
		{"a[1", 3, "expected ']'"},
		{"a.", 2, "expected a property name after '.'"},
		{"a.5", 2, "expected a property name"},
		{"1 +", 2, "unexpected character '+'"},
		{"1 + 2", 2, "unexpected character '+'"},
		{"a &&", 4, "expected a value, found end of expression"},
		{"&& a", 0, "expected a value, found '&&'"},
		{"a & b", 2, "unexpected character '&'"},
		{"\"x\"", 0, "strings stand in single quotes"},
		{"'x", 0, "no closing '"},
		{"x == 'y", 5, "no closing '"},
		{"1x", 0, "'1x' is not a number"},
		{"foo(1)", 0, "unknown function 'foo'"},
		{"true && nope(1)", 8, "unknown function 'nope'"},
		{"contains('a')", 0, "contains() takes 2 arguments, but has 1"},
		{"format()", 0, "format() takes at least 1, but has 0"},
		{"join(1,2,3)", 0, "join() takes 1 to 2 arguments, but has 3"},
		{"toJSON()", 0, "toJSON() takes 1 argument, but has 0"},
		{"success(1)", 0, "success() takes 0 arguments, but has 1"},
		{"a }} b", 2, "unexpected '}}'"},
		{"ä", 0, "unexpected character 'ä'"},
		{"secrets.X", 0, "the context 'secrets' is not available here"},
		{"1 == env.X", 5, "the context 'env' is not available here"},
		{"hashFiles('x')", 0, "hashFiles() is not available here"},
		{"fromJSON('')", 0, "fromJSON: the text is empty"},
		{"fromJSON('{')", 0, "fromJSON: the text ends too early"},
		{"fromJSON('1 2')", 0, "fromJSON: there is more than one value"},
		{"fromJSON('{a:1}')", 0, "fromJSON: invalid character"},
		{"fromJSON(labels)", 0, "takes a text"},
		{"format('{1}', 1)", 0, "asks for {1}, but there are 1 values"},
		{"format('{x}', 1)", 0, "'x', which is no number"},
		{"format('{', 1)", 0, "without its partner"},
		{"format('}', 1)", 0, "without its partner"},
		{"format('{}', 1)", 0, "without its partner"},
		{"format('{99999999999999999999}')", 0, "no number"},
		{strings.Repeat("(", 200) + "1" + strings.Repeat(")", 200), 100, "nested more than 100 deep"},
		{strings.Repeat("!", 200) + "1", 99, "nested more than 100 deep"},
		{"a" + strings.Repeat(".b", 200), 199, "nested more than 100 deep"},
		{"'" + strings.Repeat("x", 30_000) + "'", 0, "longer than 21000 characters"},
		{"1" + strings.Repeat(" ", 30_000) + "x", 0, "longer than 21000 characters"},
		{"1" + strings.Repeat("&&1", 6_000), 15000, "more than 5000 parts"},
	} {
		t.Run(tc.src[:min(len(tc.src), 30)], func(t *testing.T) {
			e, err := Parse(tc.src)
			if err == nil {
				_, err = e.Eval(world())
			}
			var fault *Error
			require.ErrorAs(t, err, &fault)
			require.Contains(t, fault.Message, tc.message)
			require.Equal(t, tc.offset, fault.Offset)
		})
	}
}

func TestStatusFunctionsNeedAStatus(t *testing.T) {
	for _, src := range []string{"success()", "failure()", "cancelled()", "always()"} {
		e, err := Parse(src)
		require.NoError(t, err)
		_, err = e.Eval(Env{})
		require.ErrorContains(t, err, "only available in an `if`")
	}
}

// TestNothingExplodes holds that small expressions cannot make large results or take long.
func TestNothingExplodes(t *testing.T) {
	double := "'0123456789abcdef'"
	for range 40 {
		double = "format('{0}{0}', " + double + ")"
	}
	deepJSON := "fromJSON('" + strings.Repeat("[", 10_000) + "')"
	big := Env{Context: Contexts{"big": strings.Repeat("x", MaxStringBytes)}}
	searches := strings.Repeat("contains(big, 'y') || ", 900) + "false"
	for name, src := range map[string]string{
		"result longer": double, "deep JSON": deepJSON, "work": searches,
		"join": "join(fromJSON(format('[{0}1]', '" + strings.Repeat("1,", 9_000) + "')), '" + strings.Repeat("-", 1000) + "')",
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			e, err := Parse(src)
			require.NoError(t, err)
			_, err = e.Eval(big)
			require.Error(t, err)
			require.Less(t, time.Since(start), 2*time.Second)
		})
	}
}

func TestNames(t *testing.T) {
	tpl, err := ParseTemplate("x ${{ github.ref }} ${{ contains(Needs.a.outputs.x, matrix[vars.k]) }}")
	require.NoError(t, err)
	require.Equal(t, []Name{
		{6, "github", false, "ref"}, {24, "contains", true, ""}, {33, "needs", false, "a"}, {52, "matrix", false, ""}, {59, "vars", false, "k"},
	}, tpl.Names())
}

func TestLookupIsDeterministic(t *testing.T) {
	env := Env{Context: Contexts{"c": map[string]any{"KEY": 1, "Key": 2, "kEy": 3}}}
	for range 50 {
		v, err := Interpolate("${{ c.key }}", env)
		require.NoError(t, err)
		require.Equal(t, 1.0, v)
	}
}

func TestNative(t *testing.T) {
	v, err := ParseJSON(`{"b":[{"a":1}],"A":null}`)
	require.NoError(t, err)
	require.Equal(t, []string{"b", "A"}, v.(*Object).Keys())
	require.Equal(t, map[string]any{"b": []any{map[string]any{"a": 1.0}}, "A": nil}, Native(v))
	require.Equal(t, map[string]any{"a": 1.0}, Native(map[string]any{"a": 1}))
	text, err := MarshalJSON(v)
	require.NoError(t, err)
	require.Equal(t, `{"b":[{"a":1}],"A":null}`, string(text))
}
