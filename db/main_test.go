package db_test

import (
	"testing"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// open gives the test a fresh database.
func open(t *testing.T) *db.DB {
	t.Helper()
	return dbtest.Open(t)
}
