package expr

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func replaceX(n Name) string { return "fromJSON('" + n.Property + "')" }

// TestReplaceContext holds that only uses of the context change: no strings, no properties, no text around.
func TestReplaceContext(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "",
		"inputs.a":            "inputs.a",
		"${{ inputs.a }}":     "${{ fromJSON('a').a }}",
		"${{ INPUTS.A }}":     "${{ fromJSON('A').A }}",
		"${{inputs}}":         "${{fromJSON('')}}",
		"${{ inputs['a'] }}":  "${{ fromJSON('')['a'] }}",
		"${{ inputs .a }}":    "${{ fromJSON('a') .a }}",
		"${{ (inputs).a }}":   "${{ (fromJSON('a')).a }}",
		"${{ inputs.*.a }}":   "${{ fromJSON('').*.a }}",
		"${{ inputs.a.b.c }}": "${{ fromJSON('a').a.b.c }}",
		"inputs ${{ 'inputs.a' }} ${{ github.event.inputs.a }}":    "inputs ${{ 'inputs.a' }} ${{ github.event.inputs.a }}",
		"a ${{ inputs.a }} b ${{ !inputs.b && x[inputs.c] }} c":    "a ${{ fromJSON('a').a }} b ${{ !fromJSON('b').b && x[fromJSON('c').c] }} c",
		"${{ toJSON(inputs) }}${{ format('{0}', inputs.a-b) }}":    "${{ toJSON(fromJSON('')) }}${{ format('{0}', fromJSON('a-b').a-b) }}",
		"${{ '''inputs' == inputs.a }} ä ${{ myinputs.inputs }}":   "${{ '''inputs' == fromJSON('a').a }} ä ${{ myinputs.inputs }}",
		"${{ '}} ${{ inputs.a }}' }} ${{ contains(inputs.x, 1) }}": "${{ '}} ${{ inputs.a }}' }} ${{ contains(fromJSON('x').x, 1) }}",
	} {
		got, err := ReplaceContext(text, "inputs", replaceX)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for text, want := range map[string]string{
		"inputs.a":                         "fromJSON('a').a",
		"always() && inputs.a == 'inputs'": "always() && fromJSON('a').a == 'inputs'",
		"${{ inputs.a }} inputs.b":         "${{ fromJSON('a').a }} inputs.b",
		"github.event.inputs.a":            "github.event.inputs.a",
	} {
		got, err := ReplaceContextInCondition(text, "inputs", replaceX)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	_, err := ReplaceContext("${{ inputs.", "inputs", replaceX)
	require.Error(t, err)
	_, err = ReplaceContextInCondition("inputs.", "inputs", replaceX)
	require.Error(t, err)
}

// TestReplacedContextMeansTheSame holds that an expression has the same value after its context was written into it.
func TestReplacedContextMeansTheSame(t *testing.T) {
	values := rapid.OneOf(
		rapid.Bool().AsAny(), rapid.Float64Range(-1e6, 1e6).AsAny(), rapid.String().AsAny(),
		rapid.SampledFrom([]string{"'", "''", "${{ x }}", "}}", `\`, `\u0027`, "\n"}).AsAny(),
	)
	forms := []string{
		"${{ inputs.a }}", "x ${{ inputs.a }}-${{ inputs['b'] }}", "${{ inputs.A == inputs.b }}", "${{ inputs.missing }}", "${{ toJSON(inputs) }}",
		"${{ inputs.a && inputs.b || 'inputs.a' }}", "${{ contains(toJSON(inputs), 'inputs') }}", "${{ inputs[format('{0}', 'a')] }}", "${{ join(inputs.*) }}",
	}
	rapid.Check(t, func(t *rapid.T) {
		inputs := map[string]any{"a": values.Draw(t, "a"), "b": values.Draw(t, "b")}
		text := rapid.SampledFrom(forms).Draw(t, "form")
		replaced, err := ReplaceContext(text, "inputs", func(Name) string {
			json, err := MarshalJSON(inputs)
			require.NoError(t, err)
			return "fromJSON(" + Quote(string(json)) + ")"
		})
		require.NoError(t, err)
		var read any // numbers have 15 digits in both
		json, _ := MarshalJSON(inputs)
		read, err = ParseJSON(string(json))
		require.NoError(t, err)
		want, err := Interpolate(text, Env{Context: Contexts{"inputs": read}})
		require.NoError(t, err)
		got, err := Interpolate(replaced, Env{})
		require.NoError(t, err, replaced)
		require.Equal(t, want, got, replaced)
	})
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{"": "''", "a": "'a'", "it's": "'it''s'", "''": "''''''"} {
		require.Equal(t, want, Quote(text))
		e, err := Parse(Quote(text))
		require.NoError(t, err)
		v, err := e.Eval(Env{})
		require.NoError(t, err)
		require.Equal(t, text, v)
	}
}

// TestBudget holds that evaluations share what they may cost.
func TestBudget(t *testing.T) {
	big := Contexts{"big": strings.Repeat("x", 1000)}
	e, err := Parse("contains(big, 'y')")
	require.NoError(t, err)
	budget := NewBudget(10_000)
	count := 0
	for err == nil {
		count++
		_, err = e.Eval(Env{Context: big, Budget: budget})
	}
	require.Greater(t, count, 5)
	require.Less(t, count, 12)
	require.ErrorContains(t, err, "the expressions take too much work together")
	require.False(t, budget.Spend(1))
	require.True(t, (*Budget)(nil).Spend(1<<40), "none is a boundless one")

	cheap, err := Parse("1" + strings.Repeat("&&1", 1000))
	require.NoError(t, err)
	_, err = cheap.Eval(Env{Budget: NewBudget(1000)})
	require.Error(t, err, "operators cost also without any text")
	_, err = Interpolate("a ${{ contains(big, 'y') }} b", Env{Context: big, Budget: NewBudget(1000)})
	require.ErrorContains(t, err, "together")
}
