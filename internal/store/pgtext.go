package store

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// PostgreSQL keeps no text with a NUL in it, nor any that is not UTF-8; a log may hold both. Such bytes are written as the
// noncharacter U+FFFF and two hexadecimal digits, and so is that character itself, so that every text comes back as it was.
const escape = "\uffff"

// postgresValue is an argument as PostgreSQL takes it.
func postgresValue(v any) any {
	s, ok := v.(string)
	if !ok || utf8.ValidString(s) && !strings.Contains(s, "\x00") && !strings.Contains(s, escape) {
		return v
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == 0 || r == '\uffff' || r == utf8.RuneError && n == 1 {
			for ; n > 0; n-- {
				b.WriteString(escape + hex.EncodeToString([]byte{s[i]}))
				i++
			}
			continue
		}
		b.WriteString(s[i : i+n])
		i += n
	}
	return b.String()
}

// unescape is the text that postgresValue was given.
func unescape(s string) string {
	if !strings.Contains(s, escape) {
		return s
	}
	parts := strings.Split(s, escape)
	for i, p := range parts[1:] {
		if len(p) < 2 {
			continue
		}
		if b, err := hex.DecodeString(p[:2]); err == nil {
			parts[i+1] = string(b) + p[2:]
		}
	}
	return strings.Join(parts, "")
}

// scanner is what reads a column by itself.
type scanner interface{ Scan(src any) error }

// postgresDest reads a column of text as it was written.
func postgresDest(v any) any {
	switch v := v.(type) {
	case *string:
		return textInto{v}
	case scanner:
		return unescaped{v}
	}
	return v
}

// textInto reads a text.
type textInto struct{ s *string }

// Scan reads a column of text.
func (t textInto) Scan(src any) error {
	s, ok := src.(string)
	if !ok {
		return errNoText{src}
	}
	*t.s = unescape(s)
	return nil
}

// unescaped lets a scanner read a text as it was written.
type unescaped struct{ scanner }

// Scan hands a column on.
func (u unescaped) Scan(src any) error {
	if s, ok := src.(string); ok {
		src = unescape(s)
	}
	return u.scanner.Scan(src)
}

// errNoText says what was found instead.
type errNoText struct{ src any }

func (e errNoText) Error() string { return fmt.Sprintf("a text is stored as %T", e.src) }
