package lql

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenText
	tokenString
	tokenOp
	tokenOpen
	tokenClose
	tokenComma
	tokenDot
	tokenStar
	tokenMinus
	tokenPlus
)

// token is a piece of a filter.
type token struct {
	kind tokenKind
	// text is a string's decoded text, else what is written.
	text string
	// raw is what is written.
	raw string
	at  Position
	// spaced says that white space or a comment stands before it.
	spaced bool
}

// Position is a place in a filter: line and column from 1, columns counted in runes.
type Position struct {
	Line, Column int
}

// lexer cuts a filter into tokens.
type lexer struct {
	src string
	pos int
	at  Position
}

// lex cuts src into tokens, the last of them tokenEnd.
func lex(src string) ([]token, error) {
	l := &lexer{src: src, at: Position{1, 1}}
	var out []token
	for {
		spaced := l.space()
		if l.pos >= len(src) {
			return append(out, token{kind: tokenEnd, at: l.at, spaced: spaced}), nil
		}
		t, err := l.token()
		if err != nil {
			return nil, err
		}
		t.spaced = spaced
		out = append(out, t)
	}
}

// step moves over n bytes.
func (l *lexer) step(n int) {
	part := l.src[l.pos : l.pos+n]
	l.pos += n
	if lines := strings.Count(part, "\n"); lines > 0 {
		l.at.Line += lines
		l.at.Column = 1
		part = part[strings.LastIndexByte(part, '\n')+1:]
	}
	l.at.Column += utf8.RuneCountInString(part)
}

// space skips white space and comments, and says whether there was any.
func (l *lexer) space() bool {
	start := l.pos
	for l.pos < len(l.src) {
		r, size := utf8.DecodeRuneInString(l.src[l.pos:])
		switch {
		case unicode.IsSpace(r):
			l.step(size)
		case strings.HasPrefix(l.src[l.pos:], "--"):
			n := strings.IndexByte(l.src[l.pos:], '\n')
			if n < 0 {
				n = len(l.src) - l.pos
			}
			l.step(n)
		default:
			return l.pos > start
		}
	}
	return l.pos > start
}

var single = map[byte]tokenKind{
	'(': tokenOpen, ')': tokenClose, ',': tokenComma, '.': tokenDot, '*': tokenStar, '-': tokenMinus, '+': tokenPlus,
}

// token takes the token at pos.
func (l *lexer) token() (token, error) {
	rest := l.src[l.pos:]
	switch rest[0] {
	case '=', '!', '<', '>', ':':
		for _, op := range [...]string{"=~", "!~", "!=", "<=", ">=", "=", "<", ">", ":"} {
			if strings.HasPrefix(rest, op) {
				return l.take(tokenOp, len(op)), nil
			}
		}
	}
	if rest[0] == '"' {
		return l.string()
	}
	if kind, ok := single[rest[0]]; ok {
		return l.take(kind, 1), nil
	}
	n := 0
	for n < len(rest) {
		if c := rest[n]; c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' {
			n++
			continue
		}
		r, size := utf8.DecodeRuneInString(rest[n:])
		if why := strayRune(r, n == 0); why != "" {
			return token{}, l.fail(n, size, why)
		}
		if unicode.IsSpace(r) || strings.ContainsRune("~=():><,.*\"\\", r) {
			break
		}
		if r == '!' && n+1 < len(rest) && (rest[n+1] == '=' || rest[n+1] == '~') {
			break
		}
		if n > 0 && strings.HasPrefix(rest[n:], "--") {
			return token{}, l.fail(n, 2, "a comment begins with -- after a space; text that holds -- must be in double quotes")
		}
		n += size
	}
	switch {
	case n > 0 && rest[n-1] == '!' && n < len(rest) && rest[n] == '"':
		return token{}, l.fail(n-1, 1, "inequality is written !=, a regular expression that must not match !~")
	case n > 0:
		return l.take(tokenText, n), nil
	case rest[0] == '~':
		return token{}, l.fail(0, 1, "write =~ to match a regular expression, !~ to match all but it")
	default:
		return token{}, l.fail(0, 1, "text with an escape must be in double quotes")
	}
}

// strayRune says what is wrong with a character that comes with a filter from a chat or a web page; "" for all others.
func strayRune(r rune, first bool) string {
	switch {
	case first && strings.ContainsRune("“”„‟«»", r):
		return "a typographic quote is none here: text stands between straight double quotes"
	case r == 0xAD, r == 0x200B, r == 0x200E, r == 0x200F, r >= 0x202A && r <= 0x202E, r >= 0x2060 && r <= 0x206F, r == 0xFEFF:
		return fmt.Sprintf("an invisible character, U+%04X, stands here: delete it; text that holds it must be in double quotes", r)
	}
	return ""
}

func (l *lexer) take(kind tokenKind, n int) token {
	t := token{kind: kind, text: l.src[l.pos : l.pos+n], raw: l.src[l.pos : l.pos+n], at: l.at}
	l.step(n)
	return t
}

// fail is a mistake skip bytes behind pos, of a token of size bytes.
func (l *lexer) fail(skip, size int, suggestion string) error {
	l.step(skip)
	return &Error{Line: l.at.Line, Column: l.at.Column, Token: l.src[l.pos : l.pos+size], Text: "syntax error", Suggestion: suggestion}
}

// string takes the string in double quotes at pos.
func (l *lexer) string() (token, error) {
	rest := l.src[l.pos:]
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			t := l.take(tokenString, i+1)
			t.text = unquote(rest[1:i])
			return t, nil
		}
	}
	return token{}, l.fail(0, len(rest), "the double quote that ends this string is missing")
}

// unquote resolves a string's escapes. One that is unknown stays as it is, backslash and all, so that regular expressions
// may be written as in `"io\.k8s"`.
func unquote(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		switch c := s[i+1]; c {
		case '"', '\\':
			b.WriteByte(c)
			i++
		case 't':
			b.WriteByte('\t')
			i++
		default:
			if out, size := otherEscape(s[i:]); size > 0 {
				b.WriteByte(out)
				i += size - 1
			} else {
				b.WriteByte('\\')
			}
		}
	}
	return b.String()
}

// octal reads \377: a backslash and three octal digits, at most 377. Its size is 0 if there is none.
func octal(s string) (out byte, size int) {
	if len(s) < 4 || s[1] > '3' {
		return 0, 0
	}
	for _, c := range []byte(s[1:4]) {
		if c < '0' || c > '7' {
			return 0, 0
		}
		out = out<<3 | (c - '0')
	}
	return out, 4
}
