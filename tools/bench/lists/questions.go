package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
)

// question is one kind of request. Its path differs from time to time.
type question struct {
	name string
	as   string // whom the administrator acts as; empty for itself
	path func(*rand.Rand) string
}

// What tools/seed has made.
const (
	largeRepo = "/repos/seed-org-1/repo-0"    // a fifth of all runs
	midRepo   = "/repos/seed-org-11/repo-10"  // thousands
	smallRepo = "/repos/seed-org-2/repo-1501" // a few hundred
	user      = "seed-user-8"                 // owns repositories
	member    = "seed-user-1"                 // of an organization
	org       = "/orgs/seed-org-1"
)

// sample is what single things are asked for by.
type sample struct {
	repo       string
	runs, jobs []int64
	sha        string
}

// questions looks for things to ask for, and names all kinds of questions.
func (c *client) questions(ctx context.Context) ([]question, error) {
	if c.url == "" || c.token == "" {
		return nil, errors.New("needs --url and --token")
	}
	s := sample{repo: largeRepo}
	for page := 1; page <= 3001; page += 300 {
		var runs struct {
			WorkflowRuns []struct {
				ID      int64  `json:"id"`
				HeadSHA string `json:"head_sha"`
			} `json:"workflow_runs"`
		}
		var jobs struct {
			Jobs []struct {
				ID int64 `json:"id"`
			} `json:"jobs"`
		}
		if err := c.get(ctx, fmt.Sprintf("%s/actions/runs?limit=50&page=%d", s.repo, page), "", &runs); err != nil {
			return nil, err
		}
		if err := c.get(ctx, fmt.Sprintf("%s/actions/jobs?limit=50&page=%d", s.repo, page), "", &jobs); err != nil {
			return nil, err
		}
		for _, r := range runs.WorkflowRuns {
			s.runs, s.sha = append(s.runs, r.ID), r.HeadSHA
		}
		for _, j := range jobs.Jobs {
			s.jobs = append(s.jobs, j.ID)
		}
	}
	if len(s.runs) == 0 || len(s.jobs) == 0 {
		return nil, errors.New("the database was not filled by tools/seed")
	}
	return append(append(s.lists(), s.deep()...), s.single()...), nil
}

// lists are first pages, whole and by each filter and some combinations.
func (s sample) lists() []question {
	var out []question
	add := func(as, path string, filters ...string) {
		for _, filter := range filters {
			name := path + "?" + filter
			out = append(out, question{name, as, func(*rand.Rand) string { return name }})
		}
	}
	common := []string{
		"limit=50", "status=success", "status=in_progress", "status=completed", "event=push", "event=schedule&status=failure",
		"branch=main", "branch=topic-7", "actor=seed-user-1", "actor=seed-user-150", "head_sha=" + s.sha, "cursor=",
	}
	combined := []string{
		"branch=main&status=success", "branch=main&status=completed", "branch=main&event=push&actor=seed-user-1",
		"actor=seed-user-3&status=failure&event=pull_request", "branch=topic-7&status=cancelled", "event=workflow_dispatch&status=queued",
	}
	add("", largeRepo+"/actions/runs", append(common, combined...)...)
	add("", midRepo+"/actions/runs", common...)
	add("", smallRepo+"/actions/runs", "limit=50", "status=failure", "branch=main", "event=schedule")
	add("", largeRepo+"/actions/workflows/ci.yml/runs", "limit=50", "status=failure", "status=in_progress", "branch=main&status=success", "event=pull_request")
	add("", largeRepo+"/actions/workflows/deploy.yml/runs", "limit=50", "status=skipped")
	add(member, org+"/actions/runs", append(common, combined...)...)
	add(user, "/user/actions/runs", common...)
	add("", "/admin/actions/runs", append(common, combined...)...)
	jobs := []string{"limit=50", "status=success", "status=in_progress", "status=queued", "status=completed", "order=desc", "order=desc&status=failure", "cursor="}
	add("", largeRepo+"/actions/jobs", jobs...)
	add("", smallRepo+"/actions/jobs", jobs...)
	add(member, org+"/actions/jobs", jobs...)
	add(user, "/user/actions/jobs", jobs...)
	add("", "/admin/actions/jobs", jobs...)
	add("", largeRepo+"/actions/tasks", "limit=50", "cursor=")
	add("", smallRepo+"/actions/tasks", "limit=50")
	add("", "/admin/actions/runners", "limit=50")
	add("", largeRepo+"/actions/workflows", "")
	return out
}

// deep are pages far from both ends.
func (s sample) deep() []question {
	var out []question
	add := func(path string, pages int) {
		out = append(out, question{path + "&page=far", "", func(r *rand.Rand) string {
			return fmt.Sprintf("%s&page=%d", path, 1+r.IntN(pages))
		}})
	}
	add(largeRepo+"/actions/runs?limit=50", 4000)
	add(largeRepo+"/actions/runs?limit=50&status=completed", 4000)
	add(largeRepo+"/actions/jobs?limit=50", 20_000)
	add(largeRepo+"/actions/tasks?limit=50", 20_000)
	add(org+"/actions/runs?limit=50", 5000)
	add("/admin/actions/runs?limit=50", 20_000)
	add("/admin/actions/jobs?limit=50", 100_000)
	return out
}

// single are things that are asked for by their number.
func (s sample) single() []question {
	one := func(path string, ids []int64, rest string) question {
		return question{s.repo + path + "N" + rest, "", func(r *rand.Rand) string {
			return fmt.Sprintf("%s%s%d%s", s.repo, path, ids[r.IntN(len(ids))], rest)
		}}
	}
	fixed := func(path string) question {
		return question{path, "", func(*rand.Rand) string { return path }}
	}
	return []question{
		one("/actions/runs/", s.runs, ""), one("/actions/runs/", s.runs, "/attempts/1"), one("/actions/runs/", s.runs, "/jobs"),
		one("/actions/runs/", s.runs, "/attempts/1/jobs"), one("/actions/runs/", s.runs, "/timeline"),
		one("/actions/jobs/", s.jobs, ""), one("/actions/jobs/", s.jobs, "/tasks"),
		fixed(s.repo), fixed("/user"), fixed(org), fixed(org + "/members"), fixed("/version"),
	}
}
