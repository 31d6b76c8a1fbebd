package main

import (
	"testing"

	"github.com/pawl-ci/pawl/db/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }
