package supervise

import (
	"io"
	"strings"
	"sync"
)

// tailBytes is how much of the last output goes into an error.
const tailBytes = 2048

// tailWriter passes output on and remembers its end.
type tailWriter struct {
	mu   sync.Mutex
	next io.Writer
	last []byte
}

func newTailWriter(next io.Writer) *tailWriter { return &tailWriter{next: next} }

// Write never fails: a full disk must not break the child's pipe.
func (w *tailWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = append(w.last, b...)
	if excess := len(w.last) - tailBytes; excess > 0 {
		w.last = append(w.last[:0], w.last[excess:]...)
	}
	_, _ = w.next.Write(b)
	return len(b), nil
}

func (w *tailWriter) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = w.last[:0]
}

func (w *tailWriter) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.TrimSpace(string(w.last))
}
