package trigger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/git"
)

const eventPush = "push"

// maxPushCommits bounds the commits listed in a push event.
const maxPushCommits = 20

// BeginPush notes that a push is about to happen; should the process die, the reconciler finishes it. EndPush takes
// the id that it returns.
func (s *Service) BeginPush(ctx context.Context, repo *db.Repository) (int64, error) {
	return s.DB.BeginPush(ctx, repo.ID)
}

// EndPush is for after a push. It makes sure that all git has taken has become events.
func (s *Service) EndPush(ctx context.Context, repo *db.Repository, pusher *db.Owner, id int64) error {
	if _, err := s.ReplayPush(ctx, repo, pusher); err != nil {
		return err
	}
	return s.DB.EndPush(ctx, id)
}

// Push starts the workflows of pushed refs. Each ref is handled exactly once, however often it is given. A push by a
// job's own token is noted and starts nothing, as on Gitea and GitHub, so that jobs cannot set off each other for ever
// (execution-semantics.md §9.1).
func (s *Service) Push(ctx context.Context, repo *db.Repository, pusher *db.Owner, updates []git.RefUpdate) error {
	for _, u := range updates {
		if err := s.pushRef(ctx, push{repo: repo, pusher: pusher, update: u}); err != nil {
			return fmt.Errorf("push of %s to %s: %w", u.Ref, repo.FullName(), err)
		}
	}
	return nil
}

// ReplayPush handles what is left of the pushes to a repository: the refs that git has and the database has not. It
// returns their number.
func (s *Service) ReplayPush(ctx context.Context, repo *db.Repository, pusher *db.Owner) (int, error) {
	have, err := s.Git.Refs(ctx, repo.ID)
	if err != nil {
		return 0, fmt.Errorf("refs of %s: %w", repo.FullName(), err)
	}
	known, err := s.DB.KnownRefs(ctx, repo.ID)
	if err != nil {
		return 0, err
	}
	left := difference(known, have)
	return len(left), s.Push(ctx, repo, pusher, left)
}

// difference lists the updates that lead from one state of refs to another, in order of name.
func difference(known, have map[string]string) []git.RefUpdate {
	var out []git.RefUpdate
	for ref, sha := range have {
		if old := known[ref]; old != sha {
			out = append(out, git.RefUpdate{Ref: ref, Old: orZero(old), New: sha})
		}
	}
	for ref, sha := range known {
		if _, still := have[ref]; !still {
			out = append(out, git.RefUpdate{Ref: ref, Old: sha, New: git.ZeroSHA})
		}
	}
	slices.SortFunc(out, func(a, b git.RefUpdate) int { return strings.Compare(a.Ref, b.Ref) })
	return out
}

func orZero(sha string) string {
	if sha == "" {
		return git.ZeroSHA
	}
	return sha
}

// push is one updated ref.
type push struct {
	repo   *db.Repository
	pusher *db.Owner
	update git.RefUpdate
}

func (s *Service) pushRef(ctx context.Context, p push) error {
	ref := db.GitRef{RepoID: p.repo.ID, Name: p.update.Ref}
	var runs []db.NewRun
	if !p.update.Deleted() {
		ref.SHA = p.update.New
		var err error
		if runs, err = s.pushRuns(ctx, p); err != nil {
			return err
		}
	}
	attempts, _, err := s.DB.CreatePush(ctx, ref, runs)
	if err != nil {
		return err
	}
	for i, a := range attempts {
		s.start(ctx, runs[i].Run, a, p.repo.FullName(), p.pusher.Login)
	}
	return nil
}

// pushRuns prepares a run for each workflow file that wants this push.
func (s *Service) pushRuns(ctx context.Context, p push) ([]db.NewRun, error) {
	if _, kind := ci.ShortRef(p.update.Ref); kind == "" || p.pusher.ID == db.ActionsBotID {
		return nil, nil
	}
	commit, err := s.Git.Commit(ctx, p.repo.ID, p.update.New)
	if errors.Is(err, git.ErrNotFound) {
		return nil, nil // a tag of something that is no commit
	}
	if err != nil {
		return nil, err
	}
	if ci.SkipsRun(eventPush, "", commit.Message, "") {
		return nil, nil
	}
	files, err := s.pushFiles(ctx, p, commit)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	return s.preparePush(ctx, p, commit, files)
}

func (s *Service) preparePush(ctx context.Context, p push, commit git.Commit, files []git.File) ([]db.NewRun, error) {
	commits, total, err := s.Git.PushCommits(ctx, p.repo.ID, p.update, maxPushCommits)
	if err != nil {
		return nil, err
	}
	payload := s.pushPayload(p, commits, total)
	runs := make([]db.NewRun, len(files))
	for i, f := range files {
		runs[i], err = s.prepare(ctx, event{
			name: eventPush, repo: p.repo, actor: p.pusher, ref: p.update.Ref, commit: commit, file: f, payload: payload,
		})
		if err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// pushFiles returns the workflow files that a push starts: those with a matching trigger, and those that cannot be
// read, since silence would leave their author guessing.
func (s *Service) pushFiles(ctx context.Context, p push, commit git.Commit) ([]git.File, error) {
	set, err := s.Git.WorkflowFiles(ctx, p.repo.ID, commit.SHA, nil)
	if err != nil {
		return nil, err
	}
	disabled, err := s.DB.DisabledWorkflows(ctx, p.repo.ID)
	if err != nil {
		return nil, err
	}
	changed := s.changedFiles(ctx, p, commit)
	var files []git.File
	for _, f := range set.Files {
		if disabled[f.Name] {
			continue
		}
		w, err := s.parse(f)
		if err != nil {
			files = append(files, f)
			continue
		}
		if w.On.Push == nil {
			continue
		}
		matches, err := s.matchesPush(w.On.Push.Filter, p.update.Ref, changed)
		if err != nil {
			return nil, err
		}
		if matches {
			files = append(files, f)
		}
	}
	return files, nil
}

// changes are the changed files of a push; unknown when git cannot tell, and then every paths filter is satisfied.
type changes struct {
	files   []string
	unknown bool
}

// changedFiles returns a function that asks git once, and only when a filter wants to know.
func (s *Service) changedFiles(ctx context.Context, p push, commit git.Commit) func() (changes, error) {
	var known *changes
	return func() (changes, error) {
		if known != nil {
			return *known, nil
		}
		files, truncated, err := s.Git.ChangedFiles(ctx, p.repo.ID, p.update.Old, commit.SHA)
		if errors.Is(err, git.ErrNotFound) {
			truncated, err = true, nil
		}
		if err != nil {
			return changes{}, err
		}
		known = &changes{files: files, unknown: truncated}
		return *known, nil
	}
}

func (s *Service) matchesPush(filter ci.PushFilter, ref string, changed func() (changes, error)) (bool, error) {
	if !filter.NeedsPaths() {
		return filter.Match(ref, nil), nil
	}
	c, err := changed()
	if err != nil {
		return false, err
	}
	if c.unknown {
		filter.Paths, filter.PathsIgnore = nil, nil
	}
	return filter.Match(ref, c.files), nil
}
