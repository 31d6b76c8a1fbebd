package apiserver

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
)

// unchanged marks the answer to a read with an ETag, and tells whether the client has it already. The tag is of the body and
// of what the headers tell about a list. It is weak, because the bytes differ with the encoding. Whoever keeps answers must
// keep them for one caller only and ask before each use.
func (c *call) unchanged(status int, body []byte) bool {
	if status != http.StatusOK || (c.r.Method != http.MethodGet && c.r.Method != http.MethodHead) {
		return false
	}
	h := c.w.Header()
	h.Add("Vary", "Authorization")
	if h.Get("Cache-Control") != "" {
		return false // the handler forbids to keep it
	}
	h.Set("Cache-Control", "private, no-cache")
	tag := entityTag(body, h.Get("X-Total-Count"), h.Get("Link"))
	h.Set("ETag", tag)
	return matchesTag(c.r.Header.Values("If-None-Match"), tag)
}

func entityTag(body []byte, header ...string) string {
	hash := sha256.New()
	hash.Write(body)
	for _, value := range header {
		hash.Write([]byte("\n" + value))
	}
	return `W/"` + base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:16]) + `"`
}

// matchesTag compares weakly, as RFC 9110 has it for reads.
func matchesTag(header []string, tag string) bool {
	want := strings.TrimPrefix(tag, "W/")
	for list := range strings.SplitSeq(strings.Join(header, ","), ",") {
		list = strings.TrimSpace(list)
		if list == "*" || strings.TrimPrefix(list, "W/") == want {
			return true
		}
	}
	return false
}
