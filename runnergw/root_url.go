package runnergw

import (
	"net/http"
	"regexp"
	"strings"
)

// hostPattern is a host name or address with an optional port.
var hostPattern = regexp.MustCompile(`^(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z][0-9A-Za-z._-]{0,253})(:[0-9]{1,5})?$`)

// rootURL is the address of this server as the caller's jobs reach it, without a slash at its end: that which the
// caller used, through whatever proxies (known-problems.md C1), unless the options say otherwise. Only the caller's
// own jobs see it, so nothing is lost if it lies.
func (g *Gateway) rootURL(r *http.Request) string {
	if g.options.RootURL != "" {
		return g.options.RootURL
	}
	return scheme(r) + "://" + host(r)
}

func scheme(r *http.Request) string {
	switch forwarded := strings.ToLower(first(r.Header.Get("X-Forwarded-Proto"))); {
	case forwarded == "http", forwarded == "https":
		return forwarded
	case r.TLS != nil:
		return "https"
	}
	return "http"
}

func host(r *http.Request) string {
	for _, h := range []string{first(r.Header.Get("X-Forwarded-Host")), r.Host} {
		if hostPattern.MatchString(h) {
			return h
		}
	}
	return "localhost"
}

// first is the part of a list header that the outermost proxy has written.
func first(list string) string {
	value, _, _ := strings.Cut(list, ",")
	return strings.TrimSpace(value)
}
