package peer_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/peer"
)

func TestParseProxies(t *testing.T) {
	p, err := peer.ParseProxies([]string{"10.1.2.3/8", " ::1 ", ""})
	require.NoError(t, err)
	require.Equal(t, peer.Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}, p)
	for _, word := range []string{"x", "10.0.0.0/33", "fe80::1%eth0", "10.0.0.1:80"} {
		_, err := peer.ParseProxies([]string{word})
		require.ErrorContains(t, err, "trusted proxies", word)
	}
}

func TestAddress(t *testing.T) {
	trusted, err := peer.ParseProxies([]string{"10.0.0.0/8", "fd00::/8"})
	require.NoError(t, err)
	for _, tt := range []struct {
		proxies   peer.Proxies
		remote    string
		forwarded []string
		want      string
	}{
		{nil, "192.0.2.1:99", []string{"203.0.113.9"}, "192.0.2.1"},
		{trusted, "192.0.2.1:99", []string{"203.0.113.9"}, "192.0.2.1"}, // says so itself
		{trusted, "10.0.0.1:99", nil, "10.0.0.1"},
		{trusted, "10.0.0.1:99", []string{"203.0.113.9"}, "203.0.113.9"},
		{trusted, "10.0.0.1:99", []string{"1.1.1.1, 203.0.113.9", "10.0.0.2"}, "203.0.113.9"},
		{trusted, "10.0.0.1:99", []string{"203.0.113.9, nonsense"}, "10.0.0.1"},
		{trusted, "10.0.0.1:99", []string{"203.0.113.9:4711"}, "203.0.113.9"},
		{trusted, "[fd00::1]:99", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{trusted, "[::ffff:10.0.0.1]:99", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{trusted, "10.0.0.1:99", []string{strings.Repeat("10.0.0.1,", 10_000)}, "10.0.0.1"},
	} {
		r := &http.Request{RemoteAddr: tt.remote, Header: http.Header{"X-Forwarded-For": tt.forwarded}}
		require.Equal(t, tt.want, tt.proxies.Address(r).String(), "%+v", tt)
	}
	require.False(t, trusted.Address(&http.Request{RemoteAddr: "pipe"}).IsValid())
}

func TestKey(t *testing.T) {
	require.Equal(t, "192.0.2.1", peer.Key(netip.MustParseAddr("192.0.2.1")))
	require.Equal(t, peer.Key(netip.MustParseAddr("2001:db8::1")), peer.Key(netip.MustParseAddr("2001:db8::ffff")))
	require.NotEqual(t, peer.Key(netip.MustParseAddr("2001:db8::1")), peer.Key(netip.MustParseAddr("2001:db8:0:1::1")))
}

func FuzzAddress(f *testing.F) {
	f.Add("10.0.0.1:1", "1.1.1.1, 2.2.2.2")
	f.Add("[fd00::1%x]:1", "[::1]:2,,")
	trusted, err := peer.ParseProxies([]string{"0.0.0.0/0", "::/0"})
	require.NoError(f, err)
	f.Fuzz(func(_ *testing.T, remote, forwarded string) {
		peer.Key(trusted.Address(&http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {forwarded}}}))
	})
}
