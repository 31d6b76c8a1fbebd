package devstack

import (
	"context"
	"net/http"
	"time"
)

const (
	readyPoll  = 10 * time.Millisecond
	probeLimit = 2 * time.Second
)

// waitOK returns when url answers 200, or the context's error.
func waitOK(ctx context.Context, url string) error {
	client := &http.Client{Timeout: probeLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	for !answersOK(ctx, client, url) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(readyPoll):
		}
	}
	return nil
}
