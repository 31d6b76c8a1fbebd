package runnergw_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	runnerv1 "gitea.dev/actions-proto-go/runner/v1"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pawl-ci/pawl/db"
)

// post sends a raw body as the runner.
func (r *runner) post(method, contentType string, body []byte, headers ...string) *http.Response {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	r.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.server.URL+"/api/actions/runner.v1.RunnerService/"+method, bytes.NewReader(body))
	require.NoError(r.t, err)
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Connect-Timeout-Ms", "300")
	req.Header.Set("x-runner-uuid", r.uuid)
	req.Header.Set("x-runner-token", r.secret)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := r.server.Client().Do(req)
	require.NoError(r.t, err)
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(r.t, err)
	require.NoError(r.t, res.Body.Close())
	return res
}

func zipped(t *testing.T, n int) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	zeros := make([]byte, 1<<20)
	for ; n > 0; n -= len(zeros) {
		_, err := w.Write(zeros)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

// manySteps is a report with n empty steps: two bytes each.
func manySteps(n int) []byte {
	state := bytes.Repeat([]byte{5<<3 | 2, 0}, n)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), state)
}

// Nothing that a client sends gives a 5xx, a hang or a panic.
func TestHostileBodies(t *testing.T) {
	e := newEnv(t)
	r, task := running(t, e)
	binary, js := "application/proto", "application/json"
	badUTF8 := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), []byte("\xff\xfe"))
	bodies := map[string]struct {
		kind    string
		body    []byte
		headers []string
	}{
		"empty":                 {binary, nil, nil},
		"empty json":            {js, nil, nil},
		"garbage":               {binary, []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), nil},
		"truncated":             {binary, []byte{10, 200, 1, 1}, nil},
		"wrong types":           {binary, []byte{8, 1, 16, 1, 24, 1, 32, 1, 40, 1}, nil},
		"groups":                {binary, []byte{1<<3 | 3, 2<<3 | 3}, nil},
		"invalid UTF-8":         {binary, badUTF8, nil},
		"json array":            {js, []byte("[]"), nil},
		"json nonsense":         {js, []byte(`{"taskId": {"a": 1}, "state": 7, "index": "x"}`), nil},
		"json deep":             {js, []byte(strings.Repeat(`{"state":`, 100_000)), nil},
		"json huge number":      {js, []byte(`{"taskId": 1e400, "tasksVersion": "99999999999999999999"}`), nil},
		"json large":            {js, []byte(`{"x":"` + strings.Repeat("x", 5<<20) + `"}`), nil},
		"many steps":            {binary, manySteps(1_000_000), nil},
		"unknown type":          {"text/plain", []byte("hello"), nil},
		"unknown compression":   {binary, []byte("x"), []string{"Content-Encoding", "br"}},
		"not compressed":        {binary, []byte("x"), []string{"Content-Encoding", "gzip"}},
		"bomb":                  {binary, zipped(t, 128<<20), []string{"Content-Encoding", "gzip"}},
		"bad timeout":           {binary, nil, []string{"Connect-Timeout-Ms", "soon"}},
		"long timeout":          {binary, []byte{8, 1}, []string{"Connect-Timeout-Ms", "99999999999"}},
		"bad protocol":          {binary, nil, []string{"Connect-Protocol-Version", "9"}},
		"grpc without a stream": {"application/grpc", []byte("x"), nil},
	}
	for name, b := range bodies {
		for _, method := range []string{"Register", "Declare", "FetchTask", "UpdateTask", "UpdateLog", "Nonsense", "../../etc"} {
			if method == "FetchTask" && name == "long timeout" {
				continue // it would be held, and rightly
			}
			t.Run(name+"/"+method, func(t *testing.T) {
				res := r.post(method, b.kind, b.body, b.headers...)
				require.Less(t, res.StatusCode, 500)
			})
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		req, err := http.NewRequestWithContext(t.Context(), method, e.server.URL+"/api/actions/runner.v1.RunnerService/FetchTask", nil)
		require.NoError(t, err)
		res, err := e.server.Client().Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Less(t, res.StatusCode, 500)
	}
	require.NotNil(t, task)
}

func TestHostileMessages(t *testing.T) {
	e := newEnv(t)
	r, task := running(t, e)
	far := &timestamppb.Timestamp{Seconds: math.MaxInt64, Nanos: -1}
	states := []*runnerv1.TaskState{
		{Id: task.Id, StartedAt: far, StoppedAt: far, Steps: []*runnerv1.StepState{{Id: math.MaxInt64}, {Id: -1}, {Id: 0, StartedAt: far, StoppedAt: far, LogIndex: -5, LogLength: math.MinInt64}, {Id: 0}}},
		{Id: task.Id, Steps: []*runnerv1.StepState{{Id: 1, Result: 99}}},
		{Id: task.Id, Steps: []*runnerv1.StepState{nil}},
	}
	for i, s := range states {
		_, err := r.update(s, nil)
		require.NoError(t, err, "state %d", i)
	}
	require.Len(t, e.task(task.Id).Steps, 2)
	_, err := r.update(&runnerv1.TaskState{Id: task.Id, Result: 99}, nil)
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err))
	_, err = r.rpc.UpdateTask(t.Context(), connect.NewRequest(&runnerv1.UpdateTaskRequest{}))
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err))
	_, err = r.rpc.UpdateLog(t.Context(), connect.NewRequest(&runnerv1.UpdateLogRequest{TaskId: task.Id, Rows: []*runnerv1.LogRow{nil, {}}}))
	require.NoError(t, err)
	_, err = r.log(task.Id, math.MaxInt64, false, "x", "y")
	require.NoError(t, err, "a gap")
	_, err = r.rpc.FetchTask(withTimeout(t, 300*time.Millisecond), connect.NewRequest(&runnerv1.FetchTaskRequest{TasksVersion: math.MinInt64}))
	require.NoError(t, err)
	err = r.declare([]string{"a\x00b", strings.Repeat("x", 256)})
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err))
	require.NoError(t, r.declare([]string{"a\x00b"}, "c\x00"))
	got := e.registerAs(db.Scope{}, &runnerv1.RegisterRequest{Name: "n\x00ame", Version: strings.Repeat("v\x00", 1000)})
	require.NotZero(t, got.id)
}

// Rows that are not UTF-8 cannot be sent by a proper protobuf library; they are mended, because refusing them would
// hold up the whole log.
func TestRowsThatAreNotUTF8(t *testing.T) {
	e := newEnv(t)
	r, task := running(t, e)
	row := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), []byte("a\xffb"))
	body := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(task.Id))
	body = protowire.AppendBytes(protowire.AppendTag(body, 3, protowire.BytesType), row)
	require.Equal(t, http.StatusOK, r.post("UpdateLog", "application/proto", body).StatusCode)
	require.Contains(t, e.text(task.Id), " a\uFFFDb\n")
}

func TestTooManyRowsAreTakenInParts(t *testing.T) {
	e := newEnv(t)
	r, task := running(t, e)
	body := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(task.Id))
	body = append(body, bytes.Repeat([]byte{3<<3 | 2, 0}, 150_000)...)
	body = protowire.AppendVarint(protowire.AppendTag(body, 4, protowire.VarintType), 1)
	require.Equal(t, http.StatusOK, r.post("UpdateLog", "application/proto", body, "Connect-Timeout-Ms", "15000").StatusCode)
	log, err := e.db.TaskLog(t.Context(), task.Id)
	require.NoError(t, err)
	require.EqualValues(t, 100_000, log.RowCount)
	require.False(t, log.IsSealed, "not all rows are there")
}

func TestJSONClients(t *testing.T) {
	e := newEnv(t)
	r, task := running(t, e)
	for method, body := range map[string]string{
		"UpdateTask": fmt.Sprintf(`{"state":{"id":"%d","steps":[{"id":"0","startedAt":"2026-01-01T00:00:00Z"}]},"unknown":1}`, task.Id),
		"UpdateLog":  fmt.Sprintf(`{"taskId":"%d","rows":[{"time":"2026-01-01T00:00:00Z","content":"x"}]}`, task.Id),
		"FetchTask":  `{"tasksVersion":"3"}`,
		"Declare":    `{"version":"v1","labels":["linux"]}`,
	} {
		require.Equal(t, http.StatusOK, r.post(method, "application/json; charset=utf-8", []byte(body)).StatusCode, method)
	}
}
