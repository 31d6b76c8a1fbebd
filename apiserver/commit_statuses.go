package apiserver

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/accounts"
	"github.com/pawl-ci/pawl/internal/fault"
)

// commitStatusRoutes are for outside reporters and for those who wait for them.
func (s *Server) commitStatusRoutes() []endpoint {
	const statuses = "/repos/{owner}/{repo}/statuses/{sha}"
	const commit = "/repos/{owner}/{repo}/commits/{ref}"
	return []endpoint{
		{http.MethodPost, statuses, writer(), createCommitStatus},
		{http.MethodGet, statuses, anyReader(), listCommitStatuses("sha")},
		{http.MethodGet, commit + "/statuses", anyReader(), listCommitStatuses("ref")},
		{http.MethodGet, commit + "/status", anyReader(), getCombinedStatus},
	}
}

// apiCommitStatus is a report of a commit.
type apiCommitStatus struct {
	ID          int64          `json:"id"`
	Status      db.CommitState `json:"status"`
	TargetURL   string         `json:"target_url"`
	Description string         `json:"description"`
	URL         string         `json:"url"`
	Context     string         `json:"context"`
	Creator     *apiUser       `json:"creator"`
	CreatedAt   time.Time      `json:"created_at"`
	UpdatedAt   time.Time      `json:"updated_at"`
}

// apiCombinedStatus is the state of a commit with the latest report of each context.
type apiCombinedStatus struct {
	State      db.CommitState     `json:"state"`
	SHA        string             `json:"sha"`
	TotalCount int                `json:"total_count"`
	Statuses   []*apiCommitStatus `json:"statuses"`
	Repository *apiRepository     `json:"repository"`
	CommitURL  string             `json:"commit_url"`
	URL        string             `json:"url"`
}

func (c *call) showCommitStatuses(list []*db.CommitStatus) ([]*apiCommitStatus, error) {
	ids := make([]int64, len(list))
	for i, s := range list {
		ids[i] = s.CreatorID
	}
	creators, err := c.server.DB.OwnersByID(c.ctx(), ids)
	if err != nil {
		return nil, err
	}
	out := make([]*apiCommitStatus, len(list))
	for i, s := range list {
		out[i] = &apiCommitStatus{
			ID: s.ID, Status: s.State, TargetURL: s.TargetURL, Description: s.Description, Context: s.Context,
			URL: c.links().statuses(s.SHA), Creator: showUser(c.server.rootURL(c.r), creators[s.CreatorID], c.caller.user),
			CreatedAt: shown(s.CreatedAt), UpdatedAt: shown(s.CreatedAt),
		}
	}
	return out, nil
}

// commitReport is the body of a report.
type commitReport struct {
	State       db.CommitState `json:"state"`
	TargetURL   string         `json:"target_url"`
	Description string         `json:"description"`
	Context     string         `json:"context"`
}

// The limits of a report, in characters.
const (
	maxStatusContext     = 255
	maxStatusDescription = 1024
	maxStatusURL         = 2048
)

var commitStates = []db.CommitState{
	db.CommitPending, db.CommitSuccess, db.CommitError, db.CommitFailure, db.CommitWarning, db.CommitSkipped,
}

func (in commitReport) check() error {
	if in.State == "" {
		return required("State")
	}
	if !slices.Contains(commitStates, in.State) {
		return fault.Unprocessable("In(pending,success,error,failure,warning,skipped)").In("State")
	}
	for _, err := range []error{
		accounts.CheckText("Context", in.Context, maxStatusContext),
		accounts.CheckText("Description", in.Description, maxStatusDescription),
		accounts.CheckText("TargetUrl", in.TargetURL, maxStatusURL),
	} {
		if err != nil {
			return err
		}
	}
	return checkTargetURL(in.TargetURL)
}

// checkTargetURL refuses what a page must not link to.
func checkTargetURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https") {
		return fault.Unprocessable("Url").In("TargetUrl")
	}
	return nil
}

func createCommitStatus(c *call) error {
	var in commitReport
	if err := c.bind(&in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	commit, err := c.server.Trigger.Commit(c.ctx(), c.repo, c.params["sha"])
	if err != nil {
		return err
	}
	row := &db.CommitStatus{
		RepoID: c.repo.ID, SHA: commit.SHA, State: in.State, TargetURL: in.TargetURL, Description: in.Description,
		Context: in.Context, CreatorID: c.caller.user.ID,
	}
	if row.Context == "" {
		row.Context = "default"
	}
	err = c.server.DB.CreateCommitStatus(c.ctx(), row)
	if errors.Is(err, db.ErrConflict) {
		return fault.Unprocessable("this commit has %d reports of the context already", db.MaxCommitStatuses).In("Context")
	}
	if err != nil {
		return err
	}
	out, err := c.showCommitStatuses([]*db.CommitStatus{row})
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, out[0])
}

// listCommitStatuses lists all reports of a commit, which the parameter of the path names, newest first.
func listCommitStatuses(param string) func(*call) error {
	return func(c *call) error {
		commit, err := c.server.Trigger.Commit(c.ctx(), c.repo, c.params[param])
		if err != nil {
			return err
		}
		f := db.CommitStatusFilter{
			RepoID: c.repo.ID, SHA: commit.SHA, State: db.CommitState(c.values.Get("state")), Page: c.page(),
			Ascending: slices.Contains([]string{"oldest", "leastupdate", "leastindex"}, c.values.Get("sort")),
		}
		list, total, err := c.server.DB.CommitStatuses(c.ctx(), f)
		if err != nil {
			return err
		}
		out, err := c.showCommitStatuses(list)
		if err != nil {
			return err
		}
		c.paginate(f.Page, total)
		return c.json(http.StatusOK, out)
	}
}

func getCombinedStatus(c *call) error {
	commit, err := c.server.Trigger.Commit(c.ctx(), c.repo, c.params["ref"])
	if err != nil {
		return err
	}
	state, err := c.server.DB.CombinedCommitState(c.ctx(), c.repo.ID, commit.SHA)
	if err != nil {
		return err
	}
	page := c.page()
	list, total, err := c.server.DB.CommitStatuses(c.ctx(), db.CommitStatusFilter{
		RepoID: c.repo.ID, SHA: commit.SHA, Latest: true, Page: page,
	})
	if err != nil {
		return err
	}
	shownList, err := c.showCommitStatuses(list)
	if err != nil {
		return err
	}
	c.paginate(page, total)
	return c.json(http.StatusOK, apiCombinedStatus{
		State: state, SHA: commit.SHA, TotalCount: total, Statuses: shownList, Repository: c.shownRepo(),
		CommitURL: c.links().commit(commit.SHA), URL: c.links().api + "/commits/" + commit.SHA + "/status",
	})
}
