package trigger

import (
	"fmt"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/git"
)

// repository is the part of the API's repository object that workflows read from an event.
func (s *Service) repository(r *db.Repository) map[string]any {
	html := s.RootURL + "/" + r.FullName()
	return map[string]any{
		"id": r.ID, "name": r.Name, "full_name": r.FullName(), "owner": s.user(r.Owner), "private": r.IsPrivate,
		"description": r.Description, "default_branch": r.DefaultBranch, "html_url": html, "clone_url": html + ".git",
		"url": s.RootURL + "/api/v1/repos/" + r.FullName(), "created_at": stamp(r.CreatedAt), "updated_at": stamp(r.UpdatedAt),
	}
}

func (s *Service) user(u *db.Owner) map[string]any {
	return map[string]any{
		"id": u.ID, "login": u.Login, "username": u.Login, "full_name": u.FullName, "email": u.Email,
		"html_url": s.RootURL + "/" + u.Login, "is_admin": u.IsAdmin,
	}
}

// pushPayload is the event of a pushed ref (execution-semantics.md §9.5).
func (s *Service) pushPayload(p push, commits []git.PushCommit, total int) map[string]any {
	list := make([]map[string]any, len(commits))
	for i, c := range commits {
		list[i] = s.commit(p.repo, c)
	}
	payload := map[string]any{
		"ref": p.update.Ref, "before": p.update.Old, "after": p.update.New,
		"compare_url": fmt.Sprintf("%s/%s/compare/%s...%s", s.RootURL, p.repo.FullName(), p.update.Old, p.update.New),
		"created":     p.update.Created(), "deleted": false,
		"commits": list, "total_commits": total, "repository": s.repository(p.repo),
		"pusher": s.user(p.pusher), "sender": s.user(p.pusher),
	}
	if len(list) > 0 {
		payload["head_commit"] = list[0]
	}
	return payload
}

func (s *Service) commit(repo *db.Repository, c git.PushCommit) map[string]any {
	return map[string]any{
		"id": c.SHA, "message": c.Message, "timestamp": stamp(c.Committer.When),
		"url":    s.RootURL + "/" + repo.FullName() + "/commit/" + c.SHA,
		"author": signature(c.Author), "committer": signature(c.Committer),
		"added": nonNil(c.Added), "removed": nonNil(c.Removed), "modified": nonNil(c.Modified),
	}
}

func signature(s git.Signature) map[string]any {
	return map[string]any{"name": s.Name, "email": s.Email, "username": ""}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
