package mask_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/mask"
)

func TestMask(t *testing.T) {
	long := strings.Repeat("0123456789", 20)
	for name, c := range map[string]struct {
		values     []string
		text, want string
	}{
		"none":                        {nil, "text", "text"},
		"not there":                   {[]string{"secret"}, "a text with a secre", "a text with a secre"},
		"alone":                       {[]string{"secret"}, "secret", "***"},
		"often":                       {[]string{"secret"}, "secretsecret a secret.", "****** a ***."},
		"the longest of several":      {[]string{"abc", "abcdef", "cd"}, "xabcdefx abcx", "x***x ***x"},
		"one within another":          {[]string{"bc", "abcd"}, "abcd abcx", "*** a***x"},
		"overlapping":                 {[]string{"abcd", "cdef", "efgh"}, "-abcdefgh-abcd-", "-***-***-"},
		"overlapping itself":          {[]string{"aba"}, "ababa abab", "*** ***b"},
		"after a false start":         {[]string{"aab"}, "aaaab", "aa***"},
		"lines":                       {[]string{"first\n  second \r\n{\n}"}, "a first, a second {}", "a ***, a *** {}"},
		"one character":               {[]string{"a"}, "a banana", "a banana"},
		"spaces":                      {[]string{"   ", "\n\n", ""}, "a   b", "a   b"},
		"around":                      {[]string{" key\n"}, "the key", "the ***"},
		"a long one":                  {[]string{long}, "<" + long + ">", "<***>"},
		"the beginning of a long one": {[]string{long}, "<" + long[:100] + ">", "<***>"},
		"less of a long one":          {[]string{long}, "<" + long[:63] + ">", "<" + long[:63] + ">"},
		"exactly what is indexed":     {[]string{long[:64]}, "<" + long[:64] + ">", "<***>"},
		"two that part late":          {[]string{long + "a", long + "b"}, "<" + long + "a> and more", "<***"},
		"one that goes on":            {[]string{long[:64], long}, "<" + long + "> and more", "<***"},
		"a long one behind another":   {[]string{"xx" + long[:40], long}, "xx" + long + ".", "***."},
		"a short one behind":          {[]string{long, "89end"}, long + "end.", "***."},
		"not UTF-8":                   {[]string{"\xff\xfe"}, "a\xff\xfeb", "a***b"},
	} {
		t.Run(name, func(t *testing.T) {
			m := mask.New(c.values...)
			require.Equal(t, c.want, m.Mask(c.text))
			require.Equal(t, c.want != c.text, m.Hides(c.text))
		})
	}
	var none *mask.Masker
	require.Equal(t, "text", none.Mask("text"))
	require.False(t, none.Hides("text"))
}

func TestOtherForms(t *testing.T) {
	secret := "p\"a's&s<w>ö/r?d+ 1\nsecond line"
	m := mask.New(secret)
	quoted, err := json.Marshal(map[string]string{"k": secret})
	require.NoError(t, err)
	for name, text := range map[string]string{
		"json": string(quoted), "url": url.PathEscape(secret), "query": "q=" + url.QueryEscape(secret), "xml": html.EscapeString(secret),
		"command": strings.ReplaceAll(secret, `"`, `\"`), "expression": strings.ReplaceAll(secret, `'`, `''`),
	} {
		got := m.Mask(text)
		require.Contains(t, got, "***", name)
		require.NotContains(t, got, "w>ö", name)
		require.NotContains(t, got, "second", name)
	}
	for before := range 7 {
		for after := range 4 {
			for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
				text := e.EncodeToString([]byte(strings.Repeat("-", before) + "hunter2-hunter2" + strings.Repeat("-", after)))
				got := mask.New("hunter2-hunter2").Mask(text)
				require.Contains(t, got, "***")
				require.Less(t, len(got), 3+8+8, "%q of %q", got, text)
			}
		}
	}
	for n := 4; n < 8; n++ {
		whole := base64.RawStdEncoding.EncodeToString([]byte("hunter2-"[:n]))
		require.Equal(t, "***", mask.New("hunter2-"[:n]).Mask(whole), "also the last character, which is shared with padding")
	}
	require.Equal(t, "***", mask.New(`"quoted"`).Mask("quoted"))
}

// naive hides all occurrences of short values, and what overlaps becomes one.
func naive(text string, values []string) string {
	hidden := make([]bool, len(text))
	inner := make([]bool, len(text)) // a place that is within a secret, and not at its begin
	for _, v := range values {
		for i := 0; i+len(v) <= len(text); i++ {
			if len(v) < 2 || text[i:i+len(v)] != v {
				continue
			}
			for j := i; j < i+len(v); j++ {
				hidden[j] = true
				inner[j] = inner[j] || j > i
			}
		}
	}
	var out strings.Builder
	for i := range text {
		switch {
		case !hidden[i]:
			out.WriteByte(text[i])
		case !inner[i]:
			out.WriteString("***")
		}
	}
	return out.String()
}

func TestAgainstTheObvious(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func(most int) string {
		b := make([]byte, random.IntN(most))
		for i := range b {
			b[i] = "abc"[random.IntN(3)]
		}
		return string(b)
	}
	for range 20_000 {
		values := []string{word(4), word(4), word(4), word(4)} // too short for other forms
		text := word(40)
		require.Equal(t, naive(text, values), mask.New(values...).Mask(text), "%q in %q", values, text)
	}
}

// No secret makes the walk over a text slow.
func TestHostileSecretsAreNoBurden(t *testing.T) {
	same := make([]string, 10_000)
	for i := range same {
		same[i] = strings.Repeat("a", 60) + fmt.Sprint(i)
	}
	for name, values := range map[string][]string{
		"one letter":       {strings.Repeat("a", 65_536)},
		"nearly alike":     same,
		"lines":            {strings.Join(same, "\n")},
		"every length":     {"aa", "aaa", "aaaa", strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("a", 65) + "b"},
		"parts at the end": {strings.Repeat("a", 1000) + "b"},
	} {
		m := mask.New(values...)
		text := strings.Repeat("a", 1<<20)
		begin := time.Now()
		m.Mask(text)
		m.Mask(strings.Repeat(strings.Repeat("a", 70)+"b", 10_000))
		require.Less(t, time.Since(begin), 3*time.Second, name)
	}
}

func FuzzMask(f *testing.F) {
	f.Add("secret", "other\nlines", "a text with a secret")
	f.Fuzz(func(t *testing.T, one, two, text string) {
		m := mask.New(one, two)
		got := m.Mask(text)
		require.Equal(t, got != text || strings.Contains(text, mask.Stars), m.Hides(text) || strings.Contains(text, mask.Stars))
	})
}

func BenchmarkMask(b *testing.B) {
	values := make([]string, 20)
	for i := range values {
		values[i] = fmt.Sprintf("%x", rand.Uint64()) + fmt.Sprintf("%x", rand.Uint64())
	}
	m := mask.New(values...)
	text := "2026-11-25 12:00:00 INFO  building package github.com/example/project/internal/server with 17 dependencies"
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		m.Mask(text)
	}
}

func BenchmarkNew(b *testing.B) {
	values := make([]string, 20)
	for i := range values {
		values[i] = fmt.Sprintf("%x", rand.Uint64()) + fmt.Sprintf("%x", rand.Uint64())
	}
	for b.Loop() {
		mask.New(values...)
	}
}
