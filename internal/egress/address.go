package egress

import (
	"net/netip"
	"strings"
)

// isPublic tells whether an address belongs to somebody on the Internet. IPv6 is public only where addresses have been
// given out (2000::/3); forms that carry an IPv4 address within (NAT64, 6to4, Teredo) are not.
func isPublic(addr netip.Addr) bool {
	if addr.Is4() {
		return !contains(special4, addr)
	}
	return public6.Contains(addr) && !contains(special6, addr)
}

func contains(networks []netip.Prefix, addr netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}

var (
	public6 = netip.MustParsePrefix("2000::/3")
	// The registries of special addresses of IANA.
	special4 = prefixes(
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
		"192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
		"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	)
	special6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
	// Where clouds tell a machine its secrets: AWS, Azure, GCP and most others, and those at unusual places. Even who
	// allows private addresses does not mean these.
	metadata = prefixes("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "fd20:ce::254/128", "100.100.100.200/32",
		"168.63.129.16/32", "192.0.0.192/32")
)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// isLocalhost knows the names of this machine (RFC 6761).
func isLocalhost(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
