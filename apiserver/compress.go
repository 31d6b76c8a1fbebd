package apiserver

import (
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
)

// compressAbove is the size from which answers are compressed; below it they fit into one packet anyway.
const compressAbove = 1 << 10

// newCompressor compresses answers of JSON and text for clients that take gzip: never streams of events, parts of a download,
// or what is compressed already.
func newCompressor() (func(http.Handler) http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(compressAbove), gzhttp.EnableZstd(false),
		gzhttp.CompressionLevel(gzip.BestSpeed), gzhttp.ContentTypeFilter(compressible))
	if err != nil {
		return nil, fmt.Errorf("api server: %w", err)
	}
	return func(next http.Handler) http.Handler { return wrap(honestLength(next)) }, nil
}

func compressible(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind != "text/event-stream" &&
		(strings.HasPrefix(kind, "text/") || slices.Contains([]string{"application/json", "image/svg+xml"}, kind))
}

// honestLength leaves the length out of answers to HEAD whose answer to GET may be compressed, since it would be another. (The
// compressor answers HEAD as if it were not there.) Clients that want the length do not ask for gzip.
func honestLength(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead && strings.Contains(strings.Join(r.Header.Values("Accept-Encoding"), ","), "gzip") {
			w = &headWriter{ResponseWriter: w}
		}
		next.ServeHTTP(w, r)
	})
}

type headWriter struct {
	http.ResponseWriter

	began bool
}

// WriteHeader removes a length that may be wrong.
func (w *headWriter) WriteHeader(status int) {
	w.began = w.began || status >= http.StatusOK
	h := w.Header()
	length, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err == nil && length >= compressAbove && h.Get("Content-Range") == "" && compressible(h.Get("Content-Type")) {
		h.Del("Content-Length")
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write drops the body, from which net/http would take the length.
func (w *headWriter) Write(b []byte) (int, error) {
	if !w.began {
		w.WriteHeader(http.StatusOK)
	}
	return len(b), nil
}

// Unwrap serves http.ResponseController.
func (w *headWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
