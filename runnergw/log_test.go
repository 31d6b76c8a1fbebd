package runnergw_test

import (
	"fmt"
	"strings"
	"testing"

	"connectrpc.com/connect"
	runnerv1 "gitea.dev/actions-proto-go/runner/v1"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pawl-ci/pawl/runnergw"
)

// The table of runner-protocol.md §8.2.
func TestUpdateLogCases(t *testing.T) {
	type call struct {
		index  int64
		rows   []string
		noMore bool
		ack    int64
		err    string
	}
	tests := []struct {
		name  string
		calls []call
		want  string // first letters of the rows
	}{
		{"append", []call{{0, []string{"a", "b"}, false, 2, ""}, {2, []string{"c"}, false, 3, ""}}, "abc"},
		{"overlap appends the tail", []call{{0, []string{"a", "b"}, false, 2, ""}, {1, []string{"x", "c"}, false, 3, ""}}, "abc"},
		{"all known", []call{{0, []string{"a", "b"}, false, 2, ""}, {0, []string{"x", "y"}, false, 2, ""}, {0, []string{"x"}, false, 2, ""}}, "ab"},
		{"gap", []call{{0, []string{"a"}, false, 1, ""}, {5, []string{"x"}, false, 1, ""}, {5, nil, true, 1, ""}, {1, []string{"b"}, false, 2, ""}}, "ab"},
		{"seal with rows", []call{{0, []string{"a"}, true, 1, ""}, {1, []string{"x"}, false, 0, "already exists: log file has been archived"}}, "a"},
		{"seal without rows", []call{{0, []string{"a"}, false, 1, ""}, {1, nil, true, 1, ""}, {1, nil, true, 1, ""}}, "a"},
		{"seal of an empty log", []call{{0, nil, true, 0, ""}, {0, []string{"x"}, false, 0, "already exists"}}, ""},
		{"repeat after sealing", []call{{0, []string{"a"}, true, 1, ""}, {0, []string{"a"}, true, 1, ""}, {0, []string{"a", "x"}, true, 0, "already exists"}}, "a"},
		{"known rows that seal", []call{{0, []string{"a"}, false, 1, ""}, {0, []string{"a"}, true, 1, ""}, {1, []string{"x"}, true, 0, "already exists"}}, "a"},
		{"nothing", []call{{0, nil, false, 0, ""}}, ""},
		{"negative", []call{{-1, []string{"x"}, false, 0, "index"}}, ""},
	}
	e := newEnv(t)
	for _, tt := range tests {
		for _, name := range []string{"cached", "another gateway each time"} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				r, task := running(t, e)
				for i, c := range tt.calls {
					if name != "cached" {
						r.forgetTasks()
					}
					ack, err := r.log(task.Id, c.index, c.noMore, c.rows...)
					if c.err != "" {
						require.ErrorContains(t, err, c.err, "call %d", i)
						continue
					}
					require.NoError(t, err)
					require.Equal(t, c.ack, ack, "call %d", i)
				}
				var got string
				for line := range strings.Lines(e.text(task.Id)) {
					got += line[29:30]
				}
				require.Equal(t, tt.want, got)
				require.False(t, e.task(task.Id).ConfirmedAt.IsZero() && tt.name != "negative", "rows confirm a task")
			})
		}
	}
}

// forgetTasks makes the gateway know no more of the runner's tasks than one that was just started.
func (r *runner) forgetTasks() { runnergw.ForgetTasks(r.gw) }

// Another gateway has taken rows since this one last looked.
func TestUpdateLogWhenAnotherGatewayWasFaster(t *testing.T) {
	e := newEnv(t)
	r, task := running(t, e)
	_, err := r.log(task.Id, 0, false, "a")
	require.NoError(t, err)
	e.exec("UPDATE task_logs SET row_count = 3")
	ack, err := r.log(task.Id, 3, false, "d")
	require.NoError(t, err)
	require.EqualValues(t, 4, ack, "no gap: the length is read afresh")
	e.exec("UPDATE task_logs SET row_count = 6")
	ack, err = r.log(task.Id, 4, false, "e", "f", "g")
	require.NoError(t, err)
	require.EqualValues(t, 7, ack, "only the tail is new")
}

func TestLogFormat(t *testing.T) {
	e := newEnv(t)
	r, task := running(t, e)
	rows := []*runnerv1.LogRow{
		{Time: timestamppb.New(timeAt(1_700_000_000, 5)), Content: "plain"},
		{Time: &timestamppb.Timestamp{Seconds: -1 << 60}, Content: "no time"},
		{Content: "two\nlines\n"},
		{Time: &timestamppb.Timestamp{Seconds: 1_700_000_000, Nanos: 2_000_000_000}, Content: "nul\x00"},
		{Time: timestamppb.New(timeAt(1_700_000_000, 0)), Content: strings.Repeat("é", 40_000)},
	}
	_, err := r.rpc.UpdateLog(t.Context(), connect.NewRequest(&runnerv1.UpdateLogRequest{TaskId: task.Id, Rows: rows, NoMore: true}))
	require.NoError(t, err)
	lines := strings.Split(e.text(task.Id), "\n")
	require.Len(t, lines, 6)
	require.Equal(t, "2023-11-14T22:13:20.0000000Z plain", lines[0])
	require.Regexp(t, `^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z no time$`, lines[1])
	require.Equal(t, `two\nlines`, lines[2][29:])
	require.Equal(t, "nul", lines[3][29:])
	require.Len(t, lines[4][29:], 64<<10)
	log, err := e.db.TaskLog(t.Context(), task.Id)
	require.NoError(t, err)
	require.EqualValues(t, len(e.text(task.Id)), log.ByteCount)
	require.Equal(t, float64(log.ByteCount), e.metric("pawl_log_bytes_total"))
}

func TestLargeLogIsStoredInChunks(t *testing.T) {
	e := newEnv(t)
	r, task := running(t, e)
	contents := make([]string, 3000)
	for i := range contents {
		contents[i] = fmt.Sprintf("%04d %s", i, strings.Repeat("x", 1000))
	}
	ack, err := r.log(task.Id, 0, true, contents...)
	require.NoError(t, err)
	require.EqualValues(t, len(contents), ack)
	var chunks int
	var next int64
	for c, err := range e.db.LogChunks(t.Context(), task.Id, 0, -1) {
		require.NoError(t, err)
		require.Equal(t, next, c.FirstRow)
		chunks, next = chunks+1, next+int64(c.RowCount)
	}
	require.Equal(t, ack, next)
	require.Equal(t, 3, chunks)
	i := 0
	for line := range strings.Lines(e.text(task.Id)) {
		require.Equal(t, contents[i], strings.TrimSuffix(line[29:], "\n"))
		i++
	}
}

func TestLogLimit(t *testing.T) {
	e := newEnv(t, func(o *runnergw.Options) { o.MaxLogBytes = 200 })
	r, task := running(t, e)
	var index int64
	for range 5 {
		ack, err := r.log(task.Id, index, false, strings.Repeat("x", 50), strings.Repeat("y", 50))
		require.NoError(t, err, "the runner goes on")
		require.Equal(t, index+2, ack)
		index = ack
	}
	text := e.text(task.Id)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	require.Len(t, lines, 3)
	require.Equal(t, strings.Repeat("y", 50), lines[1][29:], "what fits is whole")
	require.Equal(t, "Pawl: this log has reached its limit of 200 bytes; the job goes on, and what follows is not stored", lines[2][29:])
	_, err := r.log(task.Id, index, true)
	require.NoError(t, err)
	log, err := e.db.TaskLog(t.Context(), task.Id)
	require.NoError(t, err)
	require.EqualValues(t, 10, log.RowCount, "rows that are not stored count")
	require.EqualValues(t, len(text), log.ByteCount)
	require.True(t, log.IsSealed)
	require.True(t, log.IsTruncated)
}

func TestReadersAreWokenByRows(t *testing.T) {
	e := newEnv(t)
	r, task := running(t, e)
	changed, cancel := e.hub.Subscribe(task.Id)
	defer cancel()
	_, err := r.log(task.Id, 0, false, "a")
	require.NoError(t, err)
	<-changed
	_, err = r.log(task.Id, 1, true)
	require.NoError(t, err)
	<-changed
}
