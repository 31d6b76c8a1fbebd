package runnergw_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"connectrpc.com/connect"
	runnerv1 "gitea.dev/actions-proto-go/runner/v1"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
)

func (e *env) secret(s db.Scope, name, value string) {
	e.t.Helper()
	_, err := e.vault.PutSecret(e.t.Context(), s, name, value, "")
	require.NoError(e.t, err)
}

func (e *env) variable(s db.Scope, name, value string) {
	e.t.Helper()
	require.NoError(e.t, e.vault.CreateVariable(e.t.Context(), &db.Variable{OwnerID: s.OwnerID, RepoID: s.RepoID, Name: name, Value: value}))
}

// next offers a job and has the runner fetch it.
func (r *runner) next() *runnerv1.Task {
	r.t.Helper()
	r.offer(dbtest.Job("a", "linux"))
	return r.mustFetch()
}

func TestSecretsAndVariablesOfATask(t *testing.T) {
	e := newEnv(t)
	r := e.register(db.Scope{}, "linux")
	owner, repo := db.Scope{OwnerID: e.repo.OwnerID}, db.Scope{RepoID: e.repo.ID}
	require.Len(t, r.next().Secrets, 2, "the two tokens")

	// Each task gets what there is at the moment of its claim.
	e.secret(owner, "both", "owner's")
	e.secret(owner, "owners", "o")
	e.variable(db.Scope{}, "all", "installation's")
	task := r.next()
	require.Equal(t, "owner's", task.Secrets["BOTH"])
	require.Equal(t, map[string]string{"ALL": "installation's"}, task.Vars)

	e.secret(repo, "both", "repository's")
	e.variable(owner, "all", "owner's")
	task = r.next()
	require.Equal(t, map[string]string{
		"BOTH": "repository's", "OWNERS": "o", "GITHUB_TOKEN": task.Secrets["GITHUB_TOKEN"], "GITEA_TOKEN": task.Secrets["GITHUB_TOKEN"],
	}, task.Secrets)
	require.Equal(t, map[string]string{"ALL": "owner's"}, task.Vars)

	require.NoError(t, e.vault.DeleteSecret(t.Context(), repo, "both"))
	require.Equal(t, "owner's", r.next().Secrets["BOTH"])

	other := dbtest.Repository(t, e.db, dbtest.Owner(t, e.db))
	e.secret(db.Scope{RepoID: other.ID}, "foreign", "x")
	require.NotContains(t, r.next().Secrets, "FOREIGN")
}

func TestAForkGetsNoSecrets(t *testing.T) {
	e := newEnv(t)
	r := e.register(db.Scope{}, "linux")
	e.secret(db.Scope{RepoID: e.repo.ID}, "key", "hunter2")
	e.variable(db.Scope{RepoID: e.repo.ID}, "var", "v")
	job := dbtest.Job("a", "linux")
	run, _ := dbtest.Run(t, e.db, e.repo, job)
	e.exec(`UPDATE runs SET event = 'pull_request', event_payload =
		'{"pull_request": {"head": {"repo": {"id": 2}}, "base": {"repo": {"id": 1}}}}' WHERE id = ?`, run.ID)
	dbtest.Offer(t, e.db, job)
	task := r.mustFetch()
	require.Len(t, task.Secrets, 2)
	require.Equal(t, map[string]string{"VAR": "v"}, task.Vars)
	_, err := r.log(task.Id, 0, false, "is it hunter2?", "my token is "+task.Secrets["GITHUB_TOKEN"])
	require.NoError(t, err)
	require.Contains(t, e.text(task.Id), "is it hunter2?", "what is hidden tells nothing of secrets")
	require.Contains(t, e.text(task.Id), "my token is ***")
}

func TestASecretThatCannotBeOpenedFailsItsTask(t *testing.T) {
	e := newEnv(t)
	r := e.register(db.Scope{}, "linux")
	e.secret(db.Scope{RepoID: e.repo.ID}, "key", "hunter2")
	e.exec(`UPDATE secrets SET sealed = set_byte(sealed, 3, 255 - get_byte(sealed, 3))`)
	e.offer(dbtest.Job("a", "linux"))
	r.mustFindNothing()
	var reason string
	require.NoError(t, e.db.NewRaw(`SELECT reason FROM tasks`).Scan(t.Context(), &reason))
	require.Contains(t, reason, `open secret "KEY"`)
	require.Contains(t, reason, "sealed with an unknown key")
}

func TestSecretsAreHiddenInLogs(t *testing.T) {
	e := newEnv(t)
	r := e.register(db.Scope{}, "linux")
	e.secret(db.Scope{RepoID: e.repo.ID}, "key", "hunter2-hunter2")
	e.secret(db.Scope{RepoID: e.repo.ID}, "pem", "-----BEGIN\nfirst line of it\nsecond\n-----END")
	task := r.next()
	rows := []string{
		"plain hunter2-hunter2 and hunter2", "line first line of it.", "base64 " + base64.StdEncoding.EncodeToString([]byte("x:hunter2-hunter2")),
		"cut hunter2\x00-hunter2", "::add-mask::one of the job's%0Asecond one", "it prints one of the job's", "token " + task.Secrets["GITEA_TOKEN"],
		"jwt " + task.Context.Fields["gitea_runtime_token"].GetStringValue(), strings.Repeat("x", 65_530) + "hunter2-hunter2",
	}
	_, err := r.log(task.Id, 0, false, rows...)
	require.NoError(t, err)
	var got []string
	for line := range strings.Lines(e.text(task.Id)) {
		got = append(got, strings.TrimSuffix(line[29:], "\n"))
	}
	require.Equal(t, "plain *** and hunter2", got[0])
	require.Equal(t, "line ***.", got[1])
	require.Less(t, len(got[2]), len("base64 ")+3+8)
	require.Equal(t, "cut ***", got[3])
	require.Equal(t, "::add-mask::***", got[4])
	require.Equal(t, "it prints ***", got[5])
	require.Equal(t, "token ***", got[6])
	require.Equal(t, "jwt ***", got[7])
	require.NotContains(t, got[8], "hunter")

	// Another gateway, which did not hand out the task, hides the secrets of the repository.
	r.forgetTasks()
	_, err = r.log(task.Id, int64(len(rows)), true, "again hunter2-hunter2")
	require.NoError(t, err)
	require.Contains(t, e.text(task.Id), "again ***")
}

// A task that got a secret has it hidden also when it was changed since.
func TestASecretThatWasChangedIsStillHidden(t *testing.T) {
	e := newEnv(t)
	r := e.register(db.Scope{}, "linux")
	repo := db.Scope{RepoID: e.repo.ID}
	e.secret(repo, "key", "the value before")
	task := r.next()
	e.secret(repo, "key", "the value after")
	r.next()
	_, err := r.log(task.Id, 0, false, "the value before")
	require.NoError(t, err)
	require.Contains(t, e.text(task.Id), " ***\n")
}

func TestOutputsWithSecretsAreDropped(t *testing.T) {
	e := newEnv(t)
	r := e.register(db.Scope{}, "linux")
	e.secret(db.Scope{RepoID: e.repo.ID}, "key", "hunter2-hunter2")
	task := r.next()
	got, err := r.update(&runnerv1.TaskState{Id: task.Id}, map[string]string{
		"good": "value", "bad": "a hunter2-hunter2", "encoded": base64.StdEncoding.EncodeToString([]byte("hunter2-hunter2")),
	})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"good", "bad", "encoded"}, got.SentOutputs, "they are acknowledged")
	var stored map[string]string
	rows, err := e.db.Pool.Query(t.Context(), `SELECT key, value FROM task_outputs`)
	require.NoError(t, err)
	stored = map[string]string{}
	for rows.Next() {
		var key, value string
		require.NoError(t, rows.Scan(&key, &value))
		stored[key] = value
	}
	require.Equal(t, map[string]string{"good": "value", "bad": "", "encoded": ""}, stored)
}

// What a job asks to be hidden is bounded, since it stays in memory for as long as the job.
func TestWhatAJobAddsIsBounded(t *testing.T) {
	e := newEnv(t)
	r := e.register(db.Scope{}, "linux")
	task := r.next()
	kept, above := strings.Repeat("x", 64<<10), strings.Repeat("y", 64<<10)
	rows := []string{"::add-mask::first", "::add-mask::" + kept, "::add-mask::" + above, "::add-mask::last", "first, last, " + kept[:99] + above[:99]}
	_, err := r.log(task.Id, 0, true, rows...)
	require.NoError(t, err)
	got := strings.Split(e.text(task.Id), "\n")
	require.Contains(t, got[1], "::add-mask::***")
	require.Contains(t, got[2], "::add-mask::***")
	require.Contains(t, got[4], " ***, ***, ***"+above[:99])
}

// In a steady state a job costs no query for its secrets: the tables may be away.
func TestSecretsCostNoQuery(t *testing.T) {
	e := newEnv(t)
	r := e.register(db.Scope{}, "linux")
	e.secret(db.Scope{RepoID: e.repo.ID}, "key", "hunter2-hunter2")
	e.variable(db.Scope{RepoID: e.repo.ID}, "var", "v")
	r.next()
	e.offer(dbtest.Job("b", "linux"), dbtest.Job("c", "linux"))
	r.mustFetch() // the context of this run has been read
	e.exec(`ALTER TABLE secrets RENAME TO gone`)
	task := r.mustFetch()
	require.Equal(t, "hunter2-hunter2", task.Secrets["KEY"])
	require.Equal(t, "v", task.Vars["VAR"])
	_, err := r.log(task.Id, 0, false, "hunter2-hunter2")
	require.NoError(t, err)
	require.Contains(t, e.text(task.Id), " ***\n")
}

// A runner whose token was hashed with an older key is known, and from then on with the present one.
func TestARunnerOfAnOlderKey(t *testing.T) {
	e := newEnv(t)
	r := e.register(db.Scope{}, "linux")
	e.exec(`UPDATE runners SET token_hash = ?`, e.oldTokens.Hash(r.secret))
	require.NoError(t, r.declare([]string{"linux"}))
	got, err := e.db.RunnerByUUID(t.Context(), uuidOf(r))
	require.NoError(t, err)
	require.Equal(t, e.tokens.Hash(r.secret), got.TokenHash)
	require.NoError(t, r.declare([]string{"linux"}))
	_, err = e.client(r.uuid, "wrong").Declare(t.Context(), connect.NewRequest(&runnerv1.DeclareRequest{}))
	require.Error(t, err)
}
