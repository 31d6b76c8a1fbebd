package git

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Two lock tables over one directory stand for two server processes.
func TestLockExcludesAcrossProcesses(t *testing.T) {
	dir := t.TempDir()
	tables := []*repositoryLocks{newRepositoryLocks(dir), newRepositoryLocks(dir)}
	var wg sync.WaitGroup
	var inside, most, rounds int
	var mu sync.Mutex
	for i := range 8 {
		wg.Go(func() {
			for range 10 {
				unlock, err := tables[i%2].lock(context.Background(), 1)
				if err != nil {
					return
				}
				mu.Lock()
				inside++
				most = max(most, inside)
				rounds++
				mu.Unlock()
				runtime.Gosched()
				mu.Lock()
				inside--
				mu.Unlock()
				unlock()
			}
		})
	}
	wg.Wait()
	require.Equal(t, 80, rounds)
	require.Equal(t, 1, most)
	require.Empty(t, tables[0].held, "nothing is kept for an idle repository")
	require.Empty(t, tables[1].held)
}

func TestLockHeedsTheContext(t *testing.T) {
	dir := t.TempDir()
	here, there := newRepositoryLocks(dir), newRepositoryLocks(dir)
	unlock, err := here.lock(t.Context(), 1)
	require.NoError(t, err)
	for _, table := range []*repositoryLocks{here, there} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		_, err = table.lock(ctx, 1)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		cancel()
	}
	other, err := here.lock(t.Context(), 2)
	require.NoError(t, err, "another repository is free")
	other()
	unlock()
	again, err := there.lock(t.Context(), 1)
	require.NoError(t, err)
	again()
}
