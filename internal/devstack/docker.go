package devstack

import (
	"context"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

const (
	defaultDockerHost = "unix:///var/run/docker.sock"
	dockerLimit       = time.Second
)

// dockerAnswers tells whether a docker daemon is there, at DOCKER_HOST or in its usual
// place. An address that needs TLS or ssh counts as none.
func dockerAnswers(ctx context.Context) bool {
	address := os.Getenv("DOCKER_HOST")
	if address == "" {
		address = defaultDockerHost
	}
	network, target, ok := strings.Cut(address, "://")
	if !ok || (network != "unix" && network != "tcp") {
		return false
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, target)
		},
	}
	return answersOK(ctx, &http.Client{Transport: transport, Timeout: dockerLimit}, "http://docker/_ping")
}

func answersOK(ctx context.Context, c *http.Client, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := c.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}
