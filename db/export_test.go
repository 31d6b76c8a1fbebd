package db

import "context"

// HotGateQueries are the statements by which gates and their members are found, whenever one is entered or left.
var HotGateQueries = map[string]string{"peers": peersQuery, "grant": grantQuery, "lock": lockQuery, "places": placesQuery}

// AuditQuery is the statement of AuditLog, for tests that look at its plan.
func AuditQuery(f AuditFilter) (string, []any) { return f.query() }

// The queries of the retention sweep.
const (
	DueLogsQuery = dueLogs
	DueRunsQuery = dueRuns
)

// FarPage is from how many entries that must be passed over on a page is found by blocks.
const FarPage = farPage

// LogPage reads what LogChunks holds at a time.
func (d *DB) LogPage(ctx context.Context, task, from, to int64) ([]LogChunk, error) {
	return d.logPage(ctx, task, from, to)
}

// TimelineEvents is what Timeline counts and reads.
const TimelineEvents = timelineEvents
