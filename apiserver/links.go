package apiserver

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/workflows"
)

// hostPattern is what a host name with a port may be made of. Anything else in the header is no address of ours.
var hostPattern = regexp.MustCompile(`^[0-9A-Za-z._\-]+(:[0-9]{1,5})?$|^\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?$`)

// rootURL is what links of an answer begin with: the configured address, or the one that the client used.
func (s *Server) rootURL(r *http.Request) string {
	if s.RootURL != "" {
		return s.RootURL
	}
	scheme := "http"
	if r.TLS != nil || strings.EqualFold(firstWord(r.Header.Get("X-Forwarded-Proto")), "https") {
		scheme = "https"
	}
	host := firstWord(r.Header.Get("X-Forwarded-Host"))
	if !hostPattern.MatchString(host) {
		host = r.Host
	}
	if !hostPattern.MatchString(host) {
		host = "localhost"
	}
	return scheme + "://" + host
}

// firstWord is what the outermost of several proxies has said.
func firstWord(list string) string {
	word, _, _ := strings.Cut(list, ",")
	return strings.TrimSpace(word)
}

// links makes the addresses of one repository's things. Names of owners and repositories need no escaping.
type links struct {
	html, api string
}

func repoLinks(root string, repo *db.Repository) links {
	return links{html: root + "/" + repo.FullName(), api: root + apiPrefix + "/repos/" + repo.FullName()}
}

func (l links) run(id int64) string     { return fmt.Sprintf("%s/actions/runs/%d", l.api, id) }
func (l links) runHTML(id int64) string { return fmt.Sprintf("%s/actions/runs/%d", l.html, id) }
func (l links) attempt(run int64, number int) string {
	return fmt.Sprintf("%s/attempts/%d", l.run(run), number)
}
func (l links) job(id int64) string { return fmt.Sprintf("%s/actions/jobs/%d", l.api, id) }
func (l links) jobHTML(run, id int64) string {
	return fmt.Sprintf("%s/jobs/%d", l.runHTML(run), id)
}
func (l links) statuses(sha string) string { return l.api + "/statuses/" + sha }
func (l links) commit(sha string) string   { return l.api + "/git/commits/" + sha }
func (l links) workflow(file string) string {
	return l.api + "/actions/workflows/" + url.PathEscape(file)
}

func (l links) environment(name string) string {
	return l.api + "/environments/" + url.PathEscape(name)
}

// rootPath is what the paths of all addresses begin with; empty unless the server is below another's path.
func (c *call) rootPath() string {
	root, err := url.Parse(c.server.rootURL(c.r))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(root.EscapedPath(), "/")
}

// pathLinks are links without the server, as the web routes have them: their clients put its address before.
func (c *call) pathLinks() links { return repoLinks(c.rootPath(), c.repo) }

// temporal is the address of the history of an attempt in the Temporal UI; empty without one.
func (s *Server) temporal(run int64, attempt int) string {
	if s.TemporalUIURL == "" {
		return ""
	}
	return fmt.Sprintf("%s/namespaces/%s/workflows/%s", s.TemporalUIURL, url.PathEscape(s.TemporalNamespace),
		url.PathEscape(workflows.RunWorkflowID(run, attempt)))
}

// escapePath escapes each part of a path, and keeps its slashes.
func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}
