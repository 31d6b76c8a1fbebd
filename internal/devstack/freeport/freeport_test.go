package freeport

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFindGivesABindablePort(t *testing.T) {
	port, err := Find("127.0.0.1")
	require.NoError(t, err)
	require.GreaterOrEqual(t, port, first)
	require.Less(t, port, last)
	require.NoError(t, Check("127.0.0.1", port))

	_, err = Find("192.0.2.1")
	require.Error(t, err, "an address that is not ours")
}

func TestResolve(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	busy := taken.Addr().(*net.TCPAddr).Port
	free, err := Find("127.0.0.1")
	require.NoError(t, err)

	got, err := Resolve("127.0.0.1", free, busy)
	require.NoError(t, err)
	require.Equal(t, free, got)

	got, err = Resolve("127.0.0.1", 0, 0, busy, free)
	require.NoError(t, err)
	require.Equal(t, free, got, "the first remembered one that is free")

	got, err = Resolve("127.0.0.1", 0, busy)
	require.NoError(t, err)
	require.NotEqual(t, busy, got)

	_, err = Resolve("127.0.0.1", busy)
	require.Error(t, err)
	for _, port := range []int{-1, 65536} {
		_, err = Resolve("127.0.0.1", port)
		require.Error(t, err)
	}
}
