package apiserver_test

import (
	"testing"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/postgres/pgtest"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, pgtest.Migrate(db.MigrateURL), pgtest.Check(checkConformance))
}
