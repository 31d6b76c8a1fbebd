package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporal "go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"

	"github.com/pawl-ci/pawl/internal/client"
)

const (
	theSecret   = "correct-horse-battery-staple-4711"
	itsEncoding = "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZS00NzEx"
)

const secretive = `name: Secretive
run-name: from ${{ vars.PLACE }}
on: workflow_dispatch
jobs:
  show:
    name: on ${{ vars.place }}
    if: vars.PLACE == 'earth'
    runs-on: ubuntu-latest
    outputs: {leak: "${{ steps.s.outputs.leak }}", fine: "${{ steps.s.outputs.fine }}"}
    env: {WORD: "${{ secrets.word }}", PLACE: "${{ vars.PLACE }}"}
    steps:
      - id: s
        run: |
          printf %s "$WORD" | sha256sum | grep -q SUM
          echo "the place is $PLACE"
          echo "the word is $WORD."
          printf 'encoded %s.\n' "$(printf %s "$WORD" | base64 -w0)"
          echo "leak=$WORD" >> "$GITHUB_OUTPUT"
          echo "fine=yes" >> "$GITHUB_OUTPUT"
      - run: exit 0 # ${{ secrets.WORD }}
  call:
    needs: show
    uses: ./.gitea/workflows/callee.yml
    secrets: {inner: "${{ secrets.WORD }}"}
  after:
    needs: [show, call]
    runs-on: ubuntu-latest
    steps: [{run: 'echo "leaked <${{ needs.show.outputs.leak }}> fine <${{ needs.show.outputs.fine }}>"'}]
`

const secretiveCallee = `on: {workflow_call: {secrets: {inner: {required: true}}}}
jobs:
  inner:
    runs-on: ubuntu-latest
    env: {WORD: "${{ secrets.inner }}", OUTER: "${{ secrets.WORD }}"}
    steps:
      - run: printf %s "$WORD" | sha256sum | grep -q SUM
      - run: test -z "$OUTER" && echo "inner $WORD at ${{ vars.PLACE }}"
`

func withSum(workflow string) string {
	return strings.ReplaceAll(workflow, "SUM", fmt.Sprintf("%x", sha256.Sum256([]byte(theSecret))))
}

// A job gets its secret, and nothing but the job does: the log does not show it, and it is in no table, no history of
// Temporal, no log of a process, and no answer of the API.
func TestASecretIsNowhere(t *testing.T) {
	s := ownStack(t)
	p := s.project(t, withSum(secretive))
	require.NoError(t, p.SetSecret(t.Context(), client.RepoLevel(p.repo), "word", theSecret, ""))
	require.NoError(t, p.SetVariable(t.Context(), client.RepoLevel(p.repo), "place", "earth", ""))
	p.push(t, map[string]string{".gitea/workflows/callee.yml": withSum(secretiveCallee)}, "Add what is called")

	id := p.dispatch(t, nil)
	run := p.awaitEnd(t, id)
	jobs := p.jobs(t, id)
	require.Equal(t, "success", run.Conclusion, "%+v", jobs)
	shown := p.log(t, jobs["on earth"])
	require.Contains(t, shown, "the place is earth")
	require.Contains(t, shown, "the word is ***.")
	require.Contains(t, shown, "encoded ***")
	require.Contains(t, p.log(t, jobs["inner"]), "inner *** at earth")
	require.Contains(t, p.log(t, jobs["after"]), "leaked <> fine <yes>")

	for _, list := range []string{
		"/actions/secrets", "/actions/variables", "/actions/runs", fmt.Sprintf("/actions/runs/%d", id), fmt.Sprintf("/actions/runs/%d/jobs", id),
		fmt.Sprintf("/actions/runs/%d/timeline", id), "/actions/tasks", fmt.Sprintf("/actions/jobs/%d/logs", jobs["on earth"].ID),
		fmt.Sprintf("/actions/jobs/%d/logs", jobs["inner"].ID),
	} {
		requireNoSecret(t, p.get(t, list), "answer "+list)
	}
	info := s.info(t)
	dump, histories := dumpOf(t, info.DatabaseURL), historiesOf(t, info.TemporalAddress, info.TemporalNamespace)
	require.Contains(t, dump, ",earth,", "the variable is there")
	require.Contains(t, histories, p.repo, "the run is there")
	requireNoSecret(t, dump, "database")
	requireNoSecret(t, histories, "histories")
	requireNoSecret(t, s.output.String(), "output")
	logs, err := filepath.Glob(filepath.Join(info.LogDir, "*"))
	require.NoError(t, err)
	require.NotEmpty(t, logs)
	for _, path := range logs {
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		requireNoSecret(t, string(raw), path)
	}
}

func requireNoSecret(t *testing.T, text, where string) {
	t.Helper()
	require.NotEmpty(t, text, where)
	for _, form := range []string{theSecret, itsEncoding, hex.EncodeToString([]byte(theSecret)), hex.EncodeToString([]byte(itsEncoding))} {
		if at := strings.Index(text, form); at >= 0 {
			t.Errorf("%s holds the secret: ...%q", where, text[max(0, at-100):at+len(form)])
		}
	}
}

func TestTheEncodingIsRight(t *testing.T) {
	require.Equal(t, base64.StdEncoding.EncodeToString([]byte(theSecret)), itsEncoding)
}

// get reads a path of the project's repository.
func (p *project) get(t *testing.T, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/api/v1/repos/"+p.repo+path, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "token "+p.Token)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", path, body)
	return string(body)
}

// dumpOf is every row of every table.
func dumpOf(t *testing.T, url string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), `SELECT quote_ident(table_name) FROM information_schema.tables
		WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Contains(t, tables, "secrets")
	var dump strings.Builder
	for _, table := range tables {
		rows, err := conn.Query(t.Context(), `SELECT r::text FROM `+table+` r`)
		require.NoError(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		fmt.Fprintf(&dump, "%s\n%s\n", table, strings.Join(lines, "\n"))
	}
	return dump.String()
}

// historiesOf is every event of every workflow.
func historiesOf(t *testing.T, address, namespace string) string {
	t.Helper()
	c, err := temporal.Dial(temporal.Options{HostPort: address, Namespace: namespace})
	require.NoError(t, err)
	defer c.Close()
	var all strings.Builder
	for page := []byte(nil); ; {
		found, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{NextPageToken: page})
		require.NoError(t, err)
		for _, w := range found.Executions {
			iter := c.GetWorkflowHistory(t.Context(), w.Execution.WorkflowId, w.Execution.RunId, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
			for iter.HasNext() {
				e, err := iter.Next()
				require.NoError(t, err)
				raw, err := proto.Marshal(e)
				require.NoError(t, err)
				all.Write(raw)
			}
		}
		if page = found.NextPageToken; len(page) == 0 {
			return all.String()
		}
	}
}
