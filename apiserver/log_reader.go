package apiserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/pawl-ci/pawl/db"
)

// progressTimeout is how long a reader of a log may take for one piece of it.
const progressTimeout = time.Minute

// logReader reads the plain text of a log, as long as it was when the reader was made. It holds one chunk at a time.
type logReader struct {
	call  *call
	task  int64
	rows  int64  // of the log
	size  int64  // of its text as it is stored
	end   string // what follows the stored text
	at    int64  // where the next Read begins
	text  []byte
	begin int64 // where text begins
	next  func() (db.LogChunk, error, bool)
	stop  func()
	err   error // the first failure, for the log of the server
}

func (c *call) newLogReader(log *db.TaskLog, end string) *logReader {
	return &logReader{call: c, task: log.TaskID, rows: log.RowCount, size: log.ByteCount, end: end}
}

// Seek moves the place of the next Read, as http.ServeContent does once or twice.
func (r *logReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size + int64(len(r.end))
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning of a log")
	}
	if offset < r.begin {
		r.rewind()
	}
	r.at = offset
	return offset, nil
}

func (r *logReader) rewind() {
	r.Close()
	r.text, r.begin = nil, 0
}

// Read reads from one chunk at most.
func (r *logReader) Read(p []byte) (int, error) {
	if r.at >= r.size {
		return r.readEnd(p)
	}
	for r.at >= r.begin+int64(len(r.text)) {
		if err := r.load(); err != nil {
			if !errors.Is(err, io.EOF) {
				r.err = err
			}
			return 0, err
		}
	}
	left := min(r.begin+int64(len(r.text)), r.size) - r.at
	from := r.at - r.begin
	n := copy(p, r.text[from:from+left])
	r.at += int64(n)
	return n, nil
}

// readEnd reads what follows the stored text.
func (r *logReader) readEnd(p []byte) (int, error) {
	from := r.at - r.size
	if from >= int64(len(r.end)) {
		return 0, io.EOF
	}
	n := copy(p, r.end[from:])
	r.at += int64(n)
	return n, nil
}

// load replaces the chunk in memory by the next one. A client that takes its pieces too slowly is cut off, one that
// takes them may take as long as it likes.
func (r *logReader) load() error {
	r.call.setWriteDeadline(time.Now().Add(progressTimeout))
	if r.next == nil {
		r.next, r.stop = iter.Pull2(r.call.server.DB.LogChunks(r.call.ctx(), r.task, 0, r.rows))
	}
	chunk, err, ok := r.next()
	if !ok {
		return io.EOF
	}
	if err != nil {
		return err
	}
	r.begin += int64(len(r.text))
	r.text, err = r.call.server.codec.Text(r.text[:0], chunk.Data)
	if err != nil {
		return fmt.Errorf("log of task %d: %w", r.task, err)
	}
	return nil
}

// Close ends the reading; it may be called more than once.
func (r *logReader) Close() {
	if r.stop == nil {
		return
	}
	r.stop()
	r.next, r.stop = nil, nil
	r.call.setWriteDeadline(time.Time{})
}

// setWriteDeadline bounds what is written from now on; the zero time ends that. Not every writer has deadlines (tests).
func (c *call) setWriteDeadline(at time.Time) {
	_ = http.NewResponseController(c.w).SetWriteDeadline(at)
}

// logFailure says in the server's log why a client got less than it was promised. That the client has gone away is
// no failure.
func (r *logReader) logFailure() {
	if r.err != nil && !errors.Is(r.err, context.Canceled) {
		r.call.server.Logger.ErrorContext(r.call.ctx(), "log could not be read", "task", r.task, "error", r.err)
	}
}
