package trigger

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/pawl-ci/pawl/internal/ci"
)

// shorten cuts a title or name to the length that is stored, and removes what Postgres cannot hold.
func shorten(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
	if runes := []rune(s); len(runes) > ci.MaxNameRunes {
		return string(runes[:ci.MaxNameRunes])
	}
	return s
}

// cleanJSON removes the one character that jsonb refuses.
func cleanJSON(raw json.RawMessage) json.RawMessage {
	return bytes.ReplaceAll(raw, []byte(`\u0000`), []byte(`\ufffd`))
}

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
