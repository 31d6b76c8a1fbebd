package observability

import (
	"encoding/json"
	"net/http"
)

// Livez is the page /livez: 200 whenever the process can answer at all. It looks at nothing outside, because
// restarting this process would not mend what is outside.
func (h *Health) Livez() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeReport(w, http.StatusOK, struct {
			Status string `json:"status"`
		}{StatusOK})
	})
}

// Readyz is the page /readyz: a [Report] with 200, or with 503 while a check fails or the process drains.
func (h *Health) Readyz() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		report := h.Report()
		status := http.StatusOK
		if report.Status != StatusOK {
			status = http.StatusServiceUnavailable
		}
		writeReport(w, status, report)
	})
}

func writeReport(w http.ResponseWriter, status int, report any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// An error here means that the client is gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(report)
}
