package apiserver

import (
	"net/http"
	"net/url"
	"strings"
)

// TidyPaths answers a path with doubled slashes, or with one at its end, as the path without them. Gitea does so too, and
// scripts that put an address together from parts rely on it. It stands before an http.ServeMux, which would redirect: of
// clients that follow, not all send their POST again. Paths of one part stay as they are: a proxy may keep /metrics private
// by its exact path.
func TidyPaths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		tidied := tidyPath(path)
		if tidied == path {
			next.ServeHTTP(w, r)
			return
		}
		again, at := *r, *r.URL
		at.Path, _ = url.PathUnescape(tidied) // it was unescaped before
		at.RawPath = tidied
		again.URL = &at
		next.ServeHTTP(w, &again)
	})
}

// tidyPath works on an escaped path, because an escaped slash is a part of a name.
func tidyPath(path string) string {
	if !strings.Contains(path, "//") && !strings.HasSuffix(path, "/") {
		return path
	}
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	if len(parts) < 2 {
		return path
	}
	return "/" + strings.Join(parts, "/")
}
