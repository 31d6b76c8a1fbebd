package db_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"golang.org/x/sync/errgroup"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/workflowfile"
)

// labelled are jobs with one label each, the round in its name so that all sets of a round are new.
func labelled(round int, names []int) []*db.Job {
	jobs := make([]*db.Job, len(names))
	for i, n := range names {
		jobs[i] = job(fmt.Sprint("j", i))
		jobs[i].RunsOn = []string{fmt.Sprintf("l%d-%d", round, n)}
	}
	return jobs
}

func TestRunsWithNewLabelsInAnyOrder(t *testing.T) {
	f := newFixture(t)
	names := make([]int, 20)
	for i := range names {
		names[i] = i
	}
	for round := range 20 {
		var group errgroup.Group
		start := make(chan struct{})
		for range 2 {
			slices.Reverse(names)
			jobs := labelled(round, names)
			// Two runs of one push, whose order must not matter either.
			first, second := newRun(f), newRun(f)
			require.NoError(t, f.PrepareRun(t.Context(), first))
			require.NoError(t, f.PrepareRun(t.Context(), second))
			move := db.RefMove{RepoID: f.repo.ID, Name: fmt.Sprintf("refs/heads/%d-%d", round, names[0]), SHA: sha1}
			group.Go(func() error {
				<-start
				_, _, err := f.CreatePush(t.Context(), move, []db.NewRun{{Run: first, Jobs: jobs[:10]}, {Run: second, Jobs: jobs[10:]}})
				return err
			})
		}
		close(start)
		require.NoError(t, group.Wait())
	}
	n, err := f.NewRaw(`SELECT 1 FROM label_sets`).Exec(t.Context())
	require.NoError(t, err)
	rows, err := n.RowsAffected()
	require.NoError(t, err)
	require.EqualValues(t, 400, rows)
}

func TestLabelSetsWithinUsesItsIndex(t *testing.T) {
	f := newFixture(t)
	empty, both, more := job("empty"), job("both"), job("more")
	empty.RunsOn, both.RunsOn, more.RunsOn = []string{}, []string{"b", "a", "b"}, []string{"a", "b", "c"}
	f.run(t, empty, both, more)
	ids, err := f.LabelSetsWithin(t.Context(), []string{"a", "b", "x"})
	require.NoError(t, err)
	require.ElementsMatch(t, []int64{empty.LabelSetID, both.LabelSetID}, ids)

	var plan []string
	require.NoError(t, f.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.ExecContext(ctx, `SET LOCAL enable_seqscan = off`); err != nil {
			return err
		}
		return tx.NewRaw(`EXPLAIN SELECT id FROM label_sets WHERE labels <@ '{a,b}'`).Scan(ctx, &plan)
	}))
	require.Contains(t, strings.Join(plan, "\n"), "label_sets_within")
}

// TestTheLargestLabelSet: what the file format allows has to fit into the index, or its run could never be stored.
func TestTheLargestLabelSet(t *testing.T) {
	f := newFixture(t)
	random := rand.New(rand.NewPCG(1, 2))
	j := job("a")
	for left := workflowfile.MaxLabelsBytes; left > 0; {
		label := make([]byte, min(left, workflowfile.MaxLabelsBytes/workflowfile.MaxLabels))
		for i := range label {
			label[i] = byte('!' + random.IntN(90))
		}
		j.RunsOn = append(j.RunsOn, string(label))
		left -= len(label)
	}
	require.GreaterOrEqual(t, len(j.RunsOn), workflowfile.MaxLabels)
	f.run(t, j)
}
