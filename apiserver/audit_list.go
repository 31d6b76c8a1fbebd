package apiserver

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

func (s *Server) auditRoutes() []endpoint {
	return []endpoint{
		{http.MethodGet, "/admin/audit", append(siteAdmin(), seesPrivate), listAudit},
		{http.MethodGet, "/orgs/{org}/audit", append(orgOwner(), seesPrivate), listOrgAudit},
		{http.MethodGet, "/repos/{owner}/{repo}/audit", repoOwner(), listRepoAudit},
	}
}

func listAudit(c *call) error {
	return c.answerAudit(db.AuditFilter{Owner: c.values.Get("owner"), Repo: c.values.Get("repo")})
}

// listOrgAudit shows what was done to the organization of today, not to one of the same name before it.
func listOrgAudit(c *call) error {
	return c.answerAudit(db.AuditFilter{Owner: c.org.Login, OwnerID: c.org.ID, Repo: c.values.Get("repo")})
}

func listRepoAudit(c *call) error {
	return c.answerAudit(db.AuditFilter{Repo: c.repo.FullName(), RepoID: c.repo.ID})
}

// answerAudit adds the filters of the query and answers with one page, which names the next one if it is full.
func (c *call) answerAudit(f db.AuditFilter) error {
	if err := c.readAuditFilter(&f); err != nil {
		return err
	}
	entries, err := c.server.DB.AuditLog(c.ctx(), f)
	if err != nil {
		return err
	}
	var answer struct {
		Entries []apiAudit `json:"entries"`
		Next    string     `json:"next_cursor,omitempty"`
	}
	answer.Entries = make([]apiAudit, len(entries))
	for i, e := range entries {
		answer.Entries[i] = showAudit(e)
	}
	if len(entries) == f.Limit {
		answer.Next = auditCursor(entries[len(entries)-1])
		c.linkNext(answer.Next)
	}
	return c.json(http.StatusOK, answer)
}

// linkNext names the page behind a cursor.
func (c *call) linkNext(cursor string) {
	u := *c.r.URL
	u.Scheme, u.Host = "", ""
	query := u.Query()
	query.Set("cursor", cursor)
	u.RawQuery = query.Encode()
	c.w.Header().Set("Link", fmt.Sprintf("<%s%s>; rel=%q", c.server.rootURL(c.r), u.RequestURI(), "next"))
}

func (c *call) readAuditFilter(f *db.AuditFilter) (err error) {
	f.Actor, f.Action, f.Result = c.values.Get("actor"), c.values.Get("action"), db.AuditResult(c.values.Get("result"))
	f.Limit = c.page().Limit
	switch f.Result {
	case "", db.AuditOK, db.AuditRefused, db.AuditFailed:
	default:
		return fault.BadRequest("result is one of ok, refused and failed")
	}
	if f.Since, err = c.timeParam("since"); err != nil {
		return err
	}
	if f.Until, err = c.timeParam("until"); err != nil {
		return err
	}
	f.After, err = c.auditKey()
	return err
}

// timeParam is a moment in the query; the zero time when it is absent.
func (c *call) timeParam(name string) (time.Time, error) {
	text := c.values.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.Year() < 1 {
		return time.Time{}, fault.BadRequest("%s is a time such as 2026-01-02T15:04:05Z", name)
	}
	return at, nil
}

// auditKey is the cursor in the query. Only those that a page has named are any.
func (c *call) auditKey() (db.AuditKey, error) {
	text := c.values.Get("cursor")
	if text == "" {
		return db.AuditKey{}, nil
	}
	at, id, _ := strings.Cut(text, "-")
	micros, err := strconv.ParseInt(at, 10, 64)
	number, err2 := strconv.ParseInt(id, 10, 64)
	const latest = 1 << 55 // microseconds; the year 3111, well within what Postgres can hold
	if err != nil || err2 != nil || micros <= 0 || micros > latest {
		return db.AuditKey{}, fault.BadRequest("the cursor is none")
	}
	return db.AuditKey{At: time.UnixMicro(micros), ID: number}, nil
}
