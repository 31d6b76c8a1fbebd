package supervise

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLogFileStaysBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	log, err := OpenLogFile(path, 10)
	require.NoError(t, err)
	for _, line := range []string{"one\n", "two\n", "three\n", "four\n"} {
		_, err := log.Write([]byte(line))
		require.NoError(t, err)
	}
	require.NoError(t, log.Close())
	require.NoError(t, log.Close())
	require.Equal(t, "four\n", read(t, path))
	require.Equal(t, "three\n", read(t, path+".1"))
	_, err = log.Write([]byte("late"))
	require.ErrorIs(t, err, fs.ErrClosed)
}

func TestLogFileContinues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	require.NoError(t, os.WriteFile(path, []byte("before\n"), 0o600))
	log, err := OpenLogFile(path, 8)
	require.NoError(t, err)
	defer log.Close()
	_, err = log.Write([]byte("after\n"))
	require.NoError(t, err)
	require.Equal(t, "before\n", read(t, path+".1"))
	require.Equal(t, "after\n", read(t, path))
}

func TestLogFileNeedsADirectory(t *testing.T) {
	_, err := OpenLogFile(filepath.Join(t.TempDir(), "missing", "x.log"), 1)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestTailKeepsTheEnd(t *testing.T) {
	tail := newTailWriter(failingWriter{})
	n, err := tail.Write([]byte(strings.Repeat("x", 3*tailBytes) + "the end\n"))
	require.NoError(t, err, "a failing log must not break the pipe")
	require.Equal(t, 3*tailBytes+8, n)
	require.LessOrEqual(t, len(tail.String()), tailBytes)
	require.True(t, strings.HasSuffix(tail.String(), "the end"))
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, fs.ErrClosed }

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}
