// Package peer finds out from which address a request comes, also behind proxies.
package peer

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of proxies whose X-Forwarded-For is believed. Nil believes none.
type Proxies []netip.Prefix

// ParseProxies reads networks (10.0.0.0/8) and addresses.
func ParseProxies(words []string) (Proxies, error) {
	var out Proxies
	for _, word := range words {
		word = strings.TrimSpace(word)
		if word == "" {
			continue
		}
		network, err := netip.ParsePrefix(word)
		if address, err2 := netip.ParseAddr(word); err != nil && err2 == nil && address.Zone() == "" {
			network, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("trusted proxies: %q is neither a network nor an address", word)
		}
		out = append(out, network.Masked())
	}
	return out, nil
}

// maxHops bounds what is read of one X-Forwarded-For.
const maxHops = 32

// Address is where a request comes from: the nearest address that is not one of our proxies. It is the zero Addr when the
// connection has none, as in some tests.
func (p Proxies) Address(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	address := clean(at.Addr())
	hops := forwarded(r.Header)
	for i := len(hops) - 1; i >= 0 && p.trust(address); i-- {
		hop, err := parseHop(hops[i])
		if err != nil {
			break // a proxy of ours says what is no address: it is the last that we know
		}
		address = hop
	}
	return address
}

func (p Proxies) trust(address netip.Addr) bool {
	return slices.ContainsFunc(p, func(n netip.Prefix) bool { return n.Contains(address) })
}

// forwarded are the hops, the nearest last.
func forwarded(h http.Header) []string {
	hops := strings.Split(strings.Join(h.Values("X-Forwarded-For"), ","), ",")
	return hops[max(0, len(hops)-maxHops):]
}

// parseHop reads an address with or without a port.
func parseHop(hop string) (netip.Addr, error) {
	hop = strings.TrimSpace(hop)
	if at, err := netip.ParseAddrPort(hop); err == nil {
		return clean(at.Addr()), nil
	}
	address, err := netip.ParseAddr(strings.Trim(hop, "[]"))
	return clean(address), err
}

// clean makes the same address look the same always.
func clean(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// Key is what counts as one client: an address, and of IPv6 the network of 64 bits that one customer has.
func Key(a netip.Addr) string {
	if !a.Is6() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}
