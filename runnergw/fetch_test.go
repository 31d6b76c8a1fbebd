package runnergw_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	runnerv1 "gitea.dev/actions-proto-go/runner/v1"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/runnergw"
)

func TestTaskContent(t *testing.T) {
	e := newEnv(t)
	r := e.register(db.Scope{}, "linux")
	job := dbtest.Job("build", "linux")
	e.offer(job)
	task := r.mustFetch()

	require.Equal(t, job.Payload, task.WorkflowPayload)
	stored := e.task(task.Id)
	require.Equal(t, r.id, stored.RunnerID)
	secret := task.Secrets["GITEA_TOKEN"]
	require.Equal(t, map[string]string{"GITEA_TOKEN": secret, "GITHUB_TOKEN": secret}, task.Secrets)
	require.Equal(t, e.tokens.Hash(secret), stored.TokenHash)
	require.Empty(t, task.Needs)
	require.Empty(t, task.Vars)

	got := task.Context.AsMap()
	runtime := got["gitea_runtime_token"].(string)
	delete(got, "gitea_runtime_token")
	repo := e.repo.FullName()
	want := map[string]any{
		"event": map[string]any{"ref": "refs/heads/main", "commits": []any{}}, "event_name": "push",
		"run_id": fmt.Sprint(job.RunID), "run_number": "1", "run_attempt": "1", "workflow": "w",
		"actor": e.repo.Owner.Login, "triggering_actor": e.repo.Owner.Login, "repository": repo, "repository_owner": e.repo.Owner.Login,
		"sha": "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1", "ref": "refs/heads/main", "ref_name": "main", "ref_type": "branch",
		"ref_protected": false, "head_ref": "", "base_ref": "", "retention_days": "", "secret_source": "Actions",
		"job": "build", "token": secret, "gitea_default_actions_url": e.server.URL, "server_url": e.server.URL,
		"api_url": e.server.URL + "/api/v1", "graphql_url": "", "repositoryUrl": e.server.URL + "/" + repo,
	}
	for _, key := range []string{"action", "action_path", "action_ref", "action_repository", "action_status", "env", "event_path", "path", "workspace"} {
		want[key] = ""
	}
	require.Equal(t, want, got)

	var claims runnergw.RuntimeClaims
	_, err := jwt.ParseWithClaims(runtime, &claims, func(*jwt.Token) (any, error) { return runtimeKey, nil }, jwt.WithValidMethods([]string{"HS256"}))
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("Actions.Results:%d:%d", job.RunID, job.ID), claims.Scope)
	require.Equal(t, []int64{task.Id, job.RunID, job.ID}, []int64{claims.TaskID, claims.RunID, claims.JobID})
	require.Equal(t, `[{"Scope":"","Permission":2}]`, claims.AccessControl)
	require.WithinDuration(t, time.Now().Add(7*time.Hour), claims.ExpiresAt.Time, time.Minute, "an hour more than the job's timeout")
}

func TestAddressesOfATask(t *testing.T) {
	tests := []struct {
		name          string
		headers       map[string]string
		options       runnergw.Options
		root, actions string
	}{
		{"forwarded", map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "ci.example.com:8443, inner"}, runnergw.Options{},
			"https://ci.example.com:8443", "https://ci.example.com:8443"},
		{"options win", map[string]string{"X-Forwarded-Host": "ci.example.com"},
			runnergw.Options{RootURL: "https://pawl.example.com/", ActionsURL: "https://github.com"}, "https://pawl.example.com", "https://github.com"},
		{"nonsense is not believed", map[string]string{"X-Forwarded-Proto": "gopher", "X-Forwarded-Host": "a b/../c"}, runnergw.Options{ActionsURL: "x"}, "", "x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := newEnv(t, func(o *runnergw.Options) { o.RootURL, o.ActionsURL = tt.options.RootURL, tt.options.ActionsURL })
			r := e.register(db.Scope{}, "linux")
			e.offer(dbtest.Job("a", "linux"))
			req := connect.NewRequest(&runnerv1.FetchTaskRequest{})
			for k, v := range tt.headers {
				req.Header().Set(k, v)
			}
			got, err := r.rpc.FetchTask(t.Context(), req)
			require.NoError(t, err)
			fields := got.Msg.Task.Context.AsMap()
			root := tt.root
			if root == "" {
				root = e.server.URL
			}
			require.Equal(t, root, fields["server_url"])
			require.Equal(t, tt.actions, fields["gitea_default_actions_url"])
		})
	}
}

func TestNeedsOfATask(t *testing.T) {
	e := newEnv(t)
	r := e.register(db.Scope{}, "linux")
	cells := []*db.Job{dbtest.Job("build", "linux"), dbtest.Job("build", "linux"), dbtest.Job("lint", "linux"), dbtest.Job("soft", "linux")}
	cells[3].ContinueOnError = true
	last := dbtest.Job("last", "linux")
	last.Needs = []string{"build", "lint", "soft"}
	run, attempt := dbtest.Run(t, e.db, e.repo, append(cells, last)...)
	dbtest.Offer(t, e.db, cells...)
	outputs := []map[string]string{{"a": "1", "b": "first"}, {"a": "", "b": "second"}, nil, nil}
	results := []runnerv1.Result{runnerv1.Result_RESULT_SUCCESS, runnerv1.Result_RESULT_SUCCESS, runnerv1.Result_RESULT_SKIPPED, runnerv1.Result_RESULT_FAILURE}
	for i, cell := range cells {
		task := r.mustFetch()
		require.Equal(t, cell.ID, e.task(task.Id).JobID)
		_, err := r.update(&runnerv1.TaskState{Id: task.Id, Result: results[i]}, outputs[i])
		require.NoError(t, err)
	}
	ended := []db.JobEnd{{JobID: cells[0].ID, Status: ci.StatusSuccess}, {JobID: cells[1].ID, Status: ci.StatusSuccess},
		{JobID: cells[2].ID, Status: ci.StatusSkipped}, {JobID: cells[3].ID, Status: ci.StatusFailure}}
	_, err := e.db.RecordStep(t.Context(), db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Ended: ended, Offered: []int64{last.ID}})
	require.NoError(t, err)

	needs := r.mustFetch().Needs
	require.Len(t, needs, 3)
	require.Equal(t, runnerv1.Result_RESULT_SUCCESS, needs["build"].Result)
	require.Equal(t, map[string]string{"a": "1", "b": "second"}, needs["build"].Outputs, "a value that is not empty wins, a later cell overrides")
	require.Equal(t, runnerv1.Result_RESULT_SKIPPED, needs["lint"].Result)
	require.Equal(t, runnerv1.Result_RESULT_SUCCESS, needs["soft"].Result, "continue-on-error")
}

// Every offer reaches exactly one of many waiting runners, all at once.
func TestHundredOffersReachThirtyTwoRunners(t *testing.T) {
	e := newEnv(t)
	const jobs, runners = 100, 32
	var mu sync.Mutex
	taken := map[int64]int{}
	used := map[int64]bool{}
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range runners {
		r := e.register(db.Scope{}, "linux")
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				task, err := r.fetch(2 * time.Second)
				if err != nil || task == nil {
					continue
				}
				mu.Lock()
				taken[task.Id]++
				used[r.id] = true
				if len(taken) == jobs {
					close(done)
				}
				mu.Unlock()
			}
		})
	}
	e.eventually(func() bool { return e.heldPolls() == runners }, "all poll")
	var all []*db.Job
	for i := range jobs {
		all = append(all, dbtest.Job(fmt.Sprintf("job-%d", i), "linux"))
	}
	begin := time.Now()
	e.offer(all...)
	<-done
	took := time.Since(begin)
	e.gw.Drain()
	wg.Wait()
	require.Len(t, taken, jobs)
	for id, n := range taken {
		require.Equal(t, 1, n, "task %d", id)
	}
	require.Greater(t, len(used), runners/2, "the work is spread")
	require.Less(t, took, 5*time.Second, "nobody waits for the next look")
	var distinct int
	require.NoError(t, e.db.NewRaw("SELECT count(DISTINCT job_id) FROM tasks").Scan(t.Context(), &distinct))
	require.Equal(t, jobs, distinct)
}

func TestHeldPollIsWokenAtOnce(t *testing.T) {
	e := newEnv(t, func(o *runnergw.Options) { o.SearchEvery = time.Hour })
	labelled := e.register(db.Scope{}, "gpu", "linux")
	elsewhere := e.register(db.Scope{OwnerID: dbtest.Owner(t, e.db).ID}, "gpu", "linux")
	other := e.register(db.Scope{}, "linux")
	got := make(chan *runnerv1.Task, 3)
	for _, r := range []*runner{other, elsewhere, labelled} {
		go func() {
			task, _ := r.fetch(patience)
			got <- task
		}()
	}
	e.eventually(func() bool { return e.heldPolls() == 3 }, "all poll")
	e.offer(dbtest.Job("a", "linux", "gpu"))
	task := <-got
	require.NotNil(t, task)
	require.Equal(t, labelled.id, e.task(task.Id).RunnerID)
	e.gw.Drain()
	require.Nil(t, <-got, "drained polls are answered empty at once")
	require.Nil(t, <-got)
	require.Equal(t, 1.0, e.metric("pawl_dispatch_latency_seconds"))
}

// A notification may be lost: held polls look by themselves too (known-problems.md B1).
func TestHeldPollLooksWithoutNotification(t *testing.T) {
	e := newEnv(t, func(o *runnergw.Options) { o.SearchEvery = 50 * time.Millisecond })
	r := e.register(db.Scope{}, "linux")
	job := dbtest.Job("a", "linux")
	dbtest.Run(t, e.db, e.repo, job)
	got := make(chan *runnerv1.Task, 1)
	go func() {
		task, _ := r.fetch(patience)
		got <- task
	}()
	e.eventually(func() bool { return e.heldPolls() == 1 }, "it polls")
	e.exec(`INSERT INTO offers (job_id, try, run_id, attempt_id, repo_id, owner_id, label_set_id)
		SELECT id, 1, run_id, attempt_id, repo_id, owner_id, label_set_id FROM jobs`)
	require.NotNil(t, <-got)
}

func TestListenerComesBack(t *testing.T) {
	e := newEnv(t, func(o *runnergw.Options) { o.SearchEvery = time.Hour })
	r := e.register(db.Scope{}, "linux")
	got := make(chan *runnerv1.Task, 1)
	go func() {
		task, _ := r.fetch(patience)
		got <- task
	}()
	e.eventually(func() bool { return e.heldPolls() == 1 }, "it polls")
	const listeners = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND query LIKE 'LISTEN%' AND pid <> pg_backend_pid()`
	var killed int
	require.NoError(t, e.db.NewRaw(listeners).Scan(t.Context(), &killed))
	require.Equal(t, 1, killed)
	e.offer(dbtest.Job("a", "linux"))
	require.NotNil(t, <-got, "what was offered while nobody listened is found")
}

func TestDeadlineOfAPoll(t *testing.T) {
	e := newEnv(t)
	r := e.register(db.Scope{}, "linux")
	begin := time.Now()
	task, err := r.fetch(600 * time.Millisecond)
	require.NoError(t, err, "answered before the deadline")
	require.Nil(t, task)
	require.Greater(t, time.Since(begin), 400*time.Millisecond, "held until shortly before it")

	e.offer(dbtest.Job("a", "linux"))
	req, err := http.NewRequest(http.MethodPost, "/runner.v1.RunnerService/FetchTask", http.NoBody)
	require.NoError(t, err)
	for k, v := range map[string]string{"Content-Type": "application/proto", "Connect-Timeout-Ms": "40", "x-runner-uuid": r.uuid, "x-runner-token": r.secret} {
		req.Header.Set(k, v)
	}
	w := newRecorder()
	e.gw.Handler().ServeHTTP(w, req)
	var tasks int
	require.NoError(t, e.db.NewRaw("SELECT count(*) FROM tasks").Scan(t.Context(), &tasks))
	require.Zero(t, tasks, "nothing is claimed when the deadline is near")
	require.Equal(t, http.StatusOK, w.Code)
	r.mustFetch()
}

func TestMaxHold(t *testing.T) {
	e := newEnv(t, func(o *runnergw.Options) { o.MaxHold = 50 * time.Millisecond })
	r := e.register(db.Scope{}, "linux")
	for _, ctx := range []context.Context{t.Context(), withTimeout(t, patience)} {
		got, err := r.rpc.FetchTask(ctx, connect.NewRequest(&runnerv1.FetchTaskRequest{TasksVersion: 7}))
		require.NoError(t, err)
		require.Nil(t, got.Msg.Task)
		require.EqualValues(t, 7, got.Msg.TasksVersion, "the version is sent back")
	}
}

func withTimeout(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// A task that was claimed for a runner that went away meanwhile is given back at once.
func TestReleaseWhenTheRunnerGoesAway(t *testing.T) {
	e := newEnv(t, func(o *runnergw.Options) { o.SearchEvery = time.Hour })
	r := e.register(db.Scope{}, "linux")
	job := dbtest.Job("a", "linux")
	dbtest.Run(t, e.db, e.repo, job)

	// The job's row is locked, so that the claim hangs in the middle.
	tx, err := e.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.Exec("SELECT 1 FROM jobs WHERE id = ? FOR NO KEY UPDATE", job.ID)
	require.NoError(t, err)
	e.exec(`INSERT INTO offers (job_id, try, run_id, attempt_id, repo_id, owner_id, label_set_id)
		SELECT id, 1, run_id, attempt_id, repo_id, owner_id, label_set_id FROM jobs`)
	ctx, cancel := context.WithCancel(t.Context())
	polled := make(chan error, 1)
	go func() {
		_, err := r.rpc.FetchTask(ctx, connect.NewRequest(&runnerv1.FetchTaskRequest{}))
		polled <- err
	}()
	e.eventually(func() bool {
		var waiting int
		require.NoError(t, e.db.NewRaw("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()").Scan(t.Context(), &waiting))
		return waiting > 0
	}, "the claim hangs")
	cancel()
	require.ErrorIs(t, <-polled, context.Canceled)
	require.NoError(t, tx.Commit())
	task := &db.Task{}
	e.eventually(func() bool {
		err := e.db.NewSelect().Model(task).Where("status = 'lost'").Scan(t.Context())
		return err == nil
	}, "the task is given up")
	require.Equal(t, "the runner went away before it got the task", task.Reason)
}

// A job that cannot be handed out fails by itself and holds up nobody (known-problems.md B4).
func TestBrokenTaskFailsAlone(t *testing.T) {
	e := newEnv(t)
	r := e.register(db.Scope{}, "linux")
	broken, good := dbtest.Job("broken", "linux"), dbtest.Job("good", "linux")
	broken.Payload = []byte{}
	e.offer(broken)
	e.offer(good)
	_, err := e.db.Attach(t.Context(), broken.ID, 1)
	require.NoError(t, err)
	require.Equal(t, good.ID, e.task(r.mustFetch().Id).JobID)
	task := &db.Task{}
	require.NoError(t, e.db.NewSelect().Model(task).Where("job_id = ?", broken.ID).Scan(t.Context()))
	require.Equal(t, []string{"lost", db.CauseRefused}, []string{string(task.Status), task.Cause})
	require.Equal(t, "the task could not be built: the job has no payload", task.Reason)
	e.eventually(func() bool { return len(e.tasks.wakes()) >= 2 }, "its workflow is woken: for the claim, and for the end")
}

func TestClaimWakesAWorkflowThatWaits(t *testing.T) {
	e := newEnv(t)
	r := e.register(db.Scope{}, "linux")
	attached, alone := dbtest.Job("a", "linux"), dbtest.Job("b", "linux")
	e.offer(attached, alone)
	_, err := e.db.Attach(t.Context(), attached.ID, 1)
	require.NoError(t, err)
	r.mustFetch()
	r.mustFetch()
	e.eventually(func() bool { return len(e.tasks.wakes()) == 1 }, "woken")
	require.Equal(t, []int64{attached.ID}, e.tasks.wakes())
}

func TestDisabledRunner(t *testing.T) {
	e := newEnv(t, func(o *runnergw.Options) { o.SearchEvery = time.Hour })
	r := e.register(db.Scope{}, "linux")
	require.NoError(t, e.db.SetRunnerDisabled(t.Context(), r.id, true))
	e.offer(dbtest.Job("a", "linux"))
	r.mustFindNothing()

	got := make(chan *runnerv1.Task, 1)
	go func() {
		task, _ := r.fetch(patience)
		got <- task
	}()
	e.eventually(func() bool { return e.heldPolls() == 1 }, "it polls")
	require.NoError(t, e.db.SetRunnerDisabled(t.Context(), r.id, false))
	require.NotNil(t, <-got, "a held poll hears that its runner may work again")
}

func TestRemovedRunnerIsToldWhileItPolls(t *testing.T) {
	e := newEnv(t, func(o *runnergw.Options) { o.SearchEvery = time.Hour })
	r := e.register(db.Scope{}, "linux")
	got := make(chan error, 1)
	go func() {
		_, err := r.fetch(patience)
		got <- err
	}()
	e.eventually(func() bool { return e.heldPolls() == 1 }, "it polls")
	require.NoError(t, e.db.RemoveRunner(t.Context(), r.id))
	require.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(<-got))
}

func TestEphemeralRunner(t *testing.T) {
	e := newEnv(t)
	r := e.registerAs(db.Scope{}, &runnerv1.RegisterRequest{Name: "once", Labels: []string{"linux"}, Ephemeral: true})
	e.offer(dbtest.Job("a", "linux"), dbtest.Job("b", "linux"))
	task := r.mustFetch()
	r.mustFindNothing()
	final := &runnerv1.TaskState{Id: task.Id, Result: runnerv1.Result_RESULT_SUCCESS}
	require.Equal(t, runnerv1.Result_RESULT_SUCCESS, r.mustUpdate(final))

	e.eventually(func() bool {
		_, err := r.fetch(time.Second)
		return connect.CodeOf(err) == connect.CodeNotFound && errors.As(err, new(*connect.Error)) && err.Error() == "not_found: runner has been removed"
	}, "it is removed")
	ack, err := r.log(task.Id, 0, true, "late but welcome")
	require.NoError(t, err)
	require.EqualValues(t, 1, ack)
	require.Equal(t, runnerv1.Result_RESULT_SUCCESS, r.mustUpdate(final), "the final report may be repeated")
	require.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(r.declare(nil)))
}

// An ephemeral runner whose task was ended by others, not by its own report, gets no second one either.
func TestEphemeralRunnerAfterALostTask(t *testing.T) {
	e := newEnv(t)
	r := e.registerAs(db.Scope{}, &runnerv1.RegisterRequest{Name: "once", Labels: []string{"linux"}, Ephemeral: true})
	e.offer(dbtest.Job("a", "linux"), dbtest.Job("b", "linux"))
	task := r.mustFetch()
	_, err := e.db.RefuseTask(t.Context(), task.Id, "test")
	require.NoError(t, err)
	_, err = r.fetch(patience)
	require.ErrorContains(t, err, "runner has been removed")
}

func TestPollsOfAnEarlierProcessEndWhenTheRunnerDeclaresItself(t *testing.T) {
	e := newEnv(t, func(o *runnergw.Options) { o.SearchEvery = time.Hour })
	r := e.register(db.Scope{}, "linux")
	got := make(chan *runnerv1.Task, 1)
	go func() {
		task, err := r.fetch(patience)
		require.NoError(t, err)
		got <- task
	}()
	e.eventually(func() bool { return e.heldPolls() == 1 }, "it polls")
	require.NoError(t, r.declare([]string{"linux"}))
	require.Nil(t, <-got)
}

// A job of a called workflow sees the needs of its own file, what its callers hand on, and the event that is set for it.
func TestTaskOfACalledWorkflow(t *testing.T) {
	for event, inputs := range map[string]any{"push": nil, "workflow_call": map[string]any{"who": "ann"}} {
		t.Run(event, func(t *testing.T) {
			e := newEnv(t, func(o *runnergw.Options) {
				if event == ci.CallEventOwn {
					o.CallEventName = event
				}
			})
			r := e.register(db.Scope{}, "linux")
			caller, decoy, before, job := dbtest.Job("call", "linux"), dbtest.Job("build", "linux"), dbtest.Job("build", "linux"), dbtest.Job("test", "linux")
			caller.Kind, decoy.Status, before.Status = ci.JobCall, ci.StatusFailure, ci.StatusSuccess
			job.Needs = []string{"build"}
			dbtest.Run(t, e.db, e.repo, caller, decoy, before, job)
			e.exec(`UPDATE jobs SET call_inputs = '{"who": "ann"}' WHERE id = ?`, caller.ID)
			e.exec("UPDATE jobs SET parent_id = ? WHERE id IN (?, ?)", caller.ID, before.ID, job.ID)
			dbtest.Offer(t, e.db, job)

			task := r.mustFetch()
			require.Equal(t, runnerv1.Result_RESULT_SUCCESS, task.Needs["build"].Result)
			require.Len(t, task.Secrets, 2)
			require.NotEmpty(t, task.Secrets["GITHUB_TOKEN"])
			fields := task.Context.AsMap()
			require.Equal(t, event, fields["event_name"])
			require.Equal(t, inputs, fields["event"].(map[string]any)["inputs"])
			require.Equal(t, "refs/heads/main", fields["event"].(map[string]any)["ref"])
		})
	}
}

func TestHeldPollIsWokenWhenAPlaceBecomesFree(t *testing.T) {
	e := newEnv(t, func(o *runnergw.Options) { o.SearchEvery = time.Hour })
	one, two := 1, 2
	require.NoError(t, e.db.SetJobLimit(t.Context(), db.LimitOwner, e.repo.OwnerID, &one))
	busy, idle := e.register(db.Scope{}, "linux"), e.register(db.Scope{}, "linux")
	e.offer(dbtest.Job("a", "linux"), dbtest.Job("b", "linux"), dbtest.Job("c", "linux"))
	first := busy.mustFetch()
	got := make(chan *runnerv1.Task, 1)
	poll := func() {
		go func() {
			task, _ := idle.fetch(patience)
			got <- task
		}()
		e.eventually(func() bool { return e.heldPolls() == 1 }, "it polls")
		idle.mustStayIdle(got)
	}
	poll()
	busy.mustUpdate(&runnerv1.TaskState{Id: first.Id, Result: runnerv1.Result_RESULT_SUCCESS})
	require.NotNil(t, <-got)
	poll()
	require.NoError(t, e.db.SetJobLimit(t.Context(), db.LimitOwner, e.repo.OwnerID, &two))
	require.NotNil(t, <-got, "a limit that is raised leaves places free too")
}

// mustStayIdle is sure, once another poll has looked in vain, that the one held has looked as well.
func (r *runner) mustStayIdle(got <-chan *runnerv1.Task) {
	r.t.Helper()
	r.register(db.Scope{}, "linux").mustFindNothing()
	select {
	case <-got:
		r.t.Fatal("there is no place")
	default:
	}
}
