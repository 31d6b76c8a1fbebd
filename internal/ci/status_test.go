package ci

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// statusTable is execution-semantics.md §2 with rest-api.md §2.2.
var statusTable = []struct {
	status             Status
	word               string
	terminal           bool
	apiStatus, apiDone string
}{
	{StatusUnknown, "unknown", false, "", ""},
	{StatusWaiting, "waiting", false, "queued", ""},
	{StatusBlocked, "blocked", false, "waiting", ""},
	{StatusRunning, "running", false, "in_progress", ""},
	{StatusCancelling, "cancelling", false, "in_progress", ""},
	{StatusSuccess, "success", true, "completed", "success"},
	{StatusFailure, "failure", true, "completed", "failure"},
	{StatusCancelled, "cancelled", true, "completed", "cancelled"},
	{StatusSkipped, "skipped", true, "completed", "skipped"},
}

func TestStatusTable(t *testing.T) {
	for _, row := range statusTable {
		t.Run(row.word, func(t *testing.T) {
			require.Equal(t, row.word, row.status.String())
			require.Equal(t, row.terminal, row.status.Terminal())
			status, conclusion := row.status.API()
			require.Equal(t, row.apiStatus, status)
			require.Equal(t, row.apiDone, conclusion)
			parsed, err := ParseStatus(row.word)
			require.NoError(t, err)
			require.Equal(t, row.status, parsed)
		})
	}
}

func TestStatusTravelsAsWord(t *testing.T) {
	for _, row := range statusTable {
		text, err := json.Marshal(map[Status]Status{row.status: row.status})
		require.NoError(t, err)
		require.JSONEq(t, `{"`+row.word+`":"`+row.word+`"}`, string(text))
		var back map[Status]Status
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, row.status, back[row.status])

		stored, err := row.status.Value()
		require.NoError(t, err)
		require.Equal(t, row.word, stored)
		for _, src := range []any{row.word, []byte(row.word)} {
			scanned := Status(-1)
			require.NoError(t, scanned.Scan(src))
			require.Equal(t, row.status, scanned)
		}
	}
}

func TestStatusRefusesNonsense(t *testing.T) {
	_, err := ParseStatus("Success")
	require.ErrorContains(t, err, `unknown status "Success"`)
	var s Status
	require.Error(t, s.Scan(7))
	require.Error(t, s.Scan("gone"))
	require.Error(t, json.Unmarshal([]byte(`"gone"`), &s))
	require.NoError(t, s.Scan(nil))
	require.Equal(t, StatusUnknown, s)
	require.Equal(t, "unknown", Status(99).String())
	require.Equal(t, "unknown", Status(-1).String())
	require.False(t, Status(99).Terminal())
}

func TestParseStatusFilter(t *testing.T) {
	for word, want := range map[string][]Status{
		"pending": {StatusBlocked}, "waiting": {StatusBlocked}, "requested": {StatusBlocked}, "action_required": {StatusBlocked},
		"queued": {StatusWaiting}, "in_progress": {StatusRunning, StatusCancelling},
		"completed": {StatusSuccess, StatusFailure, StatusSkipped, StatusCancelled},
		"failure":   {StatusFailure}, "success": {StatusSuccess}, "skipped": {StatusSkipped}, "neutral": {StatusSkipped},
		"cancelled": {StatusCancelled}, "timed_out": {StatusCancelled},
	} {
		got, err := ParseStatusFilter(word)
		require.NoError(t, err, word)
		require.Equal(t, want, got, word)
	}
	for _, word := range []string{"", "blocked", "running", "Queued", "stale"} {
		_, err := ParseStatusFilter(word)
		require.EqualError(t, err, "invalid status "+word)
	}
}
