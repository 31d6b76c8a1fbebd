package postgres

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBlockedAtNamesTheTopmostDirectory(t *testing.T) {
	root := t.TempDir()
	closed := filepath.Join(root, "closed")
	inner := filepath.Join(closed, "inner")
	require.NoError(t, os.MkdirAll(inner, 0o755))
	require.NoError(t, os.Chmod(closed, 0o700))
	stranger := account{uid: 54321, gid: 54321}
	blocked := stranger.blockedAt(inner)
	require.NotEmpty(t, blocked)
	require.Contains(t, inner, blocked)

	require.Equal(t, "", account{uid: uint32(os.Geteuid())}.blockedAt(closed))
	require.NotEmpty(t, stranger.blockedAt(filepath.Join(root, "missing")))
}

func TestOwnAccountNeedsNothing(t *testing.T) {
	attr, err := account{}.attributes("/anywhere")
	require.NoError(t, err)
	require.Nil(t, attr)
}

func TestChooseAccount(t *testing.T) {
	chosen, err := chooseAccount(filepath.Join(t.TempDir(), "missing"))
	require.NoError(t, err)
	require.NotZero(t, chosen.uid, "never root")
	require.Equal(t, os.Geteuid() == 0, chosen.other)

	owned := t.TempDir()
	if os.Geteuid() != 0 {
		return
	}
	require.NoError(t, os.Chown(owned, 54321, 54321))
	chosen, err = chooseAccount(owned)
	require.NoError(t, err)
	require.EqualValues(t, 54321, chosen.uid, "the owner of an existing cluster")
}
