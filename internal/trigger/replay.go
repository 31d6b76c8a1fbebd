package trigger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/git"
)

// How long to wait for the pushes that are being handled: the reconciler has other repositories to look after, and
// comes again.
const (
	replayWait = 2 * time.Second
	endWait    = 20 * time.Second
)

// errBusy: a push to the repository is being handled for longer than the wait.
var errBusy = errors.New("the repository is being pushed to")

// ReplayPush handles what was lost of the pushes to a repository: the refs that git has and the database has not. It
// returns their number. While a push takes its time it does nothing: that one is not lost yet.
func (s *Service) ReplayPush(ctx context.Context, repo *db.Repository) (int, error) {
	left, err := s.replay(ctx, repo, replayWait)
	if errors.Is(err, errBusy) {
		return 0, nil
	}
	return left, err
}

// replay looks twice: what differs only until the push under way is handled is no business of a replay, which knows
// neither who pushed it nor by which steps. Under the lock all that differs was lost.
func (s *Service) replay(ctx context.Context, repo *db.Repository, wait time.Duration) (int, error) {
	if left, err := s.unhandled(ctx, repo); err != nil || len(left) == 0 {
		return 0, err
	}
	unlock, err := s.lock(ctx, repo, wait)
	if err != nil {
		return 0, err
	}
	defer unlock()
	left, err := s.unhandled(ctx, repo)
	if err != nil || len(left) == 0 {
		return 0, err
	}
	pusher, err := s.lostPusher(ctx, repo)
	if err != nil {
		return 0, err
	}
	return len(left), s.Push(ctx, repo, pusher, left)
}

func (s *Service) lock(ctx context.Context, repo *db.Repository, wait time.Duration) (unlock func(), err error) {
	waiting, cancel := context.WithTimeoutCause(ctx, wait, errBusy)
	defer cancel()
	if unlock, err = s.Git.Lock(waiting, repo.ID); err != nil {
		return nil, fmt.Errorf("lock %s: %w", repo.FullName(), err)
	}
	return unlock, nil
}

// unhandled lists the updates that lead from the refs that the database knows to those of git. It asks git last: a
// push that is handled in between then looks handled, or not begun, and never like one back.
func (s *Service) unhandled(ctx context.Context, repo *db.Repository) ([]git.RefUpdate, error) {
	known, err := s.DB.KnownRefs(ctx, repo.ID)
	if err != nil {
		return nil, err
	}
	have, err := s.Git.Refs(ctx, repo.ID)
	if err != nil {
		return nil, fmt.Errorf("refs of %s: %w", repo.FullName(), err)
	}
	return difference(known, have), nil
}

// lostPusher is whom a lost push counts as, the owner of the repository when nobody else is left.
func (s *Service) lostPusher(ctx context.Context, repo *db.Repository) (*db.Owner, error) {
	pusher, err := s.DB.LostPusher(ctx, repo.ID)
	if errors.Is(err, db.ErrNotFound) {
		return repo.Owner, nil
	}
	return pusher, err
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

func orEmpty(sha string) string {
	if sha == git.ZeroSHA {
		return ""
	}
	return sha
}
