package devstack

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pawl-ci/pawl/internal/devstack/freeport"
)

func chosen(s state) []int {
	p := s.Ports
	return []int{s.HTTP, p.Postgres, p.Temporal, p.TemporalUI, p.TemporalMetrics, p.Worker, p.Runner}
}

func TestPortsDifferAndStay(t *testing.T) {
	opt := Options{HTTP: "127.0.0.1:0", Split: true}
	var s state
	require.NoError(t, s.choosePorts(opt))
	seen := map[int]bool{}
	for _, port := range chosen(s) {
		require.NotZero(t, port)
		seen[port] = true
	}
	require.Len(t, seen, 7, "no port twice")

	again := s
	require.NoError(t, again.choosePorts(opt))
	require.Equal(t, s, again)
}

func TestExplicitPortWins(t *testing.T) {
	var s state
	require.NoError(t, s.choosePorts(Options{HTTP: "127.0.0.1:0"}))
	// The server's port of last time is now asked for by Temporal.
	moved := s
	require.NoError(t, moved.choosePorts(Options{HTTP: "127.0.0.1:0", Ports: Ports{Temporal: s.HTTP}}))
	require.Equal(t, s.HTTP, moved.Ports.Temporal)
	require.NotEqual(t, s.HTTP, moved.HTTP)
}

func TestPortInUseIsExplained(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	var s state
	err = s.choosePorts(Options{HTTP: taken.Addr().String()})
	require.ErrorContains(t, err, "port of the server")
}

func TestChooserNeverGivesAPortTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := chooser{taken: map[int]bool{}}
		last := rapid.SliceOfN(rapid.IntRange(20_000, 20_004), 1, 6).Draw(t, "remembered")
		given := map[int]bool{}
		for _, port := range last {
			if freeport.Check(loopback, port) != nil {
				port = 0 // in use on this machine; the wait for it is tested elsewhere
			}
			c.choose("x", loopback, 0, &port)
			if c.err != nil || given[port] {
				t.Fatalf("port %d twice, or %v", port, c.err)
			}
			given[port] = true
		}
	})
}

func TestLockNamesItsHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held, err := acquireLock(path)
	require.NoError(t, err)
	_, err = acquireLock(path)
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, strconv.Itoa(os.Getpid()))
	held.release()
	held.release()
	again, err := acquireLock(path)
	require.NoError(t, err)
	again.release()
}

func TestStateOfABrokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	_, err := loadState(path)
	require.ErrorContains(t, err, path)
}

func TestReachable(t *testing.T) {
	for host, want := range map[string]string{
		"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "127.0.0.1", "192.0.2.7": "192.0.2.7", "ci.example.com": "ci.example.com",
	} {
		require.Equal(t, want, reachable(host))
	}
}
