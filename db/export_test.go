package db

// HotGateQueries are the statements by which gates and their members are found, whenever one is entered or left.
var HotGateQueries = map[string]string{"peers": peersQuery, "grant": grantQuery, "lock": lockQuery, "places": placesQuery}

// AuditQuery is the statement of AuditLog, for tests that look at its plan.
func AuditQuery(f AuditFilter) (string, []any) { return f.query() }

// The queries of the retention sweep.
const (
	DueLogsQuery = dueLogs
	DueRunsQuery = dueRuns
)
