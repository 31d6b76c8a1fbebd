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
