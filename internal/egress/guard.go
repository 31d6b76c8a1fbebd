package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

const (
	// dialTimeout is how long a connection may take.
	dialTimeout = 10 * time.Second
	// lookupTimeout is how long a name may take to resolve, where it is only checked.
	lookupTimeout = 5 * time.Second
	// maxHeaderBytes bounds the headers of an answer.
	maxHeaderBytes = 64 << 10
)

// Guard connects to what its policy allows. It is safe for concurrent use.
type Guard struct {
	policy Policy
	// resolver is that of the machine, except in tests.
	resolver *net.Resolver
}

// New makes a guard.
func New(p Policy) *Guard { return &Guard{policy: p, resolver: net.DefaultResolver} }

// DialContext connects to an address of the form host:port, as net.Dialer does. The address that the name resolved to is
// checked at the last moment before the connection, so that there is no second resolution that could say something else.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: dialTimeout, Resolver: g.resolver}
	if !g.policy.AllowsHost(host) {
		dialer.Control = g.control
	}
	return dialer.DialContext(ctx, network, address)
}

func (g *Guard) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q: %w", address, err)
	}
	return g.checkAddr(at.Addr())
}

func (g *Guard) checkAddr(addr netip.Addr) error {
	if g.policy.AllowsAddr(addr) {
		return nil
	}
	return errRefused{what: addr.String()}
}

// Client makes an HTTP client that connects through the guard only: no proxy of the environment, no redirects (they are
// answers like any other), bounded headers, no decompression.
func (g *Guard) Client(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy: nil, DialContext: g.DialContext, ForceAttemptHTTP2: true, DisableCompression: true,
			TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: timeout, MaxResponseHeaderBytes: maxHeaderBytes,
			MaxIdleConns: 100, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// CheckURL refuses an address whose host is written as an address that is not allowed, or as a name of this machine. It
// asks nobody. The error may be shown to the user.
func (g *Guard) CheckURL(u *url.URL) error {
	host := u.Hostname()
	if host == "" {
		return errors.New("it names no host")
	}
	if g.policy.AllowsHost(host) {
		return nil
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return g.checkAddr(addr)
	}
	if isLocalhost(host) && !g.policy.loopback {
		return errRefused{what: host}
	}
	return nil
}

// CheckResolved is CheckURL that also resolves the name and refuses it if any of its addresses is not allowed. It is for
// connections that others make, such as git: those resolve the name again.
func (g *Guard) CheckResolved(ctx context.Context, u *url.URL) error {
	if err := g.CheckURL(u); err != nil || g.policy.AllowsHost(u.Hostname()) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	addrs, err := g.resolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return errors.New("its host cannot be resolved")
	}
	for _, addr := range addrs {
		if err := g.checkAddr(addr); err != nil {
			return errRefused{what: u.Hostname()}
		}
	}
	return nil
}
