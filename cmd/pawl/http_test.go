package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// answered sends the beginning of a request and returns the status of the answer.
func answered(t *testing.T, address, request string) int {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	fmt.Fprint(conn, request)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer response.Body.Close()
	return response.StatusCode
}

// A body that does not come holds up neither who reads it nor who does not.
func TestBodiesThatDoNotArrive(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/ignore", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	mux.HandleFunc("/read", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	server := httptest.NewServer(timedBodies(mux, 20*time.Millisecond))
	defer server.Close()
	for path, status := range map[string]int{"/ignore": http.StatusTeapot, "/read": http.StatusBadRequest} {
		request := "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"
		require.Equal(t, status, answered(t, strings.TrimPrefix(server.URL, "http://"), request))
	}
}

// deadlines remembers what it was told.
type deadlines struct {
	*httptest.ResponseRecorder

	read []time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.read = append(d.read, at)
	return nil
}

// One that has arrived may be answered as late as one likes, as a poll is; and what has no body has no limit at all.
func TestBodiesThatHaveArrived(t *testing.T) {
	h := timedBodies(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		require.NoError(t, err)
	}), time.Hour)
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}")))
	require.Len(t, w.read, 2)
	require.WithinDuration(t, time.Now().Add(time.Hour), w.read[0], time.Minute)
	require.Zero(t, w.read[1])
	w.read = nil
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	require.Empty(t, w.read)
}
