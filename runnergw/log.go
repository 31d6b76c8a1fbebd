package runnergw

import (
	"context"
	"fmt"
	"time"

	"connectrpc.com/connect"
	runnerv1 "gitea.dev/actions-proto-go/runner/v1"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/logchunk"
)

// UpdateLog implements runner-protocol.md §8.2. It is open until the log is sealed, whatever has become of the task.
func (s *runnerService) UpdateLog(ctx context.Context, req *connect.Request[runnerv1.UpdateLogRequest]) (*connect.Response[runnerv1.UpdateLogResponse], error) {
	c, err := knownRunner(ctx)
	if err != nil {
		return nil, err
	}
	if req.Msg.Index < 0 {
		return nil, fault.BadRequest("must not be negative").In("index")
	}
	t, err := s.g.tasks.get(ctx, req.Msg.TaskId, c.runner.ID)
	if err != nil {
		return nil, err
	}
	if err := s.g.hideSecrets(ctx, t, req.Msg.Rows); err != nil {
		return nil, err
	}
	ack, err := s.g.appendLog(ctx, t, req.Msg)
	if err != nil {
		return nil, err
	}
	s.g.presence.active(t.RunnerID)
	if err := s.g.touch(ctx, t); err != nil {
		return nil, err
	}
	return connect.NewResponse(&runnerv1.UpdateLogResponse{AckIndex: ack}), nil
}

// touch shows that the runner has the task and is alive, unless that was written a moment ago.
func (g *Gateway) touch(ctx context.Context, t *task) error {
	now := g.now()
	if !t.needsTouch(now) {
		return nil
	}
	supervised, err := g.db.TouchTask(ctx, t.TaskID)
	if err != nil {
		return dbFault(err)
	}
	t.touched(now)
	if supervised {
		g.beats.beat(t)
	}
	return nil
}

// appendTries is how often an append is tried with a fresh look at the log's length.
const appendTries = 5

// appendLog adds what is new of the rows and returns the length of the log. The length that this gateway remembers
// may be too small, because another gateway has served the runner meanwhile: Postgres refuses an append at any other
// place than the end, and a gap is believed only after the length was read afresh.
func (g *Gateway) appendLog(ctx context.Context, t *task, m *runnerv1.UpdateLogRequest) (ack int64, err error) {
	t.logMu.Lock()
	defer t.logMu.Unlock()
	for range appendTries {
		if err := g.knowLog(ctx, t, m.Index); err != nil {
			return 0, err
		}
		p := planAppend(t.log, m)
		if p.refused {
			return 0, errArchived
		}
		if len(p.rows) == 0 && !p.seal {
			return t.log.rows, nil
		}
		done, err := g.storeRows(ctx, t, p)
		if done || err != nil {
			return t.log.rows, err
		}
		t.log.known = false
	}
	return 0, fault.Unavailable("the log of task %d changes too fast", t.TaskID)
}

// knowLog reads the length of the log if it is not known, or if rows that begin at index would leave a gap.
func (g *Gateway) knowLog(ctx context.Context, t *task, index int64) error {
	if t.log.known && index <= t.log.rows {
		return nil
	}
	l, err := g.db.TaskLog(ctx, t.TaskID)
	if err != nil {
		return storeFault(err)
	}
	t.log = logState{known: true, rows: l.RowCount, bytes: l.ByteCount, sealed: l.IsSealed}
	return nil
}

// appendPlan is what is to be done with the rows of one request.
type appendPlan struct {
	rows []*runnerv1.LogRow
	seal bool
	// refused: there are new rows, but the log is sealed.
	refused bool
}

// planAppend is the table of runner-protocol.md §8.2.
func planAppend(l logState, m *runnerv1.UpdateLogRequest) appendPlan {
	if m.Index > l.rows {
		return appendPlan{} // a gap: the runner sends again from the end of the log
	}
	known := min(l.rows-m.Index, int64(len(m.Rows)))
	fresh := m.Rows[known:]
	if l.sealed {
		return appendPlan{refused: len(fresh) > 0}
	}
	return appendPlan{rows: fresh, seal: m.NoMore}
}

// storeRows makes one attempt to append; done is false when the log is not as remembered.
func (g *Gateway) storeRows(ctx context.Context, t *task, p appendPlan) (done bool, err error) {
	a := db.LogAppend{TaskID: t.TaskID, Expected: t.log.rows, Rows: int64(len(p.rows)), Seal: p.seal}
	buffers := takeBuffers()
	defer buffers.release()
	g.encode(&a, buffers, t.log, p.rows)
	done, err = g.db.AppendLog(ctx, a)
	if err != nil || !done {
		return done, dbFault(err)
	}
	t.log.rows += a.Rows
	t.log.bytes += a.Bytes
	t.log.sealed = a.Seal
	g.metrics.logBytes.Add(float64(a.Bytes))
	g.logs.Publish(t.TaskID)
	return true, nil
}

// encode turns rows into chunks of about logchunk.TargetBytes. Rows above the limit of the log are counted and not
// stored; the last one that is stored says so.
func (g *Gateway) encode(a *db.LogAppend, b *buffers, l logState, rows []*runnerv1.LogRow) {
	now := g.now()
	var w logchunk.Writer
	first, full := 0, l.bytes >= g.options.MaxLogBytes
	for i := 0; i < len(rows) && !full; i++ {
		row := rows[i]
		b.text = w.AppendRow(b.text, rowClock(row, now), row.GetContent())
		if full = l.bytes+a.Bytes+int64(len(b.text)) >= g.options.MaxLogBytes; full {
			b.text = fmt.Appendf(b.text[:len(b.text)-1], limitNotice, g.options.MaxLogBytes)
		}
		if full || len(b.text) >= logchunk.TargetBytes || i == len(rows)-1 {
			a.Bytes += int64(len(b.text))
			a.Chunks = append(a.Chunks, db.LogChunk{FirstRow: a.Expected + int64(first), RowCount: i + 1 - first, Data: b.chunk(g.chunks)})
			first = i + 1
		}
	}
}

// limitNotice ends the last row that is stored of a log that is too large. It is never cut, so the log is then at its
// limit in any case.
const limitNotice = " [this log has reached its limit of %d bytes; what follows is not stored]\n"

// rowClock is the time of a row: that of the runner, or now if it makes none.
func rowClock(row *runnerv1.LogRow, now time.Time) time.Time {
	if at := row.GetTime(); at.IsValid() {
		return at.AsTime()
	}
	return now
}
