package postgres

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeInstallation makes programs that answer like PostgreSQL of a version.
func fakeInstallation(t *testing.T, dir, version string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	script := fmt.Sprintf("#!/bin/sh\necho 'postgres (PostgreSQL) %s'\n", version)
	for _, name := range []string{"postgres", "initdb"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755))
	}
	return dir
}

func TestCandidates(t *testing.T) {
	root := t.TempDir()
	nine := fakeInstallation(t, filepath.Join(root, "9", "bin"), "9.6")
	fifteen := fakeInstallation(t, filepath.Join(root, "15", "bin"), "15.2")
	onPath := fakeInstallation(t, filepath.Join(root, "path"), "14.1")
	require.NoError(t, os.MkdirAll(filepath.Join(root, "99", "bin"), 0o755))

	links := filepath.Join(root, "links")
	require.NoError(t, os.Mkdir(links, 0o755))
	require.NoError(t, os.Symlink(filepath.Join(nine, "postgres"), filepath.Join(links, "postgres")))

	got := candidates(onPath+string(os.PathListSeparator)+links, []string{filepath.Join(root, "*", "bin")})
	require.Equal(t, []string{onPath, nine, fifteen}, got, "PATH first and through links, then the newest, each once")
}

func TestInspect(t *testing.T) {
	root := t.TempDir()
	found, err := inspect(t.Context(), fakeInstallation(t, filepath.Join(root, "a"), "17.5 (Debian 17.5-1)"))
	require.NoError(t, err)
	require.Equal(t, 17, found.Major)

	_, err = inspect(t.Context(), fakeInstallation(t, filepath.Join(root, "b"), "12.22"))
	require.ErrorContains(t, err, "older than 13")
	_, err = inspect(t.Context(), root)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestFindReportsWhatItRefused(t *testing.T) {
	t.Setenv("PATH", fakeInstallation(t, filepath.Join(t.TempDir(), "old"), "9.6"))
	found, err := Find(t.Context())
	if err == nil { // a machine with an installation in one of the usual places
		require.GreaterOrEqual(t, found.Major, MinVersion)
		return
	}
	require.ErrorIs(t, err, ErrNotFound)
	require.ErrorContains(t, err, "9.6")
}
