package cli

import (
	"path"
	"strings"
)

// shorten cuts a text to a number of characters.
func shorten(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}

// fileOf is the file of a run's path, which is `file@ref`.
func fileOf(at string) string {
	file, _, _ := strings.Cut(at, "@")
	return path.Base(file)
}
