// Package egress decides where the server may connect to on behalf of its users: to webhooks and outside repositories,
// and not to the machines beside it, which trust whoever can reach them.
//
// What counts is the address that is dialled, checked after the name was resolved: a name may resolve to anything, and to
// something else a moment later. Whatever is not the public Internet is refused unless the list of the installation
// allows it. The entries of a list:
//
//	external        every public address
//	private         10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7
//	loopback        127.0.0.0/8, ::1
//	10.1.2.0/24     a network, or a single address, of whatever kind
//	ci.example.com  a host by its name, whatever it resolves to
//	*.example.com   every host below a name
//	*               everything
package egress
