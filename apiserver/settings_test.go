package apiserver_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRepositorySettings(t *testing.T) {
	r := newRig(t)
	anna, ben := r.user("anna"), r.user("ben")
	repo := anna.pushed("demo")
	path := repoPath(repo, "/actions/settings")
	settings := func(most any, paused bool, approval string) map[string]any {
		return map[string]any{
			"max_running_jobs": most, "paused": paused, "approval": approval,
			"log_retention_days": 0.0, "failed_log_retention_days": 0.0, "run_retention_days": 0.0,
		}
	}
	require.Equal(t, settings(nil, false, "none"), anna.do("GET", path, nil).wants(http.StatusOK))

	out := anna.do("PATCH", path, `{"max_running_jobs":3}`).wants(http.StatusOK)
	require.Equal(t, settings(3.0, false, "none"), out)
	out = anna.do("PATCH", path, `{"paused":true,"approval":"all"}`).wants(http.StatusOK)
	require.Equal(t, settings(3.0, true, "all"), out)
	require.Equal(t, out, anna.do("PATCH", path, `{}`).wants(http.StatusOK), "what is absent stays")
	require.Equal(t, out, anna.do("GET", path, nil).wants(http.StatusOK))
	out = anna.do("PATCH", path, `{"max_running_jobs":null,"paused":false}`).wants(http.StatusOK)
	require.Equal(t, settings(nil, false, "all"), out)
	require.Equal(t, 0.0, anna.do("PATCH", path, `{"max_running_jobs":0}`).wants(http.StatusOK)["max_running_jobs"])

	out = anna.do("PATCH", path, `{"log_retention_days":7,"failed_log_retention_days":30}`).wants(http.StatusOK)
	require.Equal(t, []any{7.0, 30.0, 0.0}, []any{out["log_retention_days"], out["failed_log_retention_days"], out["run_retention_days"]})
	out = anna.do("PATCH", path, `{"log_retention_days":0,"run_retention_days":365}`).wants(http.StatusOK)
	require.Equal(t, []any{0.0, 30.0, 365.0}, []any{out["log_retention_days"], out["failed_log_retention_days"], out["run_retention_days"]})

	for message, body := range map[string]string{
		"[LogRetentionDays]: Range(0,36500)":           `{"log_retention_days":-1}`,
		"[FailedLogRetentionDays]: Range(0,36500)":     `{"failed_log_retention_days":36501}`,
		"[RunRetentionDays]: Range(0,36500)":           `{"run_retention_days":-1}`,
		"[MaxRunningJobs]: Range(0,1000000)":           `{"max_running_jobs":-1}`,
		"[MaxRunningJobs]: a string does not fit here": `{"max_running_jobs":"3"}`,
		"[MaxRunningJobs]: a number does not fit here": `{"max_running_jobs":1.5}`,
		"[Paused]: a string does not fit here":         `{"paused":"yes"}`,
		"[Approval]: In(none,all)":                     `{"approval":"some"}`,
		"[]: unexpected end of JSON input":             `{`,
		"[Approval]: a number does not fit here":       `{"approval":1,"paused":true}`,
	} {
		anna.do("PATCH", path, body).refused(http.StatusUnprocessableEntity, message)
	}
	require.Equal(t, false, anna.do("GET", path, nil).wants(http.StatusOK)["paused"], "a refused change changes nothing")

	ben.do("GET", path, nil).wants(http.StatusNotFound)
	anna.do("PUT", repoPath(repo, "/collaborators/ben"), nil).wants(http.StatusNoContent)
	ben.do("GET", path, nil).wants(http.StatusOK)
	ben.do("PATCH", path, `{"paused":true}`).wants(http.StatusForbidden)
	r.anonymous().do("GET", path, nil).wants(http.StatusNotFound)
}

func TestOwnerSettings(t *testing.T) {
	r := newRig(t)
	anna, ben, root := r.user("anna"), r.user("ben"), r.user("root1", true)
	anna.do("POST", "/orgs", `{"username":"acme"}`).wants(http.StatusCreated)
	anna.do("PUT", "/orgs/acme/members/ben", nil).wants(http.StatusNoContent)
	const org, user = "/orgs/acme/actions/settings", "/admin/users/anna/actions/settings"
	require.Equal(t, map[string]any{"max_running_jobs": nil}, ben.do("GET", org, nil).wants(http.StatusOK))
	ben.do("PATCH", org, `{"max_running_jobs":1}`).refused(http.StatusForbidden, "Must be an organization owner")
	require.Equal(t, 7.0, anna.do("PATCH", org, `{"max_running_jobs":7}`).wants(http.StatusOK)["max_running_jobs"])
	require.Equal(t, 7.0, root.do("PATCH", org, `{}`).wants(http.StatusOK)["max_running_jobs"])

	// Users do not bound themselves.
	anna.do("PATCH", user, `{"max_running_jobs":1}`).refused(http.StatusForbidden, "user should be the site admin")
	require.Equal(t, 2.0, root.do("PATCH", user, `{"max_running_jobs":2}`).wants(http.StatusOK)["max_running_jobs"])
	require.Equal(t, 2.0, root.do("GET", user, nil).wants(http.StatusOK)["max_running_jobs"])
	require.Equal(t, 2.0, anna.do("GET", "/user/actions/settings", nil).wants(http.StatusOK)["max_running_jobs"])
	require.Nil(t, ben.do("GET", "/user/actions/settings", nil).wants(http.StatusOK)["max_running_jobs"])
	root.do("PATCH", user, `{"max_running_jobs":-2}`).refused(http.StatusUnprocessableEntity, "[MaxRunningJobs]: Range(0,1000000)")
	root.do("GET", "/admin/users/nobody/actions/settings", nil).refused(http.StatusNotFound, "user does not exist")
	root.do("PATCH", "/admin/users/acme/actions/settings", `{}`).refused(http.StatusNotFound, "user does not exist")
}
