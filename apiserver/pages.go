package apiserver

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/pawl-ci/pawl/db"
)

//go:embed templates/*.html
var templateFiles embed.FS

// pages are parsed once, and never changed.
var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"word":   statusWord,
	"when":   func(t time.Time) string { return t.UTC().Format(time.DateTime) },
	"indent": func(depth int) string { return strings.Repeat("\u00a0\u00a0\u00a0", depth) },
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
		{http.MethodGet, "/api/swagger", apiPage},
		{http.MethodGet, "/{owner}/{repo}", repoPage},
		{http.MethodGet, "/{owner}/{repo}/actions", repoPage},
		{http.MethodGet, "/{owner}/{repo}/actions/runs/{run}", runPage},
		{http.MethodGet, "/{owner}/{repo}/actions/runs/{run}/attempts/{attempt}", attemptPage},
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
	views, l, err := c.server.DB.Runs(c.ctx(), db.RunFilter{RepoID: c.repo.ID, Page: db.Page{Limit: repoPageRuns}})
	if err != nil {
		return err
	}
	runs, err := c.showRuns(views)
	if err != nil {
		return err
	}
	return c.page200("repo.html", struct {
		Repository *apiRepository
		Runs       []*apiRun
		Total      int
	}{c.shownRepo(), runs, l.Total})
}

func runPage(c *call) error {
	if err := c.enterRepo(false); err != nil {
		return err
	}
	v, err := c.latestRun()
	if err != nil {
		return err
	}
	return c.pageOfRun(v)
}

// attemptPage shows a run as it was in one attempt.
func attemptPage(c *call) error {
	if err := c.enterRepo(false); err != nil {
		return err
	}
	v, err := c.attemptView()
	if err != nil {
		return err
	}
	return c.pageOfRun(v)
}

// treeJob is a job with how many callers are above it.
type treeJob struct {
	*apiJob

	Depth int
}

// attemptLink leads to another attempt of the run of a page.
type attemptLink struct {
	Number int
	URL    string
}

func (c *call) pageOfRun(v *db.RunView) error {
	runs, err := c.showRuns([]*db.RunView{v})
	if err != nil {
		return err
	}
	views, _, err := c.server.DB.Jobs(c.ctx(), db.JobFilter{RepoID: c.repo.ID, RunID: v.Run.ID, Attempt: v.Run.Attempt})
	if err != nil {
		return err
	}
	jobs, err := c.showJobs(views)
	if err != nil {
		return err
	}
	latest, err := c.latestRun()
	if err != nil {
		return err
	}
	return c.page200("run.html", struct {
		Run      *apiRun
		Jobs     []treeJob
		Attempts []attemptLink
	}{runs[0], jobTree(jobs), c.attemptLinks(latest.Run)})
}

// attemptLinks leads to all attempts of a run, of which there is more than one.
func (c *call) attemptLinks(run *db.Run) []attemptLink {
	if run.Attempt == 1 {
		return nil
	}
	out := make([]attemptLink, run.Attempt)
	for i := range out {
		out[i] = attemptLink{i + 1, fmt.Sprintf("%s/attempts/%d", c.links().runHTML(run.ID), i+1)}
	}
	return out
}

// jobTree puts the jobs that were called behind their callers.
func jobTree(jobs []*apiJob) []treeJob {
	children := map[int64][]*apiJob{}
	for _, j := range jobs {
		children[j.ParentJobID] = append(children[j.ParentJobID], j)
	}
	var out []treeJob
	var add func(parent int64, depth int)
	add = func(parent int64, depth int) {
		for _, j := range children[parent] {
			out = append(out, treeJob{j, depth})
			add(j.ID, depth+1)
		}
	}
	add(0, 0)
	return out
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
