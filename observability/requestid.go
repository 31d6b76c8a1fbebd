package observability

import (
	"context"
	"net/http"
)

// RequestIDHeader carries the id of a request in both directions, so that a client and a proxy can name it.
const RequestIDHeader = "X-Request-Id"

// maxRequestID is the length in bytes up to which a client's own id is taken over.
const maxRequestID = 64

type requestIDKey struct{}

// WithRequestID returns a context whose log records carry the id.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID is the id of the request that the context belongs to, or empty.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// RequestIDs gives each request an id: the client's, when it is a short word of letters, digits, '-', '_' and '.',
// else one made by newID. The answer carries it in [RequestIDHeader].
func RequestIDs(newID func() string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id := r.Header.Get(RequestIDHeader)
			if !validRequestID(id) {
				id = newID()
			}
			w.Header().Set(RequestIDHeader, id)
			next.ServeHTTP(w, r.WithContext(WithRequestID(r.Context(), id)))
		})
	}
}

// validRequestID keeps ids out of the log that could forge a record or fill a line.
func validRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for _, c := range []byte(id) {
		if !isWordByte(c) {
			return false
		}
	}
	return true
}

func isWordByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	default:
		return c == '-' || c == '_' || c == '.'
	}
}
