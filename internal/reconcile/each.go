package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pawl-ci/pawl/internal/engine"
)

const (
	// itemLimit is how long one item may take.
	itemLimit = 10 * time.Second
	// maxUnreachable is how many items in a row may find nobody to talk to before the rest is left to a later pass.
	maxUnreachable = 3
	// maxReported bounds how many errors of one step are spelled out.
	maxReported = 5
)

// each does something for every item, with a deadline for each. An item that fails holds up no other; but when
// several in a row reach nobody, more would only wait as long for the same answer.
func each[T any](ctx context.Context, what string, items []T, do func(context.Context, T) error) error {
	var errs []error
	unreachable := 0
	for _, item := range items {
		err := limited(ctx, item, do)
		if err != nil {
			errs = append(errs, err)
		}
		if engine.Unreachable(err) {
			unreachable++
		} else {
			unreachable = 0
		}
		if unreachable == maxUnreachable || ctx.Err() != nil {
			break
		}
	}
	return report(what, len(items), errs)
}

func limited[T any](ctx context.Context, item T, do func(context.Context, T) error) error {
	ctx, cancel := context.WithTimeout(ctx, itemLimit)
	defer cancel()
	return do(ctx, item)
}

func report(what string, items int, errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	first := errors.Join(errs[:min(len(errs), maxReported)]...)
	return fmt.Errorf("%s: %d of %d failed: %w", what, len(errs), items, first)
}
