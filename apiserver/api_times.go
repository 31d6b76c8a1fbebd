package apiserver

import "time"

// shown is a time as the API shows it: UTC, whole seconds. Clients compare and parse it as text more often than one
// would like.
func shown(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// shownOrEpoch is for times of runs, jobs and steps, which are 1970-01-01T00:00:00Z while unset (rest-api.md §1.7).
func shownOrEpoch(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return shown(t)
}

// noTime is that of what has not happened.
var noTime time.Time
