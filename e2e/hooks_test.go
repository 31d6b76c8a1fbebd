package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/client"
	"github.com/pawl-ci/pawl/workflows"
)

const hookSecret = "It's a Secret to Everybody"

// receiver is a webhook of somebody: it keeps what it gets and answers with a status.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []http.Header
	bodies [][]byte
}

func newReceiver(t *testing.T, status int) *receiver {
	r := &receiver{status: status}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got, r.bodies = append(r.got, req.Header), append(r.bodies, body)
	w.WriteHeader(r.status)
	_, _ = io.WriteString(w, "thank you")
}

// message is what is the same in the messages of both events.
type message struct {
	Action   string
	Workflow struct{ ID string }
	Run      struct {
		ID                 int64
		Status, Conclusion string
	} `json:"workflow_run"`
	Job struct {
		Name, Status, Conclusion string
		RunnerName               string `json:"runner_name"`
	} `json:"workflow_job"`
	Repository struct {
		FullName string `json:"full_name"`
	}
	Sender struct{ Login string }
}

// messages are those that came, in the order of no promise; each is checked for its signature.
func (r *receiver) messages(t *testing.T, event string) (all []message) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, header := range r.got {
		mac := hmac.New(sha256.New, []byte(hookSecret))
		mac.Write(r.bodies[i])
		signature := hex.EncodeToString(mac.Sum(nil))
		require.Equal(t, signature, header.Get("X-Gitea-Signature"))
		require.Equal(t, "sha256="+signature, header.Get("X-Hub-Signature-256"))
		require.Equal(t, header.Get("X-Gitea-Event"), header.Get("X-GitHub-Event"))
		if header.Get("X-Gitea-Event") == event {
			var m message
			require.NoError(t, json.Unmarshal(r.bodies[i], &m))
			all = append(all, m)
		}
	}
	return all
}

func (p *project) hook(t *testing.T, r *receiver) client.Hook {
	t.Helper()
	h, err := p.CreateHook(t.Context(), p.repo, client.Hook{
		Type: "gitea", Config: map[string]string{"url": r.URL, "content_type": "json", "secret": hookSecret},
		Events: []string{"workflow_run", "workflow_job"}, Active: true,
	})
	require.NoError(t, err)
	return h
}

func (p *project) deliveries(t *testing.T, h client.Hook) []client.Delivery {
	t.Helper()
	list, err := p.Deliveries(t.Context(), p.repo, h.ID)
	require.NoError(t, err)
	return list
}

// TestWebhooksOfARun also follows the run, so that both ways of hearing of it are compared.
func TestWebhooksOfARun(t *testing.T) {
	p := theStack(t).project(t, `on: workflow_dispatch
jobs:
  first:
    runs-on: ubuntu-latest
    steps: [{run: 'true'}]
  second:
    needs: first
    runs-on: ubuntu-latest
    steps: [{run: exit 1}]
`)
	r := newReceiver(t, http.StatusOK)
	h := p.hook(t, r)
	id := p.dispatch(t, nil)
	followed := map[string][]string{}
	require.NoError(t, p.FollowRun(t.Context(), p.repo, id, func(e client.StatusEvent) bool {
		if e.Change != nil {
			followed[e.Change.Name] = append(followed[e.Change.Name], e.Change.Status)
		}
		return true
	}))
	run := p.await(t, id, client.Run.Done)
	require.Equal(t, "failure", run.Conclusion)
	require.Equal(t, "completed", followed[""][len(followed[""])-1])
	require.Subset(t, []string{"queued", "in_progress", "completed"}, followed["first"])
	eventually(t, func() bool { return len(r.messages(t, "workflow_run")) == 3 && len(r.messages(t, "workflow_job")) == 7 }, "messages")

	var actions []string
	for _, m := range r.messages(t, "workflow_run") {
		actions = append(actions, m.Action)
		require.Equal(t, []any{id, "ci.yml", p.repo, p.stack.info(t).AdminUser}, []any{m.Run.ID, m.Workflow.ID, m.Repository.FullName, m.Sender.Login})
		if m.Action == "completed" {
			require.Equal(t, []string{"completed", "failure"}, []string{m.Run.Status, m.Run.Conclusion})
		}
	}
	require.ElementsMatch(t, []string{"requested", "in_progress", "completed"}, actions)
	jobs := map[string][]string{}
	for _, m := range r.messages(t, "workflow_job") {
		require.Equal(t, m.Action, m.Job.Status)
		require.Equal(t, m.Action == "in_progress" || m.Action == "completed", m.Job.RunnerName != "", "%+v", m)
		jobs[m.Job.Name] = append(jobs[m.Job.Name], m.Action+m.Job.Conclusion)
	}
	require.ElementsMatch(t, []string{"queued", "in_progress", "completedsuccess"}, jobs["first"])
	require.ElementsMatch(t, []string{"waiting", "queued", "in_progress", "completedfailure"}, jobs["second"])

	eventually(t, func() bool {
		return !slices.ContainsFunc(p.deliveries(t, h), func(d client.Delivery) bool { return d.State != "delivered" })
	}, "all are noted")
	list := p.deliveries(t, h)
	require.Len(t, list, 10)
	whole, err := p.Delivery(t.Context(), p.repo, h.ID, list[0].ID)
	require.NoError(t, err)
	require.Equal(t, "thank you", whole.Response.Payload)
	require.Equal(t, whole.GUID, whole.Request.Headers["X-Gitea-Delivery"])
	history(t, p, workflows.DeliveryWorkflowID(whole.ID), "hook-delivered")

	again, err := p.Redeliver(t.Context(), p.repo, h.ID, whole.ID)
	require.NoError(t, err)
	require.Equal(t, whole.GUID, again.GUID)
	require.NoError(t, p.TestHook(t.Context(), p.repo, h.ID))
	eventually(t, func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.got) == 12 }, "the redelivery and the test")
}

// TestAWebhookThatRefuses: somebody cancels the delivery that is tried again and again.
func TestAWebhookThatRefuses(t *testing.T) {
	p := theStack(t).project(t, threeJobs)
	r := newReceiver(t, http.StatusServiceUnavailable)
	h := p.hook(t, r)
	require.NoError(t, p.TestHook(t.Context(), p.repo, h.ID))
	eventually(t, func() bool { return p.deliveries(t, h)[0].Attempts > 0 }, "it is tried")
	d := p.deliveries(t, h)[0]
	require.Equal(t, []any{"pending", 503}, []any{d.State, d.StatusCode})
	temporal := p.stack.temporal(t)
	defer temporal.Close()
	require.NoError(t, temporal.CancelWorkflow(t.Context(), workflows.DeliveryWorkflowID(d.ID), ""))
	eventually(t, func() bool { return p.deliveries(t, h)[0].State == "failed" }, "it is given up")
	eventually(t, func() bool {
		found, err := temporal.DescribeWorkflowExecution(t.Context(), workflows.DeliveryWorkflowID(d.ID), "")
		return err == nil && found.GetWorkflowExecutionInfo().GetCloseTime() != nil
	}, "the workflow ends")
	history(t, p, workflows.DeliveryWorkflowID(d.ID), "hook-given-up")
}

// TestAWebhookSurvivesCrashes kills the whole stack, with the deliveries that it had stored or not.
func TestAWebhookSurvivesCrashes(t *testing.T) {
	s := ownStack(t)
	p := s.project(t, `on: workflow_dispatch
jobs:
  only:
    runs-on: ubuntu-latest
    steps: [{run: 'true'}]
`)
	r := newReceiver(t, http.StatusOK)
	h := p.hook(t, r)
	id := p.dispatch(t, nil)
	require.NoError(t, s.cmd.Process.Kill()) // nothing is told yet, most likely
	<-s.ended
	p.URL = restart(t, s).info(t).URL
	p.awaitEnd(t, id)
	eventually(t, func() bool {
		list := p.deliveries(t, h)
		return len(list) == 6 && !slices.ContainsFunc(list, func(d client.Delivery) bool { return d.State != "delivered" })
	}, "all six messages: %+v", p.deliveries(t, h))
	seen := map[string]bool{}
	r.mu.Lock()
	for _, header := range r.got {
		seen[header.Get("X-Gitea-Delivery")] = true
	}
	r.mu.Unlock()
	require.Len(t, seen, 6, "each at least once")
}
