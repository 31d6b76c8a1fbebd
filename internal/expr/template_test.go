package expr

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInterpolate(t *testing.T) {
	for _, tc := range []struct {
		text string
		want any
	}{
		{"", ""},
		{"plain }} text {{", "plain }} text {{"},
		{"${{ github.ref }}", "refs/heads/main"},
		{"  ${{ inputs.count }}\n", 3.0},
		{"${{inputs.flag}}", false},
		{"on ${{ github.ref }} by ${{ inputs.name }}!", "on refs/heads/main by bob!"},
		{"${{ 1 }}${{ 2 }}", "12"},
		{"n=${{ null }}", "n="},
		{"${{ '}}' }}", "}}"},
		{"${{ format('{0}}}', 'a') }} }}", "a} }}"},
		{"${{ labels }}", []string{"Bug", "help"}},
		{"$${{ 1 }}", "$1"},
	} {
		t.Run(tc.text, func(t *testing.T) {
			got, err := Interpolate(tc.text, world())
			require.NoError(t, err)
			if list, ok := tc.want.([]string); ok {
				require.Equal(t, anySlice(list), got)
				return
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestInterpolateErrors(t *testing.T) {
	for _, tc := range []struct {
		text, message string
		offset        int
	}{
		{"ab ${{ github.ref", "no closing }}", 3},
		{"ab ${{ }}", "the expression is empty", 7},
		{"ab ${{ foo() }}", "unknown function 'foo'", 7},
		{"${{ 1 }} ${{ secrets.x }}", "the context 'secrets'", 13},
		{"${{ nope }}", "the context 'nope'", 4},
		{"${{ 'a }}", "no closing '", 4},
	} {
		_, err := Interpolate(tc.text, world())
		var fault *Error
		require.ErrorAs(t, err, &fault, tc.text)
		require.Contains(t, fault.Message, tc.message)
		require.Equal(t, tc.offset, fault.Offset, tc.text)
	}
	big := Env{Context: Contexts{"big": strings.Repeat("x", MaxStringBytes)}}
	_, err := Interpolate("a${{ big }}", big)
	require.ErrorContains(t, err, "longer than")
}

// TestCondition holds the implicit success() and the forms an `if` may have.
func TestCondition(t *testing.T) {
	good, bad := &Status{Success: true}, &Status{Failure: true}
	stopped := &Status{Cancelled: true}
	for _, tc := range []struct {
		text   string
		status *Status
		want   bool
		uses   bool
	}{
		{"true", good, true, false},
		{"true", bad, false, false},
		{"${{ true }}", bad, false, false},
		{"always()", bad, true, true},
		{"${{ always() }}", stopped, true, true},
		{"failure()", bad, true, true},
		{"failure() && false", bad, false, true},
		{"!cancelled()", bad, true, true},
		{"!cancelled()", stopped, false, true},
		{"cancelled()", stopped, true, true},
		{"success()", bad, false, true},
		{"success() || failure()", bad, true, true},
		{"github.ref == 'refs/heads/MAIN'", good, true, false},
		{"${{ github.ref }} == 'x'", good, true, false}, // text is true, as on GitHub
		{"${{ failure() }}x", good, true, true},
		{"inputs.flag", good, false, false},
		{"inputs.name", good, true, false},
		{"nope.x", bad, false, false}, // not evaluated: success() is false
	} {
		t.Run(tc.text, func(t *testing.T) {
			c, err := ParseCondition(tc.text)
			require.NoError(t, err)
			require.Equal(t, tc.uses, c.UsesStatusFunction())
			env := world()
			env.Status = tc.status
			got, err := c.Eval(env)
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
	for _, text := range []string{"", "foo(", "${{ ", "a b"} {
		_, err := ParseCondition(text)
		require.Error(t, err, text)
	}
	c, err := ParseCondition("x.y")
	require.NoError(t, err)
	_, err = c.Eval(world())
	require.Error(t, err)
	require.Len(t, c.Names(), 1)
}

func TestUnwrap(t *testing.T) {
	for text, want := range map[string]string{
		"always()": "always()", " ${{ always() }} ": "always()", "${{ a }} && b": "${{ a }} && b", "${{ a }}${{ b }}": "${{ a }}${{ b }}",
		"${{ '}}' }}": "'}}'", "${{ a": "${{ a", "": "",
	} {
		require.Equal(t, want, Unwrap(text))
	}
}

func FuzzInterpolate(f *testing.F) {
	for _, text := range []string{
		"", "${{ }}", "${{ github.ref }}", "a ${{ contains(labels, 'x') && !failure() }} b", "${{ fromJSON('{\"a\":[1,2]}').a[0] }}",
		"${{ github.event.commits.*.files[0] }}", "${{ format('{0}{{', 1) }}", "${{ ((((1)))) }}", "${{ 'a''b' }}", "${{ 0xff < -1e3 }}",
		"${{ toJSON(github) }}", "${{ a.*.*.* }}", "${{ [", "${{ '}}", "${{ \xff }}", "${{ labels[labels] }}", "${{ join(matrix.*, labels) }}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if tpl, err := ParseTemplate(text); err == nil {
			_, _ = tpl.Eval(world())
			tpl.Names()
		}
		if c, err := ParseCondition(text); err == nil {
			_, _ = c.Eval(world())
		}
		Unwrap(text)
	})
}
