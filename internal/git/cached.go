package git

import (
	"context"
	"fmt"
)

// sized is an answer and about how many bytes of memory it takes.
type sized[T any] struct {
	value T
	bytes int64
}

// cached answers from memory, or asks once however many callers want the same answer at the same time.
// The asking goes on when one of them gives up: the others still want it.
func cached[T any](ctx context.Context, s *Store, key cacheKey, ask func(context.Context) (sized[T], error)) (T, error) {
	if value, ok := s.cache.get(key); ok {
		return value.(T), nil
	}
	flight := s.flights.DoChan(fmt.Sprintf("%d %s %s", key.repository, key.sha, key.question), func() (any, error) {
		answer, err := ask(context.WithoutCancel(ctx))
		if err == nil {
			s.cache.put(key, answer.value, answer.bytes)
		}
		return answer.value, err
	})
	var zero T
	select {
	case <-ctx.Done():
		return zero, context.Cause(ctx)
	case result := <-flight:
		if result.Err != nil {
			return zero, result.Err
		}
		return result.Val.(T), nil
	}
}
