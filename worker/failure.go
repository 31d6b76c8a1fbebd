package worker

import (
	"context"
	"fmt"
)

// fail is called at most once by each of the two workers, when Temporal has refused polls for some minutes in a way that no repetition mends,
// such as that the namespace is gone. The worker stops polling then.
func (w *Worker) fail(err error) {
	err = fmt.Errorf("worker stopped: %w", err)
	w.cause.Store(&err)
	select {
	case w.failed <- err:
	default: // the first reason is enough
	}
}

// Failed delivers the reason when the worker has stopped by itself, at most once. The process should end then.
func (w *Worker) Failed() <-chan error { return w.failed }

// Check is a health check: it returns the reason when the worker has stopped by itself.
func (w *Worker) Check(context.Context) error {
	if cause := w.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}
