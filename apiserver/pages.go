package apiserver

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/pawl-ci/pawl/db"
)

//go:embed templates/*.html
var templateFiles embed.FS

// pages are parsed once, and never changed.
var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"word": statusWord,
	"when": func(t time.Time) string { return t.UTC().Format(time.DateTime) },
}).ParseFS(templateFiles, "templates/*.html"))

// statusWord is the conclusion, or the status while there is none.
func statusWord(status, conclusion string) string {
	if conclusion != "" {
		return conclusion
	}
	return status
}

func (s *Server) pageRoutes() []webRoute {
	return []webRoute{
		{http.MethodGet, "/", homePage},
		{http.MethodGet, "/{owner}/{repo}", repoPage},
		{http.MethodGet, "/{owner}/{repo}/actions", repoPage},
		{http.MethodGet, "/{owner}/{repo}/actions/runs/{run}", runPage},
		{http.MethodGet, "/{owner}/{repo}/actions/runs/{run}/jobs/{job}", jobPage},
	}
}

func homePage(c *call) error { return c.page200("home.html", c.server.Version) }

// repoPageRuns is how many runs the page of a repository shows.
const repoPageRuns = 30

func repoPage(c *call) error {
	if err := c.enterRepo(false); err != nil {
		return err
	}
	views, total, err := c.server.DB.Runs(c.ctx(), db.RunFilter{RepoID: c.repo.ID, Page: db.Page{Limit: repoPageRuns}})
	if err != nil {
		return err
	}
	data := struct {
		Repository *apiRepository
		Runs       []*apiRun
		Total      int
	}{Repository: c.shownRepo(), Total: total}
	for _, v := range views {
		if v.Attempt != nil {
			data.Runs = append(data.Runs, c.showRun(v, c.repo))
		}
	}
	return c.page200("repo.html", data)
}

func runPage(c *call) error {
	if err := c.enterRepo(false); err != nil {
		return err
	}
	v, err := c.server.DB.Run(c.ctx(), c.repo.ID, c.id("run"), 0)
	if err != nil {
		return err
	}
	jobs, _, err := c.server.DB.Jobs(c.ctx(), db.JobFilter{RepoID: c.repo.ID, RunID: v.Run.ID, Attempt: v.Run.Attempt})
	if err != nil {
		return err
	}
	data := struct {
		Run  *apiRun
		Jobs []*apiJob
	}{Run: c.showRun(v, c.repo)}
	for _, j := range jobs {
		data.Jobs = append(data.Jobs, showJob(c.server.rootURL(c.r), j, c.repo))
	}
	return c.page200("run.html", data)
}

// jobPage leads to the job on the page of its run.
func jobPage(c *call) error {
	if err := c.enterRepo(false); err != nil {
		return err
	}
	l := repoLinks(c.server.rootURL(c.r), c.repo)
	target := fmt.Sprintf("%s#job-%d", l.runHTML(c.id("run")), c.id("job"))
	http.Redirect(c.w, c.r, target, http.StatusSeeOther)
	return nil
}

// page200 renders a page whole before it is sent, so that a failing template gives an error and no half page.
func (c *call) page200(name string, data any) error {
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name, data); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = c.w.Write(page.Bytes()) // an error means that nobody listens any more
	return nil
}
