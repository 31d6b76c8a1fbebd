package logchunk

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAppendRow(t *testing.T) {
	at := time.Date(2026, 11, 24, 2, 15, 22, 123_456_789, time.FixedZone("", 3600))
	tests := []struct {
		name    string
		at      time.Time
		content string
		want    string
	}{
		{"plain", at, "hello", "2026-11-24T01:15:22.1234567Z hello\n"},
		{"empty", at, "", "2026-11-24T01:15:22.1234567Z \n"},
		{"line ends", at, "a\nb\r\n", `2026-11-24T01:15:22.1234567Z a\nb` + "\n"},
		{"carriage return within stays", at, "10%\r20%", "2026-11-24T01:15:22.1234567Z 10%\r20%\n"},
		{"NUL", at, "a\x00b", "2026-11-24T01:15:22.1234567Z ab\n"},
		{"not UTF-8", at, "a\xff\xfeb", "2026-11-24T01:15:22.1234567Z a\uFFFDb\n"},
		{"before all time", time.Time{}, "x", "2000-01-01T00:00:00.0000000Z x\n"},
		{"after all time", time.Unix(1<<40, 0), "x", "9999-12-31T23:59:59.9999999Z x\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var w Writer
			require.Equal(t, tt.want, string(w.AppendRow(nil, tt.at, tt.content)))
		})
	}
}

func TestAppendRowKeepsNoSecondTooLong(t *testing.T) {
	var w Writer
	at := time.Date(2026, 1, 1, 0, 0, 59, 0, time.UTC)
	text := w.AppendRow(nil, at, "a")
	text = w.AppendRow(text, at.Add(time.Millisecond), "b")
	text = w.AppendRow(text, at.Add(time.Second), "c")
	require.Equal(t, "2026-01-01T00:00:59.0000000Z a\n2026-01-01T00:00:59.0010000Z b\n2026-01-01T00:01:00.0000000Z c\n", string(text))
}

func TestContentIsCutBetweenCharacters(t *testing.T) {
	for shift := range 4 {
		long := strings.Repeat("x", shift) + strings.Repeat("語", MaxContentBytes)
		got := Clean(long)
		require.LessOrEqual(t, len(got), MaxContentBytes)
		require.Greater(t, len(got), MaxContentBytes-utf8.UTFMax)
		require.True(t, strings.HasPrefix(long, got))
		require.True(t, utf8.ValidString(got))
	}
	require.Len(t, Clean(strings.Repeat("\x80", MaxContentBytes*2)), 3, "a run of broken bytes becomes one mark")
	require.Len(t, Clean(strings.Repeat("\n", MaxContentBytes)+"x"), MaxContentBytes, "also after line ends became two characters")
}

func TestCleanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		got := Clean(string(rapid.SliceOf(rapid.Byte()).Draw(t, "content")))
		require.True(t, utf8.ValidString(got))
		require.NotContains(t, got, "\n")
		require.NotContains(t, got, "\x00")
		require.Equal(t, got, Clean(got))
	})
}

func TestRoundTripAndRanges(t *testing.T) {
	c, err := NewCodec()
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		contents := rapid.SliceOf(rapid.String()).Draw(t, "rows")
		var w Writer
		var text []byte
		for i, s := range contents {
			text = w.AppendRow(text, minTime.Add(time.Duration(i)*time.Millisecond), s)
		}
		got, err := c.Text([]byte("before"), c.Compress(nil, text))
		require.NoError(t, err)
		require.Equal(t, "before"+string(text), string(got))

		n := int64(len(contents))
		skip, take := rapid.Int64Range(0, n+2).Draw(t, "skip"), rapid.Int64Range(-1, n+2).Draw(t, "take")
		want := bytes.SplitAfter(text, []byte("\n"))[:n]
		want = want[min(skip, n):]
		if take >= 0 {
			want = want[:min(take, int64(len(want)))]
		}
		require.Equal(t, string(bytes.Join(want, nil)), string(Rows(text, skip, take)))
	})
}

func TestTextRefusesGarbageAndBombs(t *testing.T) {
	c, err := NewCodec()
	require.NoError(t, err)
	_, err = c.Text(nil, []byte("no zstd"))
	require.Error(t, err)
	_, err = c.Text(nil, c.Compress(nil, make([]byte, maxTextBytes+1)))
	require.Error(t, err)
}

func BenchmarkEncode(b *testing.B) {
	c, err := NewCodec()
	require.NoError(b, err)
	content := strings.Repeat("some words of a build log, ", 5)[:120]
	at := time.Now()
	var text, data []byte
	b.SetBytes(200 * 120)
	b.ReportAllocs()
	for b.Loop() {
		var w Writer
		text = text[:0]
		for i := range 200 {
			text = w.AppendRow(text, at.Add(time.Duration(i)*time.Microsecond), content)
		}
		data = c.Compress(data[:0], text)
	}
}
