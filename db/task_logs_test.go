package db_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
)

// appendRows appends chunks of the given sizes, each in an append of its own, and returns the length.
func appendRows(t testing.TB, d *db.DB, task int64, sizes ...int) int64 {
	t.Helper()
	var length int64
	for _, n := range sizes {
		ok, err := d.AppendLog(t.Context(), db.LogAppend{TaskID: task, Expected: length, Rows: int64(n), Bytes: int64(n) * 10,
			Chunks: []db.LogChunk{{FirstRow: length, RowCount: n, Data: []byte{byte(length)}}}})
		require.NoError(t, err)
		require.True(t, ok)
		length += int64(n)
	}
	return length
}

func TestAppendLog(t *testing.T) {
	d := dbtest.Open(t)
	task := claimedTask(t, d).TaskID
	length := appendRows(t, d, task, 3, 2)

	for _, expected := range []int64{0, 3, 6} {
		ok, err := d.AppendLog(t.Context(), db.LogAppend{TaskID: task, Expected: expected, Rows: 1, Chunks: []db.LogChunk{{FirstRow: expected, RowCount: 1}}})
		require.NoError(t, err)
		require.False(t, ok, "the log has another length than %d", expected)
	}
	ok, err := d.AppendLog(t.Context(), db.LogAppend{TaskID: task, Expected: length, Rows: 4, Bytes: 1, Seal: true})
	require.NoError(t, err)
	require.True(t, ok, "rows without chunks count, as dropped ones")
	ok, err = d.AppendLog(t.Context(), db.LogAppend{TaskID: task, Expected: length + 4, Rows: 1})
	require.NoError(t, err)
	require.False(t, ok, "sealed")

	log, err := d.TaskLog(t.Context(), task)
	require.NoError(t, err)
	require.EqualValues(t, 9, log.RowCount)
	require.EqualValues(t, 51, log.ByteCount)
	require.True(t, log.IsSealed)
	require.True(t, log.ExpiredAt.IsZero())
	_, err = d.TaskLog(t.Context(), 1<<40)
	require.ErrorIs(t, err, db.ErrNotFound)
}

func TestLogChunks(t *testing.T) {
	d := dbtest.Open(t)
	task := claimedTask(t, d).TaskID
	sizes := make([]int, 40) // more than two pages
	for i := range sizes {
		sizes[i] = 1 + i%3
	}
	length := appendRows(t, d, task, sizes...)
	tests := []struct{ from, to, first, end int64 }{
		{0, -1, 0, length}, {0, length, 0, length}, {5, -1, 3, length}, {4, 5, 3, 6}, {7, 13, 7, 13}, {0, 1, 0, 1},
		{length, -1, length, length}, {length + 5, -1, length + 5, length + 5}, {3, 3, 3, 3},
	}
	for _, tt := range tests {
		next := tt.first
		for c, err := range d.LogChunks(t.Context(), task, tt.from, tt.to) {
			require.NoError(t, err)
			require.Equal(t, next, c.FirstRow, "%+v", tt)
			require.Equal(t, []byte{byte(c.FirstRow)}, c.Data)
			next += int64(c.RowCount)
		}
		if tt.from < tt.to || tt.to < 0 {
			require.Equal(t, tt.end, next, "%+v", tt)
		}
	}
	for range d.LogChunks(t.Context(), task, 0, -1) {
		break // a reader may stop early
	}
}

// A reader of chunks that do not compress holds no more of them than one of others.
func TestALogIsReadInPagesOfFewBytes(t *testing.T) {
	d := dbtest.Open(t)
	task := claimedTask(t, d).TaskID
	sizes := []int{10, 400 << 10, 400 << 10, 400 << 10, 400 << 10, 3 << 20, 10, 10}
	for i, n := range sizes {
		chunk := db.LogChunk{FirstRow: int64(i), RowCount: 1, Data: make([]byte, n)}
		_, err := d.AppendLog(t.Context(), db.LogAppend{TaskID: task, Expected: int64(i), Rows: 1, Chunks: []db.LogChunk{chunk}})
		require.NoError(t, err)
	}
	for from, want := range map[int64]int{0: 4, 4: 2, 5: 1, 6: 2, 8: 0} {
		page, err := d.LogPage(t.Context(), task, from, -1)
		require.NoError(t, err)
		require.Equal(t, want, len(page), from)
	}
	for _, to := range []int64{-1, int64(len(sizes)), 100} {
		var got []int
		for c, err := range d.LogChunks(t.Context(), task, 0, to) {
			require.NoError(t, err)
			got = append(got, len(c.Data))
		}
		require.Equal(t, sizes, got)
	}
}
