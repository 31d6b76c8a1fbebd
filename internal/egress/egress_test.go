package egress

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func policy(t *testing.T, list string) Policy {
	t.Helper()
	p, err := ParseList(list)
	require.NoError(t, err)
	return p
}

func TestOnlyPublicAddressesAreAllowedByDefault(t *testing.T) {
	p := policy(t, DefaultList)
	for _, addr := range []string{"1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "172.32.0.1", "100.128.0.1"} {
		require.True(t, p.AllowsAddr(netip.MustParseAddr(addr)), addr)
	}
	for _, addr := range []string{
		"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"169.254.169.254", "169.254.0.1", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1",
		"198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "fe80::1", "fe80::1%eth0",
		"fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "2001::1", "2002:7f00:1::", "64:ff9b::7f00:1",
		"64:ff9b:1::1", "100::1", "3fff::1", "5f00::1", "2606:4700::1%eth0",
	} {
		require.False(t, p.AllowsAddr(netip.MustParseAddr(addr)), addr)
	}
	require.False(t, Policy{}.AllowsAddr(netip.MustParseAddr("1.1.1.1")), "an empty list allows nothing")
}

func TestLists(t *testing.T) {
	for _, test := range []struct {
		list           string
		allow, refuse  []string
		hosts, strange []string
	}{
		{list: "loopback", allow: []string{"127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"}, refuse: []string{"1.1.1.1", "10.0.0.1", "0.0.0.0"}},
		{list: "private", allow: []string{"10.1.1.1", "192.168.0.1", "fd12::1"}, refuse: []string{"127.0.0.1", "169.254.169.254", "fd00:ec2::254", "1.1.1.1"}},
		{list: "external, 10.2.0.0/16", allow: []string{"10.2.3.4", "1.1.1.1", "::ffff:10.2.3.4"}, refuse: []string{"10.3.0.1"}},
		{list: "::ffff:10.2.0.0/112", allow: []string{"10.2.3.4"}, refuse: []string{"10.3.0.1"}},
		{list: "169.254.169.254", allow: []string{"169.254.169.254"}, refuse: []string{"169.254.169.253"}},
		{list: "*", allow: []string{"127.0.0.1", "169.254.169.254", "::"}, hosts: []string{"anything"}},
		{list: "CI.example.com,*.corp.example", refuse: []string{"1.1.1.1"},
			hosts: []string{"ci.example.com", "CI.EXAMPLE.COM.", "a.corp.example", "a.b.corp.example"}, strange: []string{"xci.example.com", "corp.example", "acorp.example"}},
		{list: "", refuse: []string{"1.1.1.1"}, strange: []string{"", "localhost"}},
	} {
		p := policy(t, test.list)
		for _, addr := range test.allow {
			require.True(t, p.AllowsAddr(netip.MustParseAddr(addr)), "%s: %s", test.list, addr)
		}
		for _, addr := range test.refuse {
			require.False(t, p.AllowsAddr(netip.MustParseAddr(addr)), "%s: %s", test.list, addr)
		}
		for _, host := range test.hosts {
			require.True(t, p.AllowsHost(host), "%s: %s", test.list, host)
		}
		for _, host := range test.strange {
			require.False(t, p.AllowsHost(host), "%s: %s", test.list, host)
		}
	}
	for _, bad := range []string{"10.0.0.0/33", "http://x", "a*b", "*.", "a b", "x:80"} {
		_, err := ParseList(bad)
		require.Error(t, err, bad)
	}
}

func TestCheckURL(t *testing.T) {
	g := New(policy(t, "external,good.internal,10.9.9.9"))
	for raw, ok := range map[string]bool{
		"https://example.com/x": true, "http://good.internal:8080/": true, "http://10.9.9.9/": true, "http://1.1.1.1/": true,
		"http://127.0.0.1/": false, "http://[::1]:80/": false, "http://[::ffff:127.0.0.1]/": false, "http://localhost/": false,
		"http://LOCALHOST./": false, "http://x.localhost/": false, "http://10.0.0.1/": false, "http:///x": false, "http://[fe80::1%25eth0]/": false,
	} {
		u, err := url.Parse(raw)
		require.NoError(t, err)
		require.Equal(t, ok, g.CheckURL(u) == nil, raw)
	}
}

// names plays a name server that gives each name the addresses of the test, over UDP.
func names(t *testing.T, answers map[string]string) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	go serveNames(server, answers)
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

func serveNames(server net.PacketConn, answers map[string]string) {
	query := make([]byte, 1500)
	for {
		n, from, err := server.ReadFrom(query)
		if err != nil {
			return
		}
		_, _ = server.WriteTo(answer(query[:n], answers), from)
	}
}

// answer is the reply to a query of one question: an A record, or that there is none.
func answer(query []byte, answers map[string]string) []byte {
	var labels []string
	at := 12
	for query[at] != 0 {
		size := int(query[at])
		labels = append(labels, string(query[at+1:at+1+size]))
		at += 1 + size
	}
	question := query[12 : at+5]
	isA := query[at+2] == 1
	addr, known := answers[strings.Join(labels, ".")]
	reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
	if !known {
		reply[3] = 0x83 // no such name
		return reply
	}
	if isA {
		ip := netip.MustParseAddr(addr).As4()
		reply[7] = 1
		reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
		reply = append(reply, ip[:]...)
	}
	return reply
}

func TestANameIsCheckedByWhatItResolvesTo(t *testing.T) {
	g := New(policy(t, DefaultList))
	g.resolver = names(t, map[string]string{"evil.example": "127.0.0.1", "metadata.example": "169.254.169.254", "good.example": "1.1.1.1"})
	for host, ok := range map[string]bool{"evil.example": false, "metadata.example": false, "good.example": true, "gone.example": false} {
		err := g.CheckResolved(t.Context(), &url.URL{Scheme: "https", Host: host})
		require.Equal(t, ok, err == nil, "%s: %v", host, err)
		if host == "evil.example" {
			require.True(t, Refused(err))
			require.NotContains(t, err.Error(), "127.0.0.1", "what names resolve to inside is nobody's business")
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was reached") }))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	for _, host := range []string{"evil.example", "127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		_, err := g.Client(time.Minute).Get("http://" + host + ":" + port)
		require.Error(t, err, host)
		require.True(t, Refused(err), "%s: %v", host, err)
	}
}

func TestTheClientGoesWhereItMayAndNoFurther(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	defer server.Close()
	t.Setenv("HTTP_PROXY", elsewhere.URL)
	t.Setenv("http_proxy", elsewhere.URL)
	for _, list := range []string{"loopback", "127.0.0.0/8", "*"} {
		client := New(policy(t, list)).Client(time.Minute)
		resp, err := client.Get(server.URL)
		require.NoError(t, err, list)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusFound, resp.StatusCode)
		client.CloseIdleConnections()
	}
	byName := New(policy(t, "ci.internal"))
	byName.resolver = names(t, map[string]string{"ci.internal": "127.0.0.1"})
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	resp, err := byName.Client(time.Minute).Get("http://ci.internal:" + port)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
}
