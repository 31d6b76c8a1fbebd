package apiserver

import (
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzhttp"
)

// compressAbove is the size from which answers are compressed; below it they fit into one packet anyway.
const compressAbove = 1 << 10

// newCompressor compresses answers of JSON and text for clients that take gzip: never streams of events, parts of a download,
// or what is compressed already.
func newCompressor() (func(http.Handler) http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(compressAbove), gzhttp.EnableZstd(false), gzhttp.ContentTypeFilter(compressible))
	if err != nil {
		return nil, fmt.Errorf("api server: %w", err)
	}
	return func(next http.Handler) http.Handler { return wrap(bodyForHead(next)) }, nil
}

func compressible(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind != "text/event-stream" &&
		(strings.HasPrefix(kind, "text/") || slices.Contains([]string{"application/json", "image/svg+xml"}, kind))
}

// bodyForHead gives answers to HEAD that come without a body the beginning of one, which net/http leaves out again. By it the
// compressor sees what it would do to the answer to GET, so that both have the same header.
func bodyForHead(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		counted := &countingWriter{ResponseWriter: w}
		next.ServeHTTP(counted, r)
		length, err := strconv.ParseInt(w.Header().Get("Content-Length"), 10, 64)
		if err == nil && length >= compressAbove && counted.status == http.StatusOK && !counted.wrote {
			_, _ = w.Write(make([]byte, compressAbove)) // an error means that nobody listens any more
		}
	})
}

// countingWriter remembers what was written through it.
type countingWriter struct {
	http.ResponseWriter

	status int // 0 until a final header is written
	wrote  bool
}

// WriteHeader notes the first final status.
func (w *countingWriter) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implies status 200.
func (w *countingWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.wrote = w.wrote || len(b) > 0
	return w.ResponseWriter.Write(b)
}

// Unwrap serves http.ResponseController.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
