package db_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/postgres/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, pgtest.Migrate(db.MigrateURL)) }

// open gives the test a migrated database of its own.
func open(t *testing.T) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), pgtest.New(t).URL, db.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}
