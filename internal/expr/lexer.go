package expr

import (
	"math"
	"strings"
)

type tokenKind int8

const (
	tokEnd    tokenKind = iota
	tokName             // a name or keyword
	tokNumber           // value in token.number
	tokString           // value in token.text, quotes taken off
	tokSign             // an operator or bracket, in token.text
)

type token struct {
	kind   tokenKind
	offset int
	text   string
	number float64
}

// String shows the token in an error message.
func (t token) String() string {
	switch t.kind {
	case tokEnd:
		return "end of expression"
	case tokString:
		return "a string"
	}
	return "'" + t.text + "'"
}

// lexer cuts an expression into tokens. In a template it stops at the `}}` that ends the expression.
type lexer struct {
	src string
	pos int
}

// signs are tried in this order, so the longer ones come first.
var signs = [...]string{"&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", ".", ",", "*"}

// next returns the next token. A dot begins a number only where a value may stand.
func (l *lexer) next(valueMayFollow bool) (token, error) {
	l.skipSpace()
	start := l.pos
	if l.pos == len(l.src) || strings.HasPrefix(l.src[l.pos:], "}}") {
		return token{kind: tokEnd, offset: start}, nil
	}
	switch c := l.src[l.pos]; {
	case c == '\'':
		return l.quoted()
	case isNameStart(c):
		return token{kind: tokName, offset: start, text: l.takeWhile(isNamePart)}, nil
	case isDigit(c), (c == '-' || c == '+' || c == '.') && valueMayFollow:
		return l.numeral()
	}
	for _, sign := range signs {
		if strings.HasPrefix(l.src[l.pos:], sign) {
			l.pos += len(sign)
			return token{kind: tokSign, offset: start, text: sign}, nil
		}
	}
	return token{}, l.unexpected(start)
}

func (l *lexer) unexpected(at int) error {
	if l.src[at] == '"' {
		return errorAt(at, `unexpected '"': strings stand in single quotes`)
	}
	for _, r := range l.src[at:] {
		return errorAt(at, "unexpected character %q", r)
	}
	return errorAt(at, "unexpected end of expression")
}

func (l *lexer) skipSpace() {
	for l.pos < len(l.src) && strings.IndexByte(" \t\r\n", l.src[l.pos]) >= 0 {
		l.pos++
	}
}

func (l *lexer) takeWhile(want func(byte) bool) string {
	start := l.pos
	for l.pos < len(l.src) && want(l.src[l.pos]) {
		l.pos++
	}
	return l.src[start:l.pos]
}

// quoted reads a string in single quotes; two of them stand for one.
func (l *lexer) quoted() (token, error) {
	start := l.pos
	var text strings.Builder
	for rest := l.src[start+1:]; ; {
		end := strings.IndexByte(rest, '\'')
		if end < 0 {
			return token{}, errorAt(start, "the string that begins here has no closing '")
		}
		text.WriteString(rest[:end])
		rest = rest[end+1:]
		if !strings.HasPrefix(rest, "'") {
			l.pos = len(l.src) - len(rest)
			return token{kind: tokString, offset: start, text: text.String()}, nil
		}
		text.WriteByte('\'')
		rest = rest[1:]
	}
}

// numeral reads everything that could belong to a number, and then asks whether it is one.
func (l *lexer) numeral() (token, error) {
	start := l.pos
	text := l.takeWhile(func(c byte) bool { return isNamePart(c) || c == '.' || c == '+' })
	value := parseNumber(text)
	if text == "" || math.IsNaN(value) {
		return token{}, errorAt(start, "'%s' is not a number", text)
	}
	return token{kind: tokNumber, offset: start, text: text, number: value}, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isNameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

func isNamePart(c byte) bool { return isNameStart(c) || isDigit(c) || c == '-' }
