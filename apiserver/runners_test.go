package apiserver_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
)

func (r *rig) runner(name string, s db.Scope) *db.Runner {
	r.t.Helper()
	runner := &db.Runner{UUID: uuid.New(), TokenHash: []byte{}, Name: name, OwnerID: s.OwnerID, RepoID: s.RepoID, Labels: []string{"linux", "arm64"}}
	require.NoError(r.t, r.db.CreateRunner(r.t.Context(), runner))
	return runner
}

func TestRunnersOfAllLevels(t *testing.T) {
	r := newRig(t)
	anna, ben, root := r.user("anna"), r.user("ben"), r.user("root1", true)
	repo := anna.repo("demo", true)
	org := anna.do("POST", "/orgs", `{"username":"acme"}`).wants(http.StatusCreated)
	levels := map[string]struct {
		client *client
		runner *db.Runner
	}{
		repoPath(repo, ""): {anna, r.runner("of repo", db.Scope{RepoID: repo.ID})},
		"/orgs/acme":       {anna, r.runner("of org", db.Scope{OwnerID: number(org["id"])})},
		"/user":            {anna, r.runner("of user", db.Scope{OwnerID: anna.owner.ID})},
		"/admin":           {root, r.runner("of all", db.Scope{})},
	}
	tokens := map[any]bool{}
	for prefix, level := range levels {
		c, path := level.client, prefix+"/actions/runners"
		one := fmt.Sprintf("%s/%d", path, level.runner.ID)

		a := c.do("GET", path, nil)
		out := a.wants(http.StatusOK)
		require.Empty(t, a.Header.Get("X-Total-Count"), "runner lists send no headers")
		if prefix == "/admin" {
			require.EqualValues(t, 4, out["total_count"])
		} else {
			require.EqualValues(t, 1, out["total_count"])
			require.EqualValues(t, level.runner.ID, out["runners"].([]any)[0].(map[string]any)["id"])
		}

		got := c.do("GET", one, nil).wants(http.StatusOK)
		require.Equal(t, level.runner.Name, got["name"])
		require.Equal(t, "online", got["status"])
		require.Equal(t, false, got["busy"])
		require.Equal(t, []any{
			map[string]any{"id": 0.0, "name": "linux", "type": "custom"}, map[string]any{"id": 1.0, "name": "arm64", "type": "custom"},
		}, got["labels"])

		token := c.do("POST", path+"/registration-token", nil).wants(http.StatusOK)["token"]
		require.Len(t, token, 40)
		require.Equal(t, token, c.do("GET", path+"/registration-token", nil).wants(http.StatusOK)["token"])
		require.NotContains(t, tokens, token, "each level has its own")
		tokens[token] = true

		c.do("PATCH", one, `{}`).refused(http.StatusUnprocessableEntity, "[Disabled]: Required")
		c.do("PATCH", one, `{"disabled":"yes"}`).refused(http.StatusUnprocessableEntity, "[Disabled]: a string does not fit here")
		require.Equal(t, true, c.do("PATCH", one, `{"disabled":true}`).wants(http.StatusOK)["disabled"])
		require.NotEmpty(t, c.do("GET", path+"?disabled=true", nil).wants(http.StatusOK)["runners"])
		require.Equal(t, false, c.do("PATCH", one, `{"disabled":false}`).wants(http.StatusOK)["disabled"])
		require.Empty(t, c.do("GET", path+"?disabled=true", nil).wants(http.StatusOK)["runners"])
		if prefix != "/user" {
			ben.do("GET", path, nil).wants(map[bool]int{true: http.StatusNotFound, false: http.StatusForbidden}[prefix == repoPath(repo, "")])
		}
	}

	// A runner of another level is not there, but site admins see all.
	own := levels["/user"].runner.ID
	anna.do("GET", repoPath(repo, "/actions/runners/%d", own), nil).refused(http.StatusNotFound, "not found")
	anna.do("DELETE", repoPath(repo, "/actions/runners/%d", own), nil).refused(http.StatusNotFound, "not found")
	ben.do("GET", fmt.Sprintf("/user/actions/runners/%d", own), nil).refused(http.StatusNotFound, "not found")
	root.do("GET", fmt.Sprintf("/admin/actions/runners/%d", own), nil).wants(http.StatusOK)
	anna.do("DELETE", fmt.Sprintf("/user/actions/runners/%d", own), nil).wants(http.StatusNoContent)
	anna.do("GET", fmt.Sprintf("/user/actions/runners/%d", own), nil).wants(http.StatusNotFound)
	anna.do("PATCH", "/user/actions/runners/x", `{"disabled":true}`).wants(http.StatusNotFound)
}

// Who has a registration token can have jobs with their secrets run on a machine of their own: reading is not enough.
func TestRegistrationTokensNeedTheScopeOfAWrite(t *testing.T) {
	r := newRig(t)
	anna, root := r.user("anna"), r.user("root1", true)
	repo := anna.repo("demo", true)
	anna.do("POST", "/orgs", `{"username":"acme"}`).wants(http.StatusCreated)
	for prefix, level := range map[string]struct {
		client   *client
		category string
	}{
		repoPath(repo, ""): {anna, "repository"}, "/orgs/acme": {anna, "organization"},
		"/user": {anna, "user"}, "/admin": {root, "admin"},
	} {
		path := prefix + "/actions/runners/registration-token"
		reads := r.withScopes(level.client.owner, "read:"+level.category)
		writes := r.withScopes(level.client.owner, "write:"+level.category)
		for _, method := range []string{"GET", "POST"} {
			reads.do(method, path, nil).refused(http.StatusForbidden, fmt.Sprintf(
				"token does not have at least one of required scope(s), required=[write:%s], token scope=read:%[1]s", level.category))
			writes.do(method, path, nil).wants(http.StatusOK)
		}
	}
}
