package cli

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDeleteAsksWhereSomebodyIs(t *testing.T) {
	f := newFake(t)
	f.says("GET /runs/7", "{\"id\":7,\"display_title\":\"Fix\\u001b[2J it\"}", 0)
	f.says("DELETE /runs/7", "", http.StatusNoContent)
	deleted := func() bool { return f.asked[len(f.asked)-1] == "DELETE /runs/7" }

	_, _, err := f.pawl(Terminal{In: strings.NewReader("y\n")}, "run", "delete", "7")
	require.ErrorContains(t, err, "--yes", "nobody is there, whatever is on standard input")
	require.False(t, deleted())
	for _, no := range []string{"", "\n", "n\n", "yet\n"} {
		_, errs, err := f.pawl(Terminal{In: strings.NewReader(no), Asks: true}, "run", "delete", "7")
		require.ErrorIs(t, err, errNotDone)
		require.Equal(t, "Delete run 7 of a/b, \"Fix[2J it\", with its logs? [y/N] ", errs)
		require.False(t, deleted())
	}
	for _, yes := range []string{"y\n", "YES", " y \r\n"} {
		out, _, err := f.pawl(Terminal{In: strings.NewReader(yes), Asks: true}, "run", "delete", "7")
		require.NoError(t, err)
		require.Equal(t, "run 7: deleted\n", out)
		require.True(t, deleted())
	}

	f.asked = nil
	out, errs, err := f.pawl(Terminal{}, "run", "delete", "7", "-y", "--json")
	require.NoError(t, err)
	require.JSONEq(t, `{"run":7,"result":"deleted"}`, out)
	require.Empty(t, errs)
	require.Equal(t, []string{"DELETE /runs/7"}, f.asked)

	f.says("DELETE /runs/7", `{"message":"this workflow run is not done"}`, http.StatusBadRequest)
	_, _, err = f.pawl(Terminal{}, "run", "delete", "7", "--yes")
	require.ErrorContains(t, err, "this workflow run is not done")
}
