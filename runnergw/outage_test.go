package runnergw_test

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	runnerv1 "gitea.dev/actions-proto-go/runner/v1"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/postgres/pgtest"
)

// link is a connection to Postgres that can be cut.
type link struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	isCut bool
	conns map[net.Conn]struct{}
}

// newLink returns the link and the URL that leads through it.
func newLink(t *testing.T, database string) (*link, string) {
	u, err := url.Parse(database)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &link{listener: listener, target: u.Host, conns: map[net.Conn]struct{}{}}
	go l.serve()
	t.Cleanup(func() { _ = listener.Close() })
	u.Host = listener.Addr().String()
	return l, u.String()
}

func (l *link) serve() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", l.target)
		if err != nil || !l.add(client, server) {
			_ = client.Close()
			continue
		}
		go l.copy(client, server)
		go l.copy(server, client)
	}
}

func (l *link) add(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		if l.isCut {
			_ = c.Close()
		} else {
			l.conns[c] = struct{}{}
		}
	}
	return !l.isCut
}

func (l *link) copy(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}

func (l *link) cut(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = cut
	for c := range l.conns {
		if cut {
			_ = c.Close()
		}
	}
	clear(l.conns)
}

// While Postgres is away runners are told to try again, at once; then everything goes on by itself.
func TestPostgresGoesAwayAndComesBack(t *testing.T) {
	database := pgtest.New(t).URL
	l, through := newLink(t, database)
	e := newEnvAt(t, through)
	direct := dbtest.OpenURL(t, database)
	r, task := running(t, e)
	r.mustUpdate(&runnerv1.TaskState{Id: task.Id})
	idle := e.register(db.Scope{}, "linux")
	idle.mustFindNothing()

	l.cut(true)
	begin := time.Now()
	_, err := r.log(task.Id, 0, false, "x")
	require.Equal(t, connect.CodeUnavailable, connect.CodeOf(err), "%v", err)
	_, err = r.update(&runnerv1.TaskState{Id: task.Id, Result: runnerv1.Result_RESULT_SUCCESS}, nil)
	require.Equal(t, connect.CodeUnavailable, connect.CodeOf(err), "%v", err)
	_, err = idle.fetch(patience)
	require.Equal(t, connect.CodeUnavailable, connect.CodeOf(err), "%v", err)
	err = r.declare(nil)
	require.Equal(t, connect.CodeUnavailable, connect.CodeOf(err), "%v", err)
	require.Less(t, time.Since(begin), 5*time.Second)

	l.cut(false)
	job := dbtest.Job("b", "linux")
	dbtest.Run(t, direct, e.repo, job)
	dbtest.Offer(t, direct, job)
	e.eventually(func() bool {
		_, err := r.log(task.Id, 0, true, "x")
		return err == nil
	}, "the log goes on")
	require.Equal(t, runnerv1.Result_RESULT_SUCCESS, r.mustUpdate(&runnerv1.TaskState{Id: task.Id, Result: runnerv1.Result_RESULT_SUCCESS}))
	idle.mustFetch()
	e.eventually(func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var n int
		err := direct.NewRaw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'").Scan(ctx, &n)
		return err == nil && n == 1
	}, "it listens again")
}
