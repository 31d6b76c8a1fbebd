package alert

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pawl-ci/pawl/db"
)

const (
	// maxAnswer is how much of a refusal is read, and logged, in bytes. Nothing is read of any other answer.
	maxAnswer = 256
	// maxAnswerHeaders bounds the headers of an answer, in bytes.
	maxAnswerHeaders = 64 << 10
)

// webhook is where alerts are posted. Its address is never logged: often it holds a token.
type webhook struct {
	url, secret, root string
	client            *http.Client
}

func newWebhook(c Config) (*webhook, error) {
	u, err := url.Parse(c.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errors.New("the webhook of alerts is not an address of the form http://host/path or https://host/path")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = maxAnswerHeaders
	return &webhook{
		url: c.URL, secret: c.Secret, root: strings.TrimRight(c.RootURL, "/"),
		client: &http.Client{
			Transport: transport,
			Timeout:   c.Timeout,
			// A signed body goes where administrators have said, and nowhere else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// refusedError is an answer that is not 2xx.
type refusedError struct {
	status int
	answer string // the beginning of it
}

// Error implements error.
func (e *refusedError) Error() string {
	return fmt.Sprintf("the webhook answered %d: %q", e.status, e.answer)
}

// post delivers an alert. The status of the answer is all that counts.
func (w *webhook) post(ctx context.Context, a *db.Alert) error {
	body, err := json.Marshal(w.message(a))
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return withoutAddress(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "pawl")
	if w.secret != "" {
		signature := sign(w.secret, body)
		req.Header.Set("X-Gitea-Signature", signature)
		req.Header.Set("X-Hub-Signature-256", "sha256="+signature)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return withoutAddress(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		return &refusedError{status: resp.StatusCode, answer: string(answer)}
	}
	return nil
}

// withoutAddress is what happened, without where.
func withoutAddress(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	return fmt.Errorf("the webhook cannot be reached: %w", err)
}

// sign is the hex HMAC-SHA256 of a body, as Gitea and GitHub sign webhooks (rest-api.md §11).
func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
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
	// HTMLURL is the page of the run, JobHTMLURL that of the job.
	HTMLURL    string `json:"html_url,omitempty"`
	JobHTMLURL string `json:"job_html_url,omitempty"`
}

func (w *webhook) message(a *db.Alert) message {
	m := message{
		ID: a.ID, Kind: a.Kind, At: a.At.UTC(), Detail: a.Detail, Repository: a.Repository, RunID: a.RunID, RunNumber: a.RunNumber,
		Attempt: a.Attempt, JobID: a.JobID, Job: a.Job,
	}
	if w.root != "" && a.Repository != "" && a.RunNumber != 0 {
		m.HTMLURL = fmt.Sprintf("%s/%s/actions/runs/%d", w.root, a.Repository, a.RunID)
	}
	if m.HTMLURL != "" && a.JobID != 0 {
		m.JobHTMLURL = fmt.Sprintf("%s/jobs/%d", m.HTMLURL, a.JobID)
	}
	return m
}
