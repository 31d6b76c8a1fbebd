package apiserver

import (
	"net/http"
	"strings"
)

// route is what the machinery knows of a route beside how it is answered. All follows from method and path.
type route struct {
	// action is its name in the audit log; empty: its calls are not recorded.
	action   string
	recordAt recordTime
	// unlimited calls take no token of a rate limit, and are answered as the handler has it: those of git, which come in
	// bursts and bound and compress themselves.
	unlimited bool
}

// recordTime is when the entry in the audit log is written.
type recordTime int

const (
	atHeader recordTime = iota // before the answer is on its way
	atEnd
)

func routeOf(method, path string) route {
	r := route{action: actionOf(method, path), unlimited: isGit(path)}
	if r.unlimited {
		r.recordAt = atEnd
	}
	return r
}

func isGit(path string) bool {
	return strings.HasSuffix(path, "/info/refs") || strings.HasSuffix(path, "/git-upload-pack") || strings.HasSuffix(path, "/git-receive-pack")
}

// answering makes the handler of a route: serve does what is asked, or returns the fault with which fail answers.
func (s *Server) answering(rt route, serve func(*call) error, fail func(*call, error)) http.Handler {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{w: w, r: r, server: s, route: rt}
		answer := func() {
			if err := serve(c); err != nil {
				fail(c, err)
			}
		}
		if rt.action == "" {
			answer()
		} else {
			c.recorded(answer)
		}
	})
	if rt.unlimited {
		return h
	}
	return s.compress(h)
}
