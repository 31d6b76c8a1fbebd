package apiserver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/ci"
)

func TestWorkflows(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.repo("demo", true)
	all := repoPath(repo, "/actions/workflows")
	require.EqualValues(t, 0, anna.do("GET", all, nil).wants(http.StatusOK)["total_count"])

	anna.push(repo, "main", map[string]string{".gitea/workflows/ci.yml": workflow, ".gitea/workflows/deep/other.yaml": "on: push\n"})
	out := anna.do("GET", all, nil).wants(http.StatusOK)
	require.EqualValues(t, 2, out["total_count"])

	one := anna.do("GET", all+"/ci.yml", nil).wants(http.StatusOK)
	for key, want := range map[string]any{
		"id": "ci.yml", "name": "CI", "path": ".gitea/workflows/ci.yml", "state": "active",
		"url": r.url + "/api/v1" + all + "/ci.yml", "deleted_at": "0001-01-01T00:00:00Z",
	} {
		require.Equal(t, want, one[key], key)
	}
	deep := anna.do("GET", all+"/deep%2Fother.yaml", nil).wants(http.StatusOK)
	require.Equal(t, "deep/other.yaml", deep["name"])
	anna.do("GET", strings.TrimPrefix(deep["url"].(string), r.url+"/api/v1"), nil).wants(http.StatusOK)

	for range 2 { // idempotent
		anna.do("PUT", all+"/ci.yml/disable", nil).wants(http.StatusNoContent)
	}
	require.Equal(t, "disabled_manually", anna.do("GET", all+"/ci.yml", nil).wants(http.StatusOK)["state"])
	anna.do("POST", all+"/ci.yml/dispatches", `{"ref":"main"}`).refused(http.StatusForbidden, "workflow is disabled")
	anna.do("PUT", all+"/ci.yml/enable", nil).wants(http.StatusNoContent)
	anna.do("POST", all+"/ci.yml/dispatches", `{"ref":"main"}`).wants(http.StatusNoContent)

	for _, file := range []string{"none.yml", "..%2F..%2Fetc%2Fpasswd", "%00", "7"} {
		anna.do("GET", all+"/"+file, nil).wants(http.StatusNotFound)
		anna.do("PUT", all+"/"+file+"/disable", nil).wants(http.StatusNotFound)
	}
}

func TestDispatch(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	anna.push(repo, "plain", map[string]string{
		".gitea/workflows/pushonly.yml": "on: push\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n",
		".gitea/workflows/broken.yml":   "on: workflow_dispatch\njobs: nothing\n",
	})
	path := repoPath(repo, "/actions/workflows/ci.yml/dispatches")
	details := path + "?return_run_details=true"

	anna.do("POST", path, `{"ref":"refs/heads/main"}`).wants(http.StatusNoContent)
	out := anna.do("POST", details, `{"ref":"main","inputs":{"who":"moon","undeclared":"x"}}`).wants(http.StatusOK)
	run := r.latestRun(repo)
	require.Equal(t, run.Run.ID, number(out["workflow_run_id"]))
	require.Equal(t, r.url+"/api/v1"+repoPath(repo, "/actions/runs/%d", run.Run.ID), out["run_url"])
	require.Equal(t, map[string]any{"who": "moon"}, r.inputs(run.Run.ID))

	form := url.Values{"ref": {"main"}, "inputs[who]": {"sun"}}.Encode()
	anna.do("POST", details, form, "Content-Type", "application/x-www-form-urlencoded").wants(http.StatusOK)
	require.Equal(t, map[string]any{"who": "sun"}, r.inputs(r.latestRun(repo).Run.ID))

	broken := repoPath(repo, "/actions/workflows/broken.yml/dispatches")
	var many []string
	for i := range ci.MaxInputs + 1 {
		many = append(many, fmt.Sprintf(`"i%d":"x"`, i))
	}
	before := r.latestRun(repo).Run.ID
	for _, tt := range []struct {
		path, body string
		status     int
		message    string
	}{
		{path, ``, 422, "[Ref]: Required"},
		{path, `{}`, 422, "[Ref]: Required"},
		{path, `{"ref":" "}`, 422, "[Ref]: Required"},
		{path, `{"ref":7}`, 422, "[Ref]: a number does not fit here"},
		{path, `[]`, 422, "[]: an array does not fit here"},
		{path, `{"ref":"main","inputs":{"who":7}}`, 422, "[Inputs.who]: a number does not fit here"},
		{path, `{"ref":"main","inputs":{"who":["x"]}}`, 422, "[Inputs.who]: an array does not fit here"},
		{path, `{"ref":"main","inputs":[]}`, 422, "[Inputs]: an array does not fit here"},
		{path, `{"ref":`, 422, "[]: unexpected end of JSON input"},
		{path, `nonsense`, 422, "[]: invalid character 'o' in literal null (expecting 'u')"},
		{path, `{"ref":"ma\u0000in"}`, 422, `[]: invalid character '\x00' in a string`},
		{path, `{"ref":"none"}`, 404, `ref "none" doesn't exist`},
		{path, `{"ref":"../../etc"}`, 404, `ref "../../etc" doesn't exist`},
		{repoPath(repo, "/actions/workflows/none.yml/dispatches"), `{"ref":"main"}`, 404, `workflow "none.yml" doesn't exist`},
		{path, `{"ref":"plain"}`, 404, `workflow "ci.yml" doesn't exist`},
		{repoPath(repo, "/actions/workflows/pushonly.yml/dispatches"), `{"ref":"plain"}`, 422, `workflow "pushonly.yml" has no workflow_dispatch trigger`},
		{broken, `{"ref":"plain","inputs":{` + strings.Join(many, ",") + `}}`, 422, "[inputs]: there are 26 inputs; the limit is 25"},
		{broken, `{"ref":"plain","inputs":{"a":"` + strings.Repeat("ä", ci.MaxInputChars+1) + `"}}`, 422, "[inputs]: the inputs have 65536 characters; the limit is 65535"},
		{path + "?scoped_workflow_source_repo_id=99", `{"ref":"main"}`, 404, `workflow "ci.yml" doesn't exist`},
	} {
		anna.do("POST", tt.path, tt.body).refused(tt.status, tt.message)
	}
	require.Equal(t, before, r.latestRun(repo).Run.ID, "nothing was started")
}

// inputs are those that a run was started with.
func (r *rig) inputs(run int64) map[string]any {
	r.t.Helper()
	var raw []byte
	require.NoError(r.t, r.db.Pool.QueryRow(r.t.Context(), `SELECT inputs FROM runs WHERE id = $1`, run).Scan(&raw))
	var out map[string]any
	require.NoError(r.t, json.Unmarshal(raw, &out))
	return out
}

func TestBodyLimit(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	big := `{"name":"` + strings.Repeat("x", 1<<20) + `"}`
	anna.do("POST", "/user/repos", big).refused(http.StatusRequestEntityTooLarge, "the body is larger than 1048576 bytes")
}
