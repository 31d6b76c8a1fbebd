package ci

import (
	"encoding/json"
	"strings"
)

// FromFork tells whether a run is of a pull request from another repository. Its jobs get no secrets but the token of
// their task (execution-semantics.md §11), because whoever opened it wrote what they do. That is not so for
// pull_request_target, whose file is that of the base. When the event does not say where a pull request comes from, it
// counts as from a fork.
func (f RunFacts) FromFork() bool {
	if !strings.HasPrefix(f.Event, "pull_request") || f.Event == "pull_request_target" {
		return false
	}
	type side struct {
		RepoID int64 `json:"repo_id"`
		Repo   *struct {
			ID int64 `json:"id"`
		} `json:"repo"`
	}
	var event struct {
		PullRequest struct {
			Head side `json:"head"`
			Base side `json:"base"`
		} `json:"pull_request"`
	}
	if json.Unmarshal(f.EventPayload, &event) != nil {
		return true
	}
	id := func(s side) int64 {
		if s.Repo != nil && s.Repo.ID != 0 {
			return s.Repo.ID
		}
		return s.RepoID
	}
	head, base := id(event.PullRequest.Head), id(event.PullRequest.Base)
	return head == 0 || head != base
}
