package workflowfile

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

// TestEmittedTextsComeBack holds that YAML reads every string as the one that was written.
func TestEmittedTextsComeBack(t *testing.T) {
	pieces := rapid.SampledFrom([]string{
		"a", "true", "null", "~", "1", "1.0", "0x1", "2020-01-01", " ", "  ", "\n", "\n\n", "\t", "\r", "'", "\"", "\\", ":", ": ", " #", "#", "-", "- ", "? ", "[", "]", "{", "}",
		",", "&a", "*a", "!x", "|", ">", "%", "@", "`", "${{ x }}", "\u00a0", "\u0085", "\u2028", "\ufeff", "\x00", "\x7f", "\u0080", "é", "😀", "<<", "=", "yes", "on", "---", "...", "word two",
	})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(pieces, 0, 6).Draw(t, "pieces"), "")
		if rapid.Bool().Draw(t, "any") {
			text = rapid.String().Draw(t, "text")
		}
		var e emitter
		n := newMap()
		n.set("list", &node{kind: listNode, items: []*node{newString(text), newStrings([]string{text})}})
		inner := newMap()
		inner.set(text, newString(text))
		n.set("map", inner)
		n.set("last", newString(text))
		e.mapping(n, 0)
		var got struct {
			List []any             `yaml:"list"`
			Map  map[string]string `yaml:"map"`
			Last string            `yaml:"last"`
		}
		require.NoError(t, yaml.Unmarshal([]byte(e.out.String()), &got), e.out.String())
		require.Equal(t, []any{text, []any{text}}, got.List, e.out.String())
		require.Equal(t, map[string]string{text: text}, got.Map, e.out.String())
		require.Equal(t, text, got.Last, e.out.String())
	})
}

func TestEmit(t *testing.T) {
	for text, want := range map[string]string{
		"plain": " plain\n", "two words": " two words\n", "": " \"\"\n", "true": " \"true\"\n", "a\nb\n": " |\n  a\n  b\n", "a\n\nb": " |-\n  a\n\n  b\n",
		" a\nb": " \" a\\nb\"\n", "a\nb\n\n": " \"a\\nb\\n\\n\"\n", "a\n \nb": " \"a\\n \\nb\"\n", "a\n\tb": " \"a\\n\\tb\"\n", "\x01": " \"\\u0001\"\n", "\xff": " \"\\uFFFD\"\n",
	} {
		var e emitter
		e.value(newString(text), 0)
		require.Equal(t, want, e.out.String())
	}
}

func TestPositions(t *testing.T) {
	for name, tc := range map[string]struct {
		src  string
		want Position
	}{
		"plain":            {"a: x ${{ @ }}", Position{1, 10}},
		"single quotes":    {"a: 'x ${{ @ }}'", Position{1, 11}},
		"umlauts":          {"ä: äö ${{ @ }}", Position{1, 11}},
		"quoted escapes":   {`a: "\tx ${{ @ }}"`, Position{1, 13}},
		"literal block":    {"a: |\n  one\n\n  two ${{ @ }}\n", Position{4, 11}},
		"block, CRLF":      {"a: |\r\n  one\r\n  two ${{ @ }}\r\n", Position{3, 11}},
		"indented block":   {"a: |2\n    one ${{ @ }}\n", Position{2, 13}},
		"folded block":     {"a: >\n  one\n  two ${{ @ }}\n", Position{3, 11}},
		"plain over lines": {"a: one\n  two ${{ @ }}\n", Position{2, 11}},
		"by alias":         {"x: &x ${{ @ }}\na: *x\n", Position{1, 11}},
	} {
		t.Run(name, func(t *testing.T) {
			root, problem := readTree(file, []byte(tc.src))
			require.Nil(t, problem)
			value := root.items[len(root.items)-1]
			s := newSource(file, []byte(tc.src))
			require.Equal(t, tc.want, s.position(value, strings.IndexByte(value.text, '@')))
		})
	}
}

func TestMergeKeys(t *testing.T) {
	root, problem := readTree(file, []byte("base: &base {a: 1, b: 2}\nmore: &more {b: 3, c: 4}\nx:\n  b: 9\n  <<: [*base, *more]\n  c: 5\n"))
	require.Nil(t, problem)
	var e emitter
	e.mapping(root.get("x"), 0)
	require.Equal(t, "b: 9\na: 1\nc: 5\n", e.out.String())
}
