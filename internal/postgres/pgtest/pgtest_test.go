package pgtest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	Main(m, Migrate(func(ctx context.Context, url string) error {
		return run(ctx, url, "CREATE TABLE thing (id int PRIMARY KEY); INSERT INTO thing VALUES (1)")
	}))
}

func run(ctx context.Context, url, statement string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

func count(t *testing.T, url string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM thing").Scan(&n))
	return n
}

func TestDatabasesAreMigratedAndSeparate(t *testing.T) {
	one, two := New(t), New(t)
	require.NotEqual(t, one.Name, two.Name)
	require.NoError(t, run(t.Context(), one.URL, "INSERT INTO thing VALUES (2)"))
	require.Equal(t, 2, count(t, one.URL))
	require.Equal(t, 1, count(t, two.URL))
}

func TestDatabaseIsDroppedWithItsTest(t *testing.T) {
	gone := New(t)
	t.Run("inner", func(t *testing.T) {
		gone = New(t)
		conn, err := pgx.Connect(context.Background(), gone.URL)
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close(context.Background()) })
	})
	_, err := pgx.Connect(t.Context(), gone.URL)
	require.ErrorContains(t, err, "does not exist")
}

func TestManyAtOnce(t *testing.T) {
	for range 8 {
		t.Run("one of many", func(t *testing.T) {
			t.Parallel()
			require.Equal(t, 1, count(t, New(t).URL))
		})
	}
}

func TestSharedServer(t *testing.T) {
	s := Shared(t)
	require.NotZero(t, s.Port)
	require.NoError(t, run(t.Context(), s.URL("postgres"), "SELECT 1"))
}

func TestAbandonedDirectoriesAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dead := filepath.Join(os.TempDir(), dirPrefix+"999999999-x")
	live, err := os.MkdirTemp("", dirPattern())
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(dead, 0o700))
	require.NoError(t, removeAbandoned())
	require.NoDirExists(t, dead)
	require.DirExists(t, live)
}
