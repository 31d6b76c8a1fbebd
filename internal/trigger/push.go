package trigger

import (
	"context"
	"errors"
	"fmt"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/git"
)

const eventPush = "push"

// maxPushCommits bounds the commits listed in a push event.
const maxPushCommits = 20

// BeginPush notes that a push is about to happen; should the process die, the reconciler finishes it. EndPush takes
// the id that it returns.
func (s *Service) BeginPush(ctx context.Context, repo *db.Repository, pusher *db.Owner) (int64, error) {
	return s.DB.BeginPush(ctx, repo.ID, pusher.ID)
}

// EndPush is for after a push. It makes sure that all git has taken has become events; when it cannot, the note of
// BeginPush stays for the reconciler.
func (s *Service) EndPush(ctx context.Context, repo *db.Repository, id int64) error {
	if _, err := s.replay(ctx, repo, endWait); err != nil {
		return err
	}
	return s.DB.EndPush(ctx, id)
}

// Push starts the workflows of pushed refs. It is for git's OnPush, in whose order each push makes its own runs, and
// exactly once, however often it is given. A push by a job's own token is noted and starts nothing, as on Gitea and
// GitHub, so that jobs cannot set off each other for ever (execution-semantics.md §9.1).
func (s *Service) Push(ctx context.Context, repo *db.Repository, pusher *db.Owner, updates []git.RefUpdate) error {
	var stored starts
	defer func() { s.startAll(ctx, stored) }() // also what was stored before an error
	others := s.newOtherRepos()
	for _, u := range updates {
		if err := s.pushRef(ctx, push{repo: repo, pusher: pusher, update: u, others: others}, &stored); err != nil {
			return fmt.Errorf("push of %s to %s: %w", u.Ref, repo.FullName(), err)
		}
	}
	return nil
}

// push is one updated ref.
type push struct {
	repo   *db.Repository
	pusher *db.Owner
	update git.RefUpdate
	others *otherRepos
}

// pushRef handles one update. Where the database knows the ref to be is where its last handled push left it: at the
// new end of this update when a replay was faster, and at neither end when the push before was lost.
func (s *Service) pushRef(ctx context.Context, p push, stored *starts) error {
	for {
		known, err := s.DB.KnownRef(ctx, p.repo.ID, p.update.Ref)
		if err != nil {
			return err
		}
		switch known = orZero(known); known {
		case p.update.New:
			return nil
		case p.update.Old:
		default:
			if latest, err := s.isLatest(ctx, p); err != nil || !latest {
				return err
			}
			if err := s.catchUp(ctx, p, known, stored); err != nil {
				return err
			}
		}
		if fresh, err := s.storePush(ctx, p, stored); err != nil || fresh {
			return err
		}
		if err := ctx.Err(); err != nil { // else somebody was faster: look again
			return err
		}
	}
}

// isLatest tells whether git still has the ref where the push left it. If not, the push comes late, and to handle it
// now would move the ref back.
func (s *Service) isLatest(ctx context.Context, p push) (bool, error) {
	have, err := s.Git.Refs(ctx, p.repo.ID)
	return orZero(have[p.update.Ref]) == p.update.New, err
}

// catchUp handles what was lost before a push: the way of the ref from where it is known to be to where the push found
// it, as its own push.
func (s *Service) catchUp(ctx context.Context, p push, known string, stored *starts) error {
	pusher, err := s.lostPusher(ctx, p.repo)
	if err != nil {
		return err
	}
	lost := p
	lost.pusher, lost.update = pusher, git.RefUpdate{Ref: p.update.Ref, Old: known, New: p.update.Old}
	_, err = s.storePush(ctx, lost, stored)
	return err
}

// storePush stores the runs of an update, if the ref is known to be where the update begins.
func (s *Service) storePush(ctx context.Context, p push, stored *starts) (fresh bool, err error) {
	var runs []db.NewRun
	if !p.update.Deleted() {
		if runs, err = s.pushRuns(ctx, p); err != nil {
			return false, err
		}
	}
	move := db.RefMove{RepoID: p.repo.ID, Name: p.update.Ref, Known: orEmpty(p.update.Old), SHA: orEmpty(p.update.New)}
	attempts, fresh, err := s.DB.CreatePush(ctx, move, runs)
	for i, a := range attempts {
		s.add(ctx, stored, runs[i].Run, a, p.repo.FullName(), p.pusher.Login)
	}
	return fresh, err
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
	found, err := s.pushFiles(ctx, p, commit)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return s.preparePush(ctx, p, commit, found)
}

func (s *Service) preparePush(ctx context.Context, p push, commit git.Commit, found []sourced) ([]db.NewRun, error) {
	commits, total, err := s.Git.PushCommits(ctx, p.repo.ID, p.update, maxPushCommits)
	if err != nil {
		return nil, err
	}
	payload := s.pushPayload(p, commits, total)
	runs := make([]db.NewRun, len(found))
	for i, f := range found {
		runs[i], err = s.prepare(ctx, event{
			name: eventPush, repo: p.repo, actor: p.pusher, ref: p.update.Ref, commit: commit, file: f.file, source: f.source,
			others: p.others, payload: payload,
		})
		if err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// pushFiles returns the workflow files that a push starts: those of the repository, and the scoped ones of others.
func (s *Service) pushFiles(ctx context.Context, p push, commit git.Commit) ([]sourced, error) {
	set, err := s.Git.WorkflowFiles(ctx, p.repo.ID, commit.SHA, nil)
	if err != nil {
		return nil, err
	}
	disabled, err := s.DB.DisabledWorkflows(ctx, p.repo.ID)
	if err != nil {
		return nil, err
	}
	var all []sourced
	for _, f := range set.Files {
		if !disabled[f.Name] {
			all = append(all, sourced{file: f})
		}
	}
	scoped, err := p.others.scopedFiles(ctx, p.repo)
	if err != nil {
		return nil, err
	}
	return s.wanted(append(all, scoped...), p.update.Ref, s.changedFiles(ctx, p, commit))
}

// wanted leaves the files with a matching trigger, and those that cannot be read, since silence would leave their author
// guessing.
func (s *Service) wanted(all []sourced, ref string, changed func() (changes, error)) ([]sourced, error) {
	var found []sourced
	for _, f := range all {
		w, err := s.parse(f.file)
		if err != nil {
			found = append(found, f)
			continue
		}
		if w.On.Push == nil {
			continue
		}
		matches, err := s.matchesPush(w.On.Push.Filter, ref, changed)
		if err != nil {
			return nil, err
		}
		if matches {
			found = append(found, f)
		}
	}
	return found, nil
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
