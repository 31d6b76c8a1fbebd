package runnergw_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"
	runnerv1 "gitea.dev/actions-proto-go/runner/v1"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
)

// BenchmarkLogUpload uploads with eight runners in requests of 200 rows of 120 bytes; runner, gateway and Postgres
// share the machine.
func BenchmarkLogUpload(b *testing.B) {
	e := newEnv(b)
	const uploads, rows = 8, 200
	content := func(i int) string {
		return (fmt.Sprintf("%08d ", i) + strings.Repeat("go: downloading example.com/module v1.2.3 ", 4))[:120]
	}
	var runners []*runner
	var tasks []int64
	for i := range uploads {
		r := e.register(db.Scope{}, "linux")
		e.offer(dbtest.Job(fmt.Sprint("job", i), "linux"))
		runners, tasks = append(runners, r), append(tasks, r.mustFetch().Id)
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	b.SetBytes(rows * 120)
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for i, r := range runners {
		wg.Go(func() {
			batch := make([]*runnerv1.LogRow, rows)
			for index := int64(0); left.Add(-1) >= 0; index += rows {
				now := timestamppb.Now()
				for j := range batch {
					batch[j] = &runnerv1.LogRow{Time: now, Content: content(int(index) + j)}
				}
				got, err := r.rpc.UpdateLog(b.Context(), connect.NewRequest(&runnerv1.UpdateLogRequest{TaskId: tasks[i], Index: index, Rows: batch}))
				if err != nil || got.Msg.AckIndex != index+rows {
					b.Errorf("upload %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkJob is the gateway's part of a whole job, with eight runners: claim, two reports, two appends.
func BenchmarkJob(b *testing.B) {
	e := newEnv(b)
	const runners = 8
	var fleet []*runner
	for range runners {
		fleet = append(fleet, e.register(db.Scope{}, "linux"))
	}
	for done := 0; done < b.N; done += 500 {
		var jobs []*db.Job
		for i := range min(500, b.N-done) {
			jobs = append(jobs, dbtest.Job(fmt.Sprint("job", i), "linux"))
		}
		b.StopTimer()
		e.offer(jobs...)
		b.StartTimer()
		var left atomic.Int64
		left.Store(int64(len(jobs)))
		var wg sync.WaitGroup
		for _, r := range fleet {
			wg.Go(func() {
				for left.Add(-1) >= 0 {
					r.work(b)
				}
			})
		}
		wg.Wait()
	}
}

func (r *runner) work(b *testing.B) {
	task := r.mustFetch()
	state := &runnerv1.TaskState{Id: task.Id, StartedAt: timestamppb.Now(), Steps: []*runnerv1.StepState{{Id: 0}, {Id: 1}}}
	r.mustUpdate(state)
	_, err := r.log(task.Id, 0, false, strings.Split(strings.Repeat("row\n", 20), "\n")[:20]...)
	require.NoError(b, err)
	_, err = r.log(task.Id, 20, true, "Job succeeded")
	require.NoError(b, err)
	state.Result = runnerv1.Result_RESULT_SUCCESS
	require.Equal(b, runnerv1.Result_RESULT_SUCCESS, r.mustUpdate(state))
}

// BenchmarkIdleFleet reports the CPU that 300 polling runners cost, in percent of one core. It counts runners and
// gateway, which share this process, but not Postgres. One iteration is ten seconds.
func BenchmarkIdleFleet(b *testing.B) {
	e := newEnv(b)
	e.offer(dbtest.Job("other", "mac"))
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 300 {
		r := e.register(db.Scope{}, "linux")
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					_, _ = r.fetch(5 * time.Second)
				}
			}
		})
	}
	e.eventually(func() bool { return e.heldPolls() == 300 }, "all poll")
	begin := processorTime(b)
	b.ResetTimer()
	for range b.N {
		<-time.After(10 * time.Second)
	}
	b.ReportMetric((processorTime(b)-begin).Seconds()/b.Elapsed().Seconds()*100, "%core")
	close(done)
	e.gw.Drain()
	wg.Wait()
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
