package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/git"
)

// gitRoutes serve every repository at /{owner}/{repo}.git and, for those who leave it out, without the ending.
func (s *Server) gitRoutes() []webRoute {
	const repo = "/{owner}/{repo}/"
	return []webRoute{
		{http.MethodGet, repo + "info/refs", serveGit("info/refs")},
		{http.MethodPost, repo + "git-upload-pack", serveGit("git-upload-pack")},
		{http.MethodPost, repo + "git-receive-pack", serveGit("git-receive-pack")},
	}
}

// serveGit authorizes one request of git and hands it on.
func serveGit(suffix string) func(*call) error {
	return func(c *call) error {
		op, err := git.ParseOperation(c.r.Method, suffix, c.values.Get("service"))
		if errors.Is(err, git.ErrMethod) {
			methodNotAllowed(c.w, c.r)
			return nil
		}
		if err != nil {
			return errNotFound()
		}
		c.params["repo"] = strings.TrimSuffix(c.params["repo"], ".git")
		if err := c.enterRepo(op.Write()); err != nil {
			return err
		}
		canWrite := c.access.Permission.Includes(db.PermissionWrite)
		switch {
		case op.Write() && !canWrite:
			return fault.Forbidden("no permission to push to this repository")
		case op.Write() && c.repo.CloneURL != "":
			return fault.Forbidden("this repository lives elsewhere, push there")
		}
		return c.passToGit(op, canWrite, suffix)
	}
}

// passToGit serves the request. Around a push it notes that one is under way, so that it becomes events even if this
// process dies in the middle.
func (c *call) passToGit(op git.Operation, canWrite bool, suffix string) error {
	name := ""
	if !c.caller.anonymous() {
		name = c.caller.user.Login
	}
	req := git.Request{RepoID: c.repo.ID, Op: op, User: name, CanWrite: canWrite}
	if suffix != "git-receive-pack" {
		c.server.Git.Serve(c.w, c.r, req)
		return nil
	}
	id, err := c.server.Trigger.BeginPush(c.ctx(), c.repo, c.caller.user)
	if err != nil {
		return err
	}
	c.server.Git.Serve(c.w, c.r.WithContext(context.WithValue(c.ctx(), pushKey{}, c)), req)
	// The client may be gone, its push is not. What fails here is finished by the reconciler.
	ctx := context.WithoutCancel(c.ctx())
	if err := c.server.Trigger.EndPush(ctx, c.repo, id); err != nil {
		c.server.Logger.WarnContext(ctx, "push becomes events later", "repository", c.repo.ID, "error", err)
	}
	return nil
}

// PushTrigger turns pushed refs into runs; *trigger.Service is one.
type PushTrigger interface {
	Push(ctx context.Context, repo *db.Repository, pusher *db.Owner, updates []git.RefUpdate) error
}

// pushKey is where the context of a push has its call.
type pushKey struct{}

// refsNoted bounds how many refs of one push the audit log names.
const refsNoted = 50

// notePush adds to the entry in the audit log which refs a push moved, and whither.
func notePush(ctx context.Context, updates []git.RefUpdate) {
	c, ok := ctx.Value(pushKey{}).(*call)
	if !ok {
		return
	}
	for _, u := range updates[:min(len(updates), refsNoted)] {
		c.note(u.Ref, u.Old+".."+u.New)
	}
	c.note("refs", strconv.Itoa(len(updates)))
}

// PushHook makes the hook that a git.Handler calls after each push: it looks up who pushed to what, and has the
// workflows started.
func PushHook(d *db.DB, t PushTrigger) func(context.Context, git.Push) error {
	return func(ctx context.Context, p git.Push) error {
		notePush(ctx, p.Updates)
		repo, err := d.RepositoryByID(ctx, p.RepoID)
		if err != nil {
			return fmt.Errorf("push: %w", err)
		}
		pusher, err := d.OwnerByLogin(ctx, p.User)
		if err != nil {
			return fmt.Errorf("push: %w", err)
		}
		return t.Push(ctx, repo, pusher, p.Updates)
	}
}
