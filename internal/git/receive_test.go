package git

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func packet(content string) string { return fmt.Sprintf("%04x%s", len(content)+4, content) }

// However the reply is cut into writes: progress goes out at once, the result waits, no byte is lost.
func TestPushReplyHoldsTheResult(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		progress := rapid.SliceOfN(rapid.StringN(0, 20, 40), 0, 5).Draw(t, "progress")
		var early strings.Builder
		for _, text := range progress {
			early.WriteString(packet("\x02" + text))
			early.WriteString(packet("\x01"))
		}
		late := rapid.SampledFrom([]string{
			packet("\x01000eunpack ok\n") + packet("\x02gc") + "0000",
			packet("unpack ok\n") + packet("ok refs/heads/x\n") + "0000",
			packet("\x03fatal") + "0000", "0000", "zzzz whatever", "",
		}).Draw(t, "late")
		whole := early.String() + late
		var out bytes.Buffer
		reply := &pushReply{out: &out}
		for rest := whole; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "chunk")
			written, err := reply.Write([]byte(rest[:n]))
			require.NoError(t, err)
			require.Equal(t, n, written)
			rest = rest[n:]
		}
		require.Equal(t, early.String(), out.String())
		reply.finish()
		require.Equal(t, whole, out.String())
	})
}

func TestPushReplyIsBounded(t *testing.T) {
	var out bytes.Buffer
	reply := &pushReply{out: &out}
	chunk := bytes.Repeat([]byte("x"), 1<<20)
	for range maxHeldReply>>20 + 2 {
		_, err := reply.Write(chunk)
		require.NoError(t, err)
	}
	require.Greater(t, out.Len(), maxHeldReply)
	require.Empty(t, reply.pending)
}

type brokenWriter struct{ calls int }

func (b *brokenWriter) Write([]byte) (int, error) {
	b.calls++
	return 0, errors.New("client is gone")
}

func TestPushReplyOutlivesTheClient(t *testing.T) {
	out := &brokenWriter{}
	reply := &pushReply{out: out}
	for range 3 {
		_, err := reply.Write([]byte(packet("\x02progress")))
		require.NoError(t, err)
	}
	reply.finish()
	require.Equal(t, 1, out.calls)
}

func TestReadUpdates(t *testing.T) {
	sha := strings.Repeat("a", 40)
	file := filepath.Join(t.TempDir(), "push")
	text := ZeroSHA + " " + sha + " refs/heads/main\n" + "nonsense\n" + sha + " " + ZeroSHA + " refs/tags/v1\n" + sha + " " + sha + " HEAD\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	got, err := readUpdates(file)
	require.NoError(t, err)
	require.Equal(t, []RefUpdate{{ZeroSHA, sha, "refs/heads/main"}, {sha, ZeroSHA, "refs/tags/v1"}}, got)
	require.True(t, got[0].Created())
	require.True(t, got[1].Deleted())
	_, err = readUpdates(file + ".nope")
	require.Error(t, err)
}

func TestObjection(t *testing.T) {
	sha := strings.Repeat("a", 40)
	line := func(ref string) string { return packet(ZeroSHA + " " + sha + " " + ref) }
	tests := map[string]struct{ request, want string }{
		"fine":           {line("refs/heads/a\x00report-status") + line("refs/heads/b") + "0000PACK", ""},
		"shallow":        {packet("shallow "+sha) + line("refs/heads/a") + "0000", ""},
		"nothing":        {"", ""},
		"flush":          {"0000", ""},
		"truncated":      {"00ff" + sha, ""},
		"not hex":        {"zzzz", ""},
		"bad UTF-8":      {line("refs/heads/a") + line("refs/heads/\xff\xfe") + "0000", "not UTF-8"},
		"too long":       {line("refs/heads/"+strings.Repeat("x", 300)) + "0000", "longer than 255"},
		"outside refs":   {line("HEAD") + "0000", "not of the form"},
		"too many":       {strings.Repeat(line("refs/heads/a"), maxPushRefs+1) + "0000", "at most"},
		"after the list": {line("refs/heads/a") + "0000" + line("refs/heads/\xff"), ""},
	}
	for name, test := range tests {
		got := objection(strings.NewReader(test.request))
		if test.want == "" {
			require.Empty(t, got, name)
			continue
		}
		require.Contains(t, got, test.want, name)
	}
}

func TestObjectionSurvivesAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		objection(bytes.NewReader(rapid.SliceOf(rapid.Byte()).Draw(t, "request")))
	})
}
