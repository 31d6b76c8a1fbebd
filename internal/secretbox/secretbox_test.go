package secretbox_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/secretbox"
)

var (
	oldKey = []byte("an old key of the installation")
	newKey = []byte("a new key of the installation")
	place  = secretbox.Place{Kind: "secret", OwnerID: 1, RepoID: 2, Name: "TOKEN"}
)

func ring(t *testing.T, key []byte, older ...[]byte) *secretbox.Keyring {
	t.Helper()
	k, err := secretbox.New(key, older...)
	require.NoError(t, err)
	return k
}

func TestWhatIsSealedOpensAtItsPlaceOnly(t *testing.T) {
	k := ring(t, newKey)
	for _, text := range []string{"", "s3cret", string(bytes.Repeat([]byte("x"), 1<<16))} {
		sealed := k.Seal(place, []byte(text))
		if text != "" {
			require.NotContains(t, string(sealed), text)
		}
		require.NotEqual(t, sealed, k.Seal(place, []byte(text)), "a nonce is never used twice")
		opened, err := k.Open(place, sealed)
		require.NoError(t, err)
		require.Equal(t, text, string(opened))
	}
	sealed := k.Seal(place, []byte("s3cret"))
	for _, other := range []secretbox.Place{
		{Kind: "hook", OwnerID: 1, RepoID: 2, Name: "TOKEN"},
		{Kind: "secret", OwnerID: 2, RepoID: 2, Name: "TOKEN"},
		{Kind: "secret", OwnerID: 1, RepoID: 1, Name: "TOKEN"},
		{Kind: "secret", OwnerID: 1, RepoID: 2, Name: "TOKEM"},
		{},
	} {
		_, err := k.Open(other, sealed)
		require.ErrorIs(t, err, secretbox.ErrSealed)
		require.NotContains(t, err.Error(), "s3cret")
	}
}

func TestDamageIsNoticed(t *testing.T) {
	k := ring(t, newKey)
	sealed := k.Seal(place, []byte("s3cret"))
	for i := range sealed {
		damaged := bytes.Clone(sealed)
		damaged[i] ^= 1
		_, err := k.Open(place, damaged)
		require.Error(t, err, "byte %d", i)
		_, err = k.Open(place, sealed[:i])
		require.ErrorIs(t, err, secretbox.ErrSealed, "cut to %d bytes", i)
	}
}

func TestAnOldKeyOpensAndANewOneSeals(t *testing.T) {
	before, after := ring(t, oldKey), ring(t, newKey, oldKey)
	sealed := before.Seal(place, []byte("s3cret"))
	require.True(t, before.IsCurrent(sealed))
	require.False(t, after.IsCurrent(sealed))
	opened, err := after.Open(place, sealed)
	require.NoError(t, err)
	require.Equal(t, "s3cret", string(opened))

	again := after.Seal(place, opened)
	require.True(t, after.IsCurrent(again))
	require.True(t, bytes.HasPrefix(again, after.Header()))
	_, err = before.Open(place, again)
	require.ErrorIs(t, err, secretbox.ErrKey)
	_, err = ring(t, newKey).Open(place, sealed)
	require.ErrorIs(t, err, secretbox.ErrKey)
}

func TestShortKeysAreRefused(t *testing.T) {
	_, err := secretbox.New([]byte("short"))
	require.Error(t, err)
	_, err = secretbox.New(newKey, []byte("short"))
	require.Error(t, err)
}

func BenchmarkOpen(b *testing.B) {
	k, err := secretbox.New(newKey)
	require.NoError(b, err)
	sealed := k.Seal(place, []byte("a token of the usual size, forty bytes.."))
	for b.Loop() {
		if _, err := k.Open(place, sealed); err != nil {
			b.Fatal(err)
		}
	}
}
