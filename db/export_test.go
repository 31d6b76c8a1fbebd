package db

// HotGateQueries are the statements by which gates and their members are found, whenever one is entered or left.
var HotGateQueries = map[string]string{"peers": peersQuery, "grant": grantQuery, "lock": lockQuery, "places": placesQuery}

// The queries of the retention sweep.
const (
	DueLogsQuery = dueLogs
	DueRunsQuery = dueRuns
)
