package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// bodyTime is how long the body of a request may take to arrive. Who waits for larger ones, git, sets times of its own.
const bodyTime = 30 * time.Second

// newHTTPServer bounds what a client can hold on to. Answers have no limit of time here, because logs are followed for
// long; their handlers bound them.
func newHTTPServer(h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           timedBodies(h, bodyTime),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       3 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}

// timedBodies gives up bodies that do not arrive in time. That is also for those that nobody reads: net/http waits for them
// before it sends the answer, so a refusal would not end what a client holds on to.
func timedBodies(next http.Handler, limit time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != http.NoBody {
			control := http.NewResponseController(w)
			_ = control.SetReadDeadline(time.Now().Add(limit)) // a connection that has none is closing
			timed := *r                                        // net/http looks at the body of its own request when the answer begins
			timed.Body = timedBody{r.Body, control}
			r = &timed
		}
		next.ServeHTTP(w, r)
	})
}

// timedBody ends the limit when all has arrived: net/http takes the end of a later read for a client that is gone.
type timedBody struct {
	io.ReadCloser

	control *http.ResponseController
}

func (b timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// serveHTTP serves until ctx ends.
func serveHTTP(ctx context.Context, addr string, h http.Handler, logger *slog.Logger) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	logger.InfoContext(ctx, "listening", "address", listener.Addr().String())
	server := newHTTPServer(h, logger)
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
