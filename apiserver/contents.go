package apiserver

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/pawl-ci/pawl/internal/accounts"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/git"
	"github.com/pawl-ci/pawl/internal/trigger"
)

// contentRoutes read and change single files, so that a workflow file can be written without git. A change is a push,
// and starts what a push starts.
func (s *Server) contentRoutes() []endpoint {
	const all = "/repos/{owner}/{repo}/contents"
	const one = all + "/{path:.*}"
	return []endpoint{
		{http.MethodGet, all, anyReader(), getContents},
		{http.MethodGet, one, anyReader(), getContents},
		{http.MethodPost, one, writer(), changeFile(createFile)},
		{http.MethodPut, one, writer(), changeFile(updateFile)},
		{http.MethodDelete, one, writer(), changeFile(deleteFile)},
	}
}

// apiContents is a file or a directory. Only a single file has its content.
type apiContents struct {
	Name          string          `json:"name"`
	Path          string          `json:"path"`
	SHA           string          `json:"sha"`
	LastCommitSHA string          `json:"last_commit_sha"`
	Type          git.EntryType   `json:"type"`
	Size          int64           `json:"size"`
	Encoding      *string         `json:"encoding"`
	Content       *string         `json:"content"`
	Target        *string         `json:"target"`
	URL           string          `json:"url"`
	HTMLURL       string          `json:"html_url"`
	GitURL        *string         `json:"git_url"`
	DownloadURL   *string         `json:"download_url"`
	SubmoduleURL  *string         `json:"submodule_git_url"`
	Links         apiContentLinks `json:"_links"`
}

type apiContentLinks struct {
	Self string  `json:"self"`
	Git  *string `json:"git"`
	HTML string  `json:"html"`
}

func (c *call) showEntry(e git.Entry, commit, ref string) *apiContents {
	self := c.links().api + "/contents/" + escapePath(e.Path) + "?ref=" + escapePath(ref)
	html := c.links().html + "/src/commit/" + commit + "/" + escapePath(e.Path)
	return &apiContents{
		Name: path.Base(e.Path), Path: e.Path, SHA: e.SHA, LastCommitSHA: commit, Type: e.Type, Size: e.Size, URL: self, HTMLURL: html,
		Links: apiContentLinks{Self: self, HTML: html},
	}
}

func (a *apiContents) setData(data []byte) {
	encoding, text := "base64", base64.StdEncoding.EncodeToString(data)
	a.Encoding, a.Content = &encoding, &text
}

// getContents answers with one file, or with a list of what is in a directory.
func getContents(c *call) error {
	ref := cmp.Or(c.values.Get("ref"), c.repo.DefaultBranch)
	found, err := c.server.Trigger.Content(c.ctx(), c.repo, ref, strings.Trim(c.params["path"], "/"))
	if err != nil {
		return err
	}
	if found.Entry.Type == git.EntryDirectory {
		out := make([]*apiContents, len(found.Entries))
		for i, e := range found.Entries {
			out[i] = c.showEntry(e, found.Commit.SHA, ref)
		}
		return c.json(http.StatusOK, out)
	}
	out := c.showEntry(found.Entry, found.Commit.SHA, ref)
	if found.Data != nil {
		out.setData(found.Data)
	}
	return c.json(http.StatusOK, out)
}

// fileBody is the body of a change. Dates and signatures of Gitea's are not taken.
type fileBody struct {
	Branch  string        `json:"branch"`
	Message string        `json:"message"`
	Content *string       `json:"content"` // base64
	SHA     string        `json:"sha"`     // of the blob that is there
	Author  *apiCommitter `json:"author"`

	NewBranch string `json:"new_branch"` // only the branch itself
	FromPath  string `json:"from_path"`  // only empty
}

type apiCommitter struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// fileAction is what is done to a file.
type fileAction struct {
	status int
	verb   string
	// isNew says that the file must not be there, hasData that it gets a content.
	isNew, hasData bool
}

var (
	createFile = fileAction{http.StatusCreated, "Add", true, true}
	updateFile = fileAction{http.StatusOK, "Update", false, true}
	deleteFile = fileAction{http.StatusOK, "Delete", false, false}
)

// The limits of a change, in characters.
const (
	maxCommitMessage = 65_535
	maxCommitterName = 255
)

func changeFile(a fileAction) func(*call) error {
	return func(c *call) error {
		change, err := c.readFileChange(a)
		if err != nil {
			return err
		}
		commit, err := c.server.Trigger.ChangeFile(c.ctx(), change)
		if err != nil {
			return err
		}
		out := apiFileChange{Commit: c.showFileCommit(commit), Verification: apiVerification{Reason: "gpg.error.not_signed_commit"}}
		if a.hasData {
			written, err := c.server.Trigger.Content(c.ctx(), c.repo, commit.SHA, change.Path)
			if err != nil {
				return err
			}
			out.Content = c.showEntry(written.Entry, commit.SHA, change.Branch)
			out.Content.setData(change.Data)
		}
		return c.json(a.status, out)
	}
}

func (c *call) readFileChange(a fileAction) (trigger.FileChange, error) {
	var in fileBody
	if err := c.bind(&in); err != nil {
		return trigger.FileChange{}, err
	}
	change := trigger.FileChange{
		Repo: c.repo, Actor: c.caller.user, Branch: cmp.Or(in.Branch, c.repo.DefaultBranch), Path: c.params["path"], Was: in.SHA,
		Author: git.Signature{Name: c.caller.user.Login, Email: c.emailOf(c.caller.user), When: c.server.Now().UTC()},
	}
	change.Message = cmp.Or(strings.TrimSpace(in.Message), a.verb+" "+change.Path) + "\n"
	if in.Author != nil {
		change.Author.Name, change.Author.Email = cmp.Or(in.Author.Name, change.Author.Name), cmp.Or(in.Author.Email, change.Author.Email)
	}
	if err := in.check(a, change); err != nil {
		return trigger.FileChange{}, err
	}
	if a.isNew {
		change.Was = ""
	}
	if a.hasData {
		var err error
		if change.Data, err = base64.StdEncoding.DecodeString(*in.Content); err != nil {
			return trigger.FileChange{}, fault.Unprocessable("Base64").In("Content")
		}
	}
	return change, nil
}

func (in fileBody) check(a fileAction, change trigger.FileChange) error {
	if a.hasData && in.Content == nil {
		return required("Content")
	}
	if !a.isNew && in.SHA == "" {
		return required("SHA")
	}
	// Whoever wants another branch must not find the change on this one.
	if in.NewBranch != "" && in.NewBranch != change.Branch {
		return fault.Unprocessable("not supported, push the branch").In("NewBranch")
	}
	if in.FromPath != "" {
		return fault.Unprocessable("not supported, push the move").In("FromPath")
	}
	if git.CheckBranchName(change.Branch) != nil {
		return fault.NotFound("branch %q doesn't exist", change.Branch)
	}
	for _, err := range []error{
		accounts.CheckText("Message", change.Message, maxCommitMessage),
		checkCommitter(change.Author.Name, change.Author.Email),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkCommitter refuses what git would, or would cut out.
func checkCommitter(name, email string) error {
	for _, part := range []struct{ field, text string }{{"Author.name", name}, {"Author.email", email}} {
		if err := accounts.CheckText(part.field, part.text, maxCommitterName); err != nil {
			return err
		}
		if strings.ContainsAny(part.text, "<>\n\r") || strings.Trim(part.text, " .,:;\"'\\") == "" {
			return fault.Unprocessable("is no name for a commit").In(part.field)
		}
	}
	return nil
}

// apiFileChange answers a change. A removed file has no content.
type apiFileChange struct {
	Content      *apiContents    `json:"content"`
	Commit       apiFileCommit   `json:"commit"`
	Verification apiVerification `json:"verification"`
}

type apiVerification struct {
	Verified  bool   `json:"verified"`
	Reason    string `json:"reason"`
	Signature string `json:"signature"`
	Payload   string `json:"payload"`
}

type apiFileCommit struct {
	SHA       string          `json:"sha"`
	URL       string          `json:"url"`
	HTMLURL   string          `json:"html_url"`
	Created   time.Time       `json:"created"`
	Author    apiDatedUser    `json:"author"`
	Committer apiDatedUser    `json:"committer"`
	Parents   []apiCommitMeta `json:"parents"`
	Message   string          `json:"message"`
	Tree      apiCommitMeta   `json:"tree"`
}

type apiDatedUser struct {
	Name  string    `json:"name"`
	Email string    `json:"email"`
	Date  time.Time `json:"date"`
}

type apiCommitMeta struct {
	SHA string `json:"sha"`
	URL string `json:"url"`
}

func (c *call) showFileCommit(m git.Commit) apiFileCommit {
	dated := func(s git.Signature) apiDatedUser { return apiDatedUser{s.Name, s.Email, shown(s.When)} }
	out := apiFileCommit{
		SHA: m.SHA, URL: c.links().commit(m.SHA), HTMLURL: c.links().html + "/commit/" + m.SHA, Created: shown(m.Committer.When),
		Author: dated(m.Author), Committer: dated(m.Committer), Message: m.Message, Parents: []apiCommitMeta{},
		Tree: apiCommitMeta{SHA: m.Tree, URL: c.links().api + "/git/trees/" + m.Tree},
	}
	for _, p := range m.Parents {
		out.Parents = append(out.Parents, apiCommitMeta{p, c.links().commit(p)})
	}
	return out
}
