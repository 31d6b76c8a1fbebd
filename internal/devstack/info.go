package devstack

import (
	"log/slog"
	"sync"
)

// Info is dev.json.
type Info struct {
	URL string `json:"url"`
	Credentials
	TemporalAddress   string `json:"temporal_address"`
	TemporalNamespace string `json:"temporal_namespace"`
	TemporalUIURL     string `json:"temporal_ui_url"`
	MetricsURL        string `json:"metrics_url"` // of the server
	DatabaseURL       string `json:"database_url"`
	PIDs              PIDs   `json:"pids"`

	// Metrics of the other parts; empty when the part has none of its own.
	WorkerMetricsURL   string `json:"worker_metrics_url,omitempty"`
	TemporalMetricsURL string `json:"temporal_metrics_url,omitempty"`
	RunnerMetricsURL   string `json:"runner_metrics_url,omitempty"`
	LogDir             string `json:"log_dir"`
}

// PIDs by part; 0 while a part is down or when it is not run by the stack. Server and
// worker of a stack that is not split have the process id of the stack itself.
type PIDs struct {
	Server   int `json:"server"`
	Worker   int `json:"worker"`
	Temporal int `json:"temporal"`
	Postgres int `json:"postgres"`
	Runner   int `json:"runner"`
}

// board keeps dev.json true. It writes nothing before publish and after withdraw.
type board struct {
	path   string
	logger *slog.Logger

	mu        sync.Mutex
	info      Info
	published bool
}

// change applies f and shows the result.
func (b *board) change(f func(*Info)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.info)
	if !b.published {
		return
	}
	if err := writeJSON(b.path, b.info); err != nil {
		b.logger.Error("cannot tell scripts of a change", "error", err)
	}
}

// pid returns a callback that shows the process id of one part.
func (b *board) pid(field func(*PIDs) *int) func(int) {
	return func(pid int) { b.change(func(i *Info) { *field(&i.PIDs) = pid }) }
}

func (b *board) publish() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.published = true
	return writeJSON(b.path, b.info)
}

func (b *board) withdraw() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.published = false
	return removeFile(b.path)
}

func (b *board) snapshot() Info {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.info
}
