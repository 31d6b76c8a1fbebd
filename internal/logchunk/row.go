package logchunk

import (
	"strings"
	"time"
	"unicode/utf8"
)

// MaxContentBytes is the most of one row's content that is kept (runner-protocol.md §8.2).
const MaxContentBytes = 64 << 10

// The times between which a row's time is believed. Others are brought to the nearer end, so that a line always
// begins with a time of the same width.
var (
	minTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	maxTime = time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
)

// Writer makes lines of rows. Consecutive rows mostly share their second, whose text it keeps. The zero value is
// ready; it is not safe for concurrent use.
type Writer struct {
	second int64
	text   [len("2006-01-02T15:04:05.")]byte
	valid  bool
}

// AppendRow appends the line of one row to dst. Content is cut to MaxContentBytes at a character boundary; bytes
// that are not UTF-8 are replaced, NUL is dropped, a line end at its end is dropped and one within it is written as
// the two characters \n.
func (w *Writer) AppendRow(dst []byte, at time.Time, content string) []byte {
	dst = w.appendTime(dst, at)
	dst = append(dst, ' ')
	dst = append(dst, Clean(content)...)
	return append(dst, '\n')
}

func (w *Writer) appendTime(dst []byte, at time.Time) []byte {
	switch {
	case at.Before(minTime):
		at = minTime
	case at.After(maxTime):
		at = maxTime
	}
	if second := at.Unix(); !w.valid || second != w.second {
		at.UTC().AppendFormat(w.text[:0], "2006-01-02T15:04:05.")
		w.second, w.valid = second, true
	}
	dst = append(dst, w.text[:]...)
	ticks := at.Nanosecond() / 100
	var digits [7]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = byte('0' + ticks%10)
		ticks /= 10
	}
	dst = append(dst, digits[:]...)
	return append(dst, 'Z')
}

// Clean is the content of a row as it is stored; see Writer.AppendRow. It returns clean content as it is.
func Clean(content string) string {
	content = cut(strings.TrimRight(content, "\r\n\x00"))
	if !utf8.ValidString(content) {
		content = cut(strings.ToValidUTF8(content, string(utf8.RuneError)))
	}
	if strings.IndexByte(content, 0) >= 0 {
		content = strings.ReplaceAll(content, "\x00", "")
	}
	if strings.IndexByte(content, '\n') >= 0 {
		content = cut(strings.ReplaceAll(content, "\n", `\n`)) // which made it longer
	}
	return content
}

// cut shortens s to MaxContentBytes without cutting a character in two.
func cut(s string) string {
	if len(s) <= MaxContentBytes {
		return s
	}
	end := MaxContentBytes
	for end > MaxContentBytes-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
