// Package alert tells administrators of faults that nobody foresaw (workflow-execution.md, Recovery Strategies): it
// posts them to the webhook that they configure, until it has taken them.
package alert

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pawl-ci/pawl/db"
)

// Limits of one delivery.
const (
	postTimeout = 10 * time.Second
	// maxAnswer is how much of an answer is read, in bytes, so that its connection can be used again.
	maxAnswer = 64 << 10
	batch     = 20
)

// Config is what a Deliverer is made of.
type Config struct {
	DB *db.DB
	// URL is the webhook; empty: alerts stay in the database until there is one.
	URL string
	// Secret signs the body, if it is set.
	Secret string
	// RootURL is the address of this server for links; empty makes none.
	RootURL    string
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Every is the pause between two looks; default 5 s.
	Every time.Duration
	// Timeout bounds one delivery; default 10 s.
	Timeout time.Duration
}

// Deliverer posts alerts. Any number of processes may run one: each alert is taken by one of them at a time.
type Deliverer struct {
	Config
	client     *http.Client
	deliveries *prometheus.CounterVec
	waiting    prometheus.Gauge
}

// Results of a delivery.
const (
	resultOK    = "ok"
	resultError = "error"
)

// New makes a Deliverer; it does nothing until Run.
func New(c Config) (*Deliverer, error) {
	if c.Every == 0 {
		c.Every = 5 * time.Second
	}
	if c.Timeout == 0 {
		c.Timeout = postTimeout
	}
	d := &Deliverer{
		Config: c,
		client: &http.Client{
			Timeout:       c.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pawl_alert_deliveries_total", Help: "Deliveries of alerts to the administrators' webhook, by result.",
		}, []string{"result"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "pawl_alerts_waiting", Help: "Alerts that the administrators' webhook has not taken.",
		}),
	}
	for _, r := range []string{resultOK, resultError} {
		d.deliveries.WithLabelValues(r)
	}
	for _, collector := range []prometheus.Collector{d.deliveries, d.waiting} {
		if err := c.Registerer.Register(collector); err != nil {
			return nil, fmt.Errorf("alerts: %w", err)
		}
	}
	return d, nil
}

// Run delivers until ctx ends.
func (d *Deliverer) Run(ctx context.Context) {
	ticker := time.NewTicker(d.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := d.Pass(ctx); err != nil && ctx.Err() == nil {
				d.Logger.WarnContext(ctx, "alerts", "error", err)
			}
		}
	}
}

// Pass delivers once what is due. What the webhook does not take is put off, longer each time.
func (d *Deliverer) Pass(ctx context.Context) error {
	waiting, err := d.DB.WaitingAlerts(ctx)
	if err != nil {
		return err
	}
	d.waiting.Set(float64(waiting))
	if waiting == 0 || d.URL == "" {
		return nil
	}
	alerts, err := d.DB.TakeAlerts(ctx, batch)
	if err != nil {
		return err
	}
	for _, a := range alerts {
		if err := d.deliver(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func (d *Deliverer) deliver(ctx context.Context, a db.Alert) error {
	if err := d.post(ctx, a); err != nil {
		d.deliveries.WithLabelValues(resultError).Inc()
		d.Logger.WarnContext(ctx, "the webhook of the administrators did not take an alert; it comes again", "alert", a.ID, "tries", a.Tries, "error", err)
		return nil
	}
	d.deliveries.WithLabelValues(resultOK).Inc()
	return d.DB.AlertDelivered(ctx, a.ID)
}

// message is the body of a delivery.
type message struct {
	ID         int64     `json:"id"`
	Kind       string    `json:"kind"`
	At         time.Time `json:"at"`
	Detail     string    `json:"detail"`
	Repository string    `json:"repository,omitempty"`
	RunID      int64     `json:"run_id,omitempty"`
	RunNumber  int64     `json:"run_number,omitempty"`
	Attempt    int       `json:"run_attempt,omitempty"`
	JobID      int64     `json:"job_id,omitempty"`
	Job        string    `json:"job,omitempty"`
	HTMLURL    string    `json:"html_url,omitempty"`
}

func (d *Deliverer) post(ctx context.Context, a db.Alert) error {
	body, err := json.Marshal(d.messageOf(a))
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "pawl")
	if d.Secret != "" {
		signature := sign(d.Secret, body)
		req.Header.Set("X-Gitea-Signature", signature)
		req.Header.Set("X-Hub-Signature-256", "sha256="+signature)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

func (d *Deliverer) messageOf(a db.Alert) message {
	m := message{
		ID: a.ID, Kind: a.Kind, At: a.At.UTC(), Detail: a.Detail, Repository: a.Repository, RunID: a.RunID, RunNumber: a.RunNumber,
		Attempt: a.Attempt, JobID: a.JobID, Job: a.Job,
	}
	if d.RootURL != "" && a.Repository != "" {
		m.HTMLURL = fmt.Sprintf("%s/%s/actions/runs/%d", d.RootURL, a.Repository, a.RunID)
	}
	return m
}

// sign is the hex HMAC-SHA256 of a body, as Gitea and GitHub sign webhooks (rest-api.md §11).
func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
