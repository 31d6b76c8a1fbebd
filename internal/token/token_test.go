package token_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/token"
)

func TestTokensAreLongAndDifferent(t *testing.T) {
	a, b := token.New(), token.New()
	require.Len(t, a, token.Length)
	require.NotEqual(t, a, b)
}

func TestHashDependsOnTheKey(t *testing.T) {
	one, err := token.NewHasher([]byte("0123456789abcdef"))
	require.NoError(t, err)
	other, err := token.NewHasher([]byte("fedcba9876543210"))
	require.NoError(t, err)
	tok := token.New()
	require.True(t, one.Matches(tok, one.Hash(tok)))
	require.False(t, other.Matches(tok, one.Hash(tok)))
	require.False(t, one.Matches(token.New(), one.Hash(tok)))
	_, err = token.NewHasher([]byte("short"))
	require.Error(t, err)
}

func TestTokensOfAnOlderKeyAreStillKnown(t *testing.T) {
	before, err := token.NewHasher([]byte("0123456789abcdef"))
	require.NoError(t, err)
	after, err := token.NewHasher([]byte("fedcba9876543210"), []byte("0123456789abcdef"))
	require.NoError(t, err)
	tok := token.New()
	require.Equal(t, [][]byte{after.Hash(tok), before.Hash(tok)}, after.Hashes(tok))
	require.True(t, after.Matches(tok, before.Hash(tok)))
	require.True(t, after.IsOld(tok, before.Hash(tok)))
	require.False(t, after.IsOld(tok, after.Hash(tok)))
	require.False(t, after.Matches(token.New(), before.Hash(tok)))
	_, err = token.NewHasher([]byte("fedcba9876543210"), []byte("short"))
	require.Error(t, err)
}

func TestDerivedKeysDifferByPurpose(t *testing.T) {
	secret := []byte("0123456789abcdef")
	a, err := token.Derive(secret, "a")
	require.NoError(t, err)
	again, err := token.Derive(secret, "a")
	require.NoError(t, err)
	b, err := token.Derive(secret, "b")
	require.NoError(t, err)
	require.Equal(t, a, again)
	require.NotEqual(t, a, b)
	require.Len(t, a, 32)
	_, err = token.Derive(nil, "a")
	require.Error(t, err)
}
