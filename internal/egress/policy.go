package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// DefaultList is the list of an installation that has none.
const DefaultList = "external"

// Policy says which hosts and addresses may be connected to. The zero value allows none.
type Policy struct {
	anything, external, private, loopback bool

	networks []netip.Prefix
	hosts    []string // names; those that begin with a dot stand for all below
}

// ParseList reads a list of entries with commas between them.
func ParseList(list string) (Policy, error) {
	var p Policy
	for entry := range strings.SplitSeq(list, ",") {
		if err := p.add(strings.ToLower(strings.TrimSpace(entry))); err != nil {
			return Policy{}, err
		}
	}
	return p, nil
}

func (p *Policy) add(entry string) error {
	switch entry {
	case "":
	case "*":
		p.anything = true
	case "external":
		p.external = true
	case "private":
		p.private = true
	case "loopback":
		p.loopback = true
	default:
		return p.addPlace(entry)
	}
	return nil
}

func (p *Policy) addPlace(entry string) error {
	if network, err := netip.ParsePrefix(entry); err == nil {
		p.networks = append(p.networks, unmapped(network))
		return nil
	}
	if addr, err := netip.ParseAddr(entry); err == nil {
		addr = addr.Unmap().WithZone("")
		p.networks = append(p.networks, netip.PrefixFrom(addr, addr.BitLen()))
		return nil
	}
	name, below := strings.CutPrefix(entry, "*.")
	if name == "" || strings.ContainsAny(name, "*/:@ ") {
		return fmt.Errorf("allowed hosts: %q is no host, address, network or word", entry)
	}
	if below {
		name = "." + name
	}
	p.hosts = append(p.hosts, name)
	return nil
}

// unmapped is a network of IPv4 that was written as one of IPv6.
func unmapped(n netip.Prefix) netip.Prefix {
	if n.Addr().Is4In6() && n.Bits() >= 96 {
		return netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96)
	}
	return n
}

// AllowsHost tells whether a host is allowed by its name, whatever it resolves to.
func (p Policy) AllowsHost(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, allowed := range p.hosts {
		if host == allowed || (allowed[0] == '.' && strings.HasSuffix(host, allowed)) {
			return true
		}
	}
	return p.anything
}

// AllowsAddr tells whether an address may be connected to.
func (p Policy) AllowsAddr(addr netip.Addr) bool {
	if p.anything {
		return true
	}
	addr = addr.Unmap()
	if addr.Zone() != "" {
		return false // of one link only
	}
	for _, network := range p.networks {
		if network.Contains(addr) {
			return true
		}
	}
	switch {
	case contains(metadata, addr):
		return false
	case addr.IsLoopback():
		return p.loopback
	case addr.IsPrivate():
		return p.private
	default:
		return p.external && isPublic(addr)
	}
}

// errRefused is the refusal of an address or host.
type errRefused struct{ what string }

// Error implements error. It may be shown to who gave the address.
func (e errRefused) Error() string {
	return e.what + " is not allowed: this installation does not connect to addresses of that kind"
}

// Refused tells whether err is the refusal of a place by a policy.
func Refused(err error) bool {
	var refused errRefused
	return errors.As(err, &refused)
}
