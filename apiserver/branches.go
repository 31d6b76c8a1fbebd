package apiserver

import (
	"net/http"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/git"
	"github.com/pawl-ci/pawl/internal/trigger"
)

// branchRoutes are what clients look up before they dispatch, and of what ran.
func (s *Server) branchRoutes() []endpoint {
	const all = "/repos/{owner}/{repo}/branches"
	return []endpoint{
		{http.MethodGet, all, anyReader(), listBranches},
		{http.MethodGet, all + "/{branch}", anyReader(), getBranch},
		{http.MethodGet, "/repos/{owner}/{repo}/git/commits/{sha}", anyReader(), getCommit},
	}
}

// apiBranch is a branch. Nothing is protected here but by who may write.
type apiBranch struct {
	Name                          string           `json:"name"`
	Commit                        *apiBranchCommit `json:"commit"`
	Protected                     bool             `json:"protected"`
	RequiredApprovals             int              `json:"required_approvals"`
	EnableStatusCheck             bool             `json:"enable_status_check"`
	StatusCheckContexts           []string         `json:"status_check_contexts"`
	UserCanPush                   bool             `json:"user_can_push"`
	UserCanMerge                  bool             `json:"user_can_merge"`
	EffectiveBranchProtectionName string           `json:"effective_branch_protection_name"`
}

type apiBranchCommit struct {
	ID        string        `json:"id"`
	Message   string        `json:"message"`
	URL       string        `json:"url"`
	Author    apiCommitUser `json:"author"`
	Committer apiCommitUser `json:"committer"`
	Timestamp time.Time     `json:"timestamp"`
	Added     []string      `json:"added"`
	Removed   []string      `json:"removed"`
	Modified  []string      `json:"modified"`
}

type apiCommitUser struct {
	Name     string `json:"name"`
	Email    string `json:"email"`
	Username string `json:"username"`
}

func (c *call) showBranch(b trigger.Branch) *apiBranch {
	canPush := c.access.Permission.Includes(db.PermissionWrite) && c.repo.CloneURL == ""
	return &apiBranch{
		Name: b.Name, StatusCheckContexts: []string{}, UserCanPush: canPush, UserCanMerge: canPush,
		Commit: &apiBranchCommit{
			ID: b.Commit.SHA, Message: b.Commit.Message, URL: c.links().html + "/commit/" + b.Commit.SHA,
			Author: showCommitUser(b.Commit.Author), Committer: showCommitUser(b.Commit.Committer),
			Timestamp: shown(b.Commit.Committer.When), Added: []string{}, Removed: []string{}, Modified: []string{},
		},
	}
}

func showCommitUser(s git.Signature) apiCommitUser {
	return apiCommitUser{Name: s.Name, Email: s.Email}
}

func listBranches(c *call) error {
	page := c.page()
	branches, total, err := c.server.Trigger.Branches(c.ctx(), c.repo, page)
	if err != nil {
		return err
	}
	out := make([]*apiBranch, len(branches))
	for i, b := range branches {
		out[i] = c.showBranch(b)
	}
	c.paginate(page, total)
	return c.json(http.StatusOK, out)
}

func getBranch(c *call) error {
	b, err := c.server.Trigger.Branch(c.ctx(), c.repo, c.params["branch"])
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, c.showBranch(b))
}

// apiCommit is a commit. Who wrote it is told by name and address only: Pawl knows no addresses of others.
type apiCommit struct {
	SHA       string          `json:"sha"`
	URL       string          `json:"url"`
	HTMLURL   string          `json:"html_url"`
	Created   time.Time       `json:"created"`
	Commit    apiCommitBody   `json:"commit"`
	Author    *apiUser        `json:"author"`
	Committer *apiUser        `json:"committer"`
	Parents   []apiCommitMeta `json:"parents"`
}

type apiCommitBody struct {
	URL       string        `json:"url"`
	Author    apiDatedUser  `json:"author"`
	Committer apiDatedUser  `json:"committer"`
	Message   string        `json:"message"`
	Tree      apiCommitMeta `json:"tree"`
}

// getCommit takes whatever names a commit.
func getCommit(c *call) error {
	commit, err := c.server.Trigger.Commit(c.ctx(), c.repo, c.params["sha"])
	if err != nil {
		return err
	}
	f := c.showFileCommit(commit)
	return c.json(http.StatusOK, apiCommit{
		SHA: f.SHA, URL: f.URL, HTMLURL: f.HTMLURL, Created: f.Created, Parents: f.Parents,
		Commit: apiCommitBody{URL: f.URL, Author: f.Author, Committer: f.Committer, Message: f.Message, Tree: f.Tree},
	})
}
