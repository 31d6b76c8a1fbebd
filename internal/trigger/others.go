package trigger

import (
	"context"
	"time"

	"github.com/pawl-ci/pawl/db"
)

// fetchBudget bounds how long one request waits for all outside repositories together that it only reads workflows of:
// far less than a push may take.
const fetchBudget = 20 * time.Second

// otherRepos are the repositories that one request only reads workflows of. Those that live outside are brought up to
// date, each once.
type otherRepos struct {
	s        *Service
	left     time.Duration
	problems map[int64]string // of those that were asked for
}

func (s *Service) newOtherRepos() *otherRepos {
	return &otherRepos{s: s, left: fetchBudget, problems: map[int64]string{}}
}

// fetch tells why a repository cannot be had as it is now; nothing if it can, or does not live outside. Only the end of
// the context is an error.
func (o *otherRepos) fetch(ctx context.Context, repo *db.Repository) (problem string, err error) {
	if repo.CloneURL == "" {
		return "", nil
	}
	if problem, asked := o.problems[repo.ID]; asked {
		return problem, nil
	}
	began := o.s.Now()
	limited, cancel := context.WithTimeout(ctx, o.left)
	defer cancel()
	err = o.s.refresh(limited, repo)
	o.left = max(0, o.left-o.s.Now().Sub(began))
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		o.s.Logger.WarnContext(ctx, "workflows of an outside repository cannot be fetched", "repository", repo.FullName(), "error", err)
		problem = "cannot be fetched: the place where " + repo.FullName() + " lives does not answer in time, or not as it should"
	}
	o.problems[repo.ID] = problem
	return problem, nil
}
