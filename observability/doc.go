// Package observability is what every long-lived process of Pawl shows of itself: a metrics registry and its
// page, the adapter that puts the Temporal SDK's metrics onto that registry, the metrics of the HTTP server, the
// structured log, and the health pages /livez and /readyz. Dashboards and alert rules stand beside the code as
// files, and a test holds them to the table of names in names.go.
//
// It imports nothing else of Pawl, so that every package may import it.
package observability
