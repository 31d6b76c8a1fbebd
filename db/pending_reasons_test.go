package db_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

// pendingFixture is a run that has begun: build waits for a runner, test for build.
type pendingFixture struct {
	*fixture
	run         *db.Run
	attempt     *db.Attempt
	build, test *db.Job
}

func newPendingFixture(t *testing.T) *pendingFixture {
	t.Helper()
	f := &pendingFixture{fixture: newFixture(t), build: job("build"), test: job("test", "build")}
	f.run, f.attempt = f.fixture.run(t, f.build, f.test)
	f.exec(t, "UPDATE attempts SET workflow_seen_at = now()")
	return f
}

// offered makes an offer of a job in a state.
func (f *pendingFixture) offered(t *testing.T, j *db.Job, state db.OfferState) {
	t.Helper()
	f.insert(t, &db.Offer{
		JobID: j.ID, Try: 1, RunID: j.RunID, AttemptID: j.AttemptID, RepoID: j.RepoID, OwnerID: j.OwnerID, LabelSetID: j.LabelSetID, State: state,
	})
}

// online adds a runner that has just called.
func (f *pendingFixture) online(t *testing.T, s db.Scope, labels ...string) *db.Runner {
	t.Helper()
	r := &db.Runner{UUID: uuid.New(), TokenHash: []byte("x"), Name: "runner", OwnerID: s.OwnerID, RepoID: s.RepoID, Labels: labels}
	require.NoError(t, f.CreateRunner(t.Context(), r))
	return r
}

// busy gives a runner a task of some other job.
func (f *pendingFixture) busy(t *testing.T, r *db.Runner) {
	t.Helper()
	j := job("other")
	f.fixture.run(t, j)
	f.offered(t, j, db.OfferQueued)
	f.claim(t, j, r)
}

// member adds an entry to the gate "deploy"; job may be nil.
func (f *pendingFixture) member(t *testing.T, j *db.Job, state string) {
	t.Helper()
	f.memberOf(t, f.run.ID, f.attempt.ID, j, state)
}

func (f *pendingFixture) memberOf(t *testing.T, run, attempt int64, j *db.Job, state string) {
	t.Helper()
	var id int64
	if j != nil {
		id = j.ID
	}
	f.exec(t, `INSERT INTO gate_entries (repo_id, gate, title, run_id, attempt_id, job_id, state, queue)
		VALUES (?, 'deploy', 'Deploy', ?, ?, ?, ?, 'max')`, f.repo.ID, run, attempt, id, state)
}

func (f *pendingFixture) reason(t *testing.T, j *db.Job) db.PendingReason {
	t.Helper()
	views, _, err := f.Jobs(t.Context(), db.JobFilter{RepoID: f.repo.ID})
	require.NoError(t, err)
	var jobs []*db.Job
	for _, v := range views {
		jobs = append(jobs, v.Job)
	}
	reasons, err := f.PendingReasons(t.Context(), jobs)
	require.NoError(t, err)
	return reasons[j.ID]
}

func TestPendingReasons(t *testing.T) {
	// Each case changes the rows and says what build waits for.
	for name, tt := range map[string]struct {
		change func(*testing.T, *pendingFixture)
		kind   db.PendingKind
		text   string
	}{
		"not begun": {
			func(t *testing.T, f *pendingFixture) { f.exec(t, "UPDATE attempts SET workflow_seen_at = NULL") },
			db.PendingRunQueued, "the run has not begun",
		},
		"approval": {
			func(t *testing.T, f *pendingFixture) { f.exec(t, "UPDATE runs SET approval = 'needed'") },
			db.PendingApproval, "the run needs an approval",
		},
		"group of the run": {
			func(t *testing.T, f *pendingFixture) {
				first, attempt := f.fixture.run(t, job("x"))
				f.memberOf(t, first.ID, attempt.ID, nil, "holding")
				second, attempt := f.fixture.run(t, job("x"))
				f.memberOf(t, second.ID, attempt.ID, nil, "pending")
				f.member(t, nil, "pending")
			},
			db.PendingConcurrency, `the run waits for concurrency group "Deploy", held by run #2 (position 2)`,
		},
		"group of its caller": {
			func(t *testing.T, f *pendingFixture) {
				first, attempt := f.fixture.run(t, job("x"))
				f.memberOf(t, first.ID, attempt.ID, nil, "holding")
				caller := job("call")
				f.fixture.run(t, caller)
				f.exec(t, "UPDATE jobs SET parent_id = ? WHERE id = ?", caller.ID, f.build.ID)
				f.member(t, &db.Job{ID: -caller.ID}, "pending")
			},
			db.PendingConcurrency, `its caller waits for concurrency group "Deploy", held by run #2 (position 1)`,
		},
		"group of the job, held by a job": {
			func(t *testing.T, f *pendingFixture) {
				holder := job("deploy it")
				first, attempt := f.fixture.run(t, holder)
				f.memberOf(t, first.ID, attempt.ID, holder, "leaving")
				f.member(t, f.build, "pending")
			},
			db.PendingConcurrency, `waits for concurrency group "Deploy", held by job deploy it of run #2 (position 1)`,
		},
		"group that nobody holds": {
			func(t *testing.T, f *pendingFixture) { f.member(t, f.build, "pending") },
			db.PendingConcurrency, `waits for concurrency group "Deploy", which is about to be free`,
		},
		"group that it holds": {
			func(t *testing.T, f *pendingFixture) { f.member(t, f.build, "holding") }, db.PendingStarting, "about to begin",
		},
		"nothing": {func(*testing.T, *pendingFixture) {}, db.PendingStarting, "about to begin"},
		"cancel": {
			func(t *testing.T, f *pendingFixture) { f.exec(t, "UPDATE attempts SET cancel_requested_at = now()") },
			db.PendingCancelling, "the run is being cancelled",
		},
		"paused run": {
			func(t *testing.T, f *pendingFixture) {
				f.offered(t, f.build, db.OfferHeld)
				f.exec(t, "UPDATE attempts SET paused_at = now(), paused_by = ?", f.owner.ID)
				f.exec(t, "UPDATE owners SET login = 'anna' WHERE id = ?", f.owner.ID)
			},
			db.PendingPaused, "the run is paused by anna",
		},
		"paused repository": {
			func(t *testing.T, f *pendingFixture) {
				f.offered(t, f.build, db.OfferHeld)
				f.exec(t, "UPDATE repositories SET paused_at = now()")
			},
			db.PendingPaused, "the repository is paused",
		},
		"retry": {
			func(t *testing.T, f *pendingFixture) {
				f.offered(t, f.build, db.OfferQueued)
				task := f.claim(t, f.build, f.online(t, db.Scope{}, "linux"))
				f.exec(t, "UPDATE tasks SET status = 'lost', reason = 'the runner is gone', stopped_at = now() WHERE id = ?", task.ID)
				f.exec(t, `INSERT INTO offers (job_id, try, run_id, attempt_id, repo_id, owner_id, label_set_id, state, not_before)
					SELECT job_id, 2, run_id, attempt_id, repo_id, owner_id, label_set_id, 'held', '2100-01-02T03:04:05Z' FROM offers`)
				f.exec(t, "UPDATE jobs SET status = 'waiting' WHERE id = ?", f.build.ID)
			},
			db.PendingRetry, "tried again at 2100-01-02T03:04:05Z (the runner is gone)",
		},
		"no runner": {
			func(t *testing.T, f *pendingFixture) {
				f.offered(t, f.build, db.OfferQueued)
				f.online(t, db.Scope{}, "windows")
				f.online(t, db.Scope{OwnerID: f.owner.ID + 1}, "linux")
				f.online(t, db.Scope{RepoID: f.repo.ID + 1}, "linux")
				f.exec(t, "UPDATE runners SET is_disabled = true WHERE id = ?", f.online(t, db.Scope{}, "linux").ID)
				f.exec(t, "UPDATE runners SET removed_at = now() WHERE id = ?", f.online(t, db.Scope{}, "linux").ID)
				f.exec(t, "UPDATE runners SET last_online_at = now() - interval '5 minutes' WHERE id = ?", f.online(t, db.Scope{}, "linux").ID)
			},
			db.PendingNoRunner, "no online runner has the labels linux",
		},
		"all busy": {
			func(t *testing.T, f *pendingFixture) {
				f.offered(t, f.build, db.OfferQueued)
				for _, s := range []db.Scope{{}, {OwnerID: f.owner.ID}, {RepoID: f.repo.ID}} {
					f.busy(t, f.online(t, s, "linux", "gpu"))
				}
			},
			db.PendingBusy, "all 3 matching runners are busy",
		},
		"one busy": {
			func(t *testing.T, f *pendingFixture) {
				f.offered(t, f.build, db.OfferQueued)
				f.busy(t, f.online(t, db.Scope{}, "linux"))
			},
			db.PendingBusy, "the matching runner is busy",
		},
		"one free": {
			func(t *testing.T, f *pendingFixture) {
				f.offered(t, f.build, db.OfferQueued)
				f.busy(t, f.online(t, db.Scope{}, "linux"))
				f.online(t, db.Scope{}, "linux")
			},
			db.PendingQueued, "a free runner will fetch it in a moment",
		},
		"limit of the repository": {
			func(t *testing.T, f *pendingFixture) {
				f.offered(t, f.build, db.OfferQueued)
				f.exec(t, "INSERT INTO job_limits (kind, id, most, running) VALUES ('repo', ?, 2, 2), ('owner', ?, 1, 1)", f.repo.ID, f.owner.ID)
			},
			db.PendingRepoLimit, "the repository runs no more than 2 jobs at once",
		},
		"limit of the owner": {
			func(t *testing.T, f *pendingFixture) {
				f.offered(t, f.build, db.OfferQueued)
				f.exec(t, "INSERT INTO job_limits (kind, id, most, running) VALUES ('repo', ?, 2, 1), ('owner', ?, 1, 1)", f.repo.ID, f.owner.ID)
			},
			db.PendingOwnerLimit, "the owner of the repository runs no more than 1 job at once",
		},
		"review": {
			func(t *testing.T, f *pendingFixture) { f.deploys(t, "waiting", "") },
			db.PendingEnvironment, `environment "prod" needs a review by anna or ben`,
		},
		"review and time": {
			func(t *testing.T, f *pendingFixture) { f.deploys(t, "waiting", "2100-01-02T03:04:05Z") },
			db.PendingEnvironment, `environment "prod" needs a review by anna or ben, and begins no earlier than 2100-01-02T03:04:05Z`,
		},
		"time": {
			func(t *testing.T, f *pendingFixture) { f.deploys(t, "approved", "2100-01-02T03:04:05Z") },
			db.PendingWaitTimer, `environment "prod" lets it begin at 2100-01-02T03:04:05Z`,
		},
		"time that has passed": {
			func(t *testing.T, f *pendingFixture) { f.deploys(t, "approved", "2000-01-02T03:04:05Z") },
			db.PendingStarting, "about to begin",
		},
		"max-parallel": {
			func(t *testing.T, f *pendingFixture) {
				f.exec(t, "UPDATE jobs SET max_parallel = 1, key = 'build'")
				f.exec(t, "UPDATE jobs SET status = 'running' WHERE id = ?", f.test.ID)
			},
			db.PendingMaxParallel, "no more than 1 job of its matrix run at once",
		},
		"followed": {
			func(t *testing.T, f *pendingFixture) {
				before := job("build")
				f.fixture.run(t, before)
				f.exec(t, "UPDATE attempts SET workflow_seen_at = now()")
				f.exec(t, "UPDATE jobs SET follows_id = ? WHERE id = ?", before.ID, f.build.ID)
			},
			db.PendingFollowed, "the same job of attempt 1 has not ended",
		},
		"running": {
			func(t *testing.T, f *pendingFixture) { f.exec(t, "UPDATE jobs SET status = 'running'") }, "", "",
		},
		"ended": {
			func(t *testing.T, f *pendingFixture) {
				f.exec(t, "UPDATE jobs SET status = 'success', stopped_at = now()")
			}, "", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newPendingFixture(t)
			tt.change(t, f)
			got := f.reason(t, f.build)
			require.Equal(t, tt.kind, got.Kind)
			require.Equal(t, tt.text, got.Text)
		})
	}
}

// deploys has build wait for the environment prod, whose reviewers are anna and ben.
func (f *pendingFixture) deploys(t *testing.T, state db.DeploymentState, until string) {
	t.Helper()
	anna, ben := dbtest.Owner(t, f.DB), dbtest.Owner(t, f.DB)
	f.exec(t, "UPDATE owners SET login = 'anna' WHERE id = ?", anna.ID)
	f.exec(t, "UPDATE owners SET login = 'ben' WHERE id = ?", ben.ID)
	e := &db.Environment{RepoID: f.repo.ID, Name: "prod", Reviewers: []int64{anna.ID, ben.ID}}
	require.NoError(t, f.PutEnvironment(t.Context(), e))
	d := &db.Deployment{
		JobID: f.build.ID, RunID: f.run.ID, AttemptID: f.attempt.ID, RepoID: f.repo.ID, EnvironmentID: e.ID, Environment: "prod", State: state,
	}
	if until != "" {
		var err error
		d.WaitUntil, err = time.Parse(time.RFC3339, until)
		require.NoError(t, err)
	}
	f.insert(t, d)
}

func TestPendingNeeds(t *testing.T) {
	f := newPendingFixture(t)
	require.Equal(t, "needs build to end first", f.reason(t, f.test).Text)
	require.Equal(t, db.PendingNeeds, f.reason(t, f.test).Kind)

	// A job of a reusable workflow needs those beside it, whatever the caller's file has under the same key.
	f.exec(t, "UPDATE jobs SET parent_id = 99 WHERE id = ?", f.test.ID)
	require.Equal(t, db.PendingStarting, f.reason(t, f.test).Kind)
	f.exec(t, "UPDATE jobs SET parent_id = 0")
	f.exec(t, "UPDATE jobs SET status = 'success', stopped_at = now() WHERE id = ?", f.build.ID)
	require.Equal(t, db.PendingStarting, f.reason(t, f.test).Kind)

	many := make([]*db.Job, 0, 14)
	var keys []string
	for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"} {
		many, keys = append(many, job(key)), append(keys, key)
	}
	last := job("last", keys...)
	f.fixture.run(t, append(many, last)...)
	f.exec(t, "UPDATE attempts SET workflow_seen_at = now()")
	require.Equal(t, "needs a, b, c, d, e, f, g, h, i, j and 3 more to end first", f.reason(t, last).Text)
	f.exec(t, "UPDATE jobs SET status = 'success', stopped_at = now() WHERE key > 'c' AND key < 'l'")
	require.Equal(t, "needs a, b, c, l and m to end first", f.reason(t, last).Text)
}

func TestPendingRunReasons(t *testing.T) {
	f := newPendingFixture(t)
	reason := func() db.PendingReason {
		views, _, err := f.Runs(t.Context(), db.RunFilter{RepoID: f.repo.ID})
		require.NoError(t, err)
		reasons, err := f.PendingRunReasons(t.Context(), views)
		require.NoError(t, err)
		return reasons[f.run.ID]
	}
	f.offered(t, f.build, db.OfferQueued)
	require.Equal(t, "build: no online runner has the labels linux", reason().Text)
	f.exec(t, "UPDATE runs SET approval = 'needed'")
	require.Equal(t, "the run needs an approval", reason().Text)
	f.exec(t, "UPDATE runs SET approval = 'given'")
	f.exec(t, "UPDATE jobs SET status = 'failure', stopped_at = now() WHERE id = ?", f.build.ID)
	require.Equal(t, "test: about to begin", reason().Text)
	f.exec(t, "UPDATE attempts SET status = ?", ci.StatusRunning.String())
	require.Empty(t, reason())
}
