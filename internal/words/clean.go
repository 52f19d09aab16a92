package words

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean is s as one line that may leave: control and invisible characters taken out, secrets redacted, at most max runes. Of a
// longer text the beginning and the end are kept, with an ellipsis between: the end of an error often names the cause. It
// never fails, and its result is valid UTF-8. It does not escape: that belongs to where the text goes.
func Clean(s string, max int) string {
	s = strip(s)
	if strings.ContainsRune(s, '\n') {
		s = strings.Join(strings.Fields(s), " ")
	}
	return Cut(Redact(strings.TrimSpace(s)), max)
}

// Block is Clean for text of several lines: line breaks are kept, at most max runes in all.
func Block(s string, max int) string {
	return Cut(Redact(strings.Trim(strip(s), "\n")), max)
}

// Cut is s if it has at most max runes; else two thirds of max from its beginning, an ellipsis, and the rest from its end.
func Cut(s string, max int) string {
	if len(s) <= max || utf8.RuneCountInString(s) <= max {
		return s
	}
	if max < 1 {
		return ""
	}
	head := (max - 1) * 2 / 3
	tail := max - 1 - head
	begin, end := 0, len(s)
	for range head {
		_, size := utf8.DecodeRuneInString(s[begin:])
		begin += size
	}
	for range tail {
		_, size := utf8.DecodeLastRuneInString(s[:end])
		end -= size
	}
	return s[:begin] + "…" + s[end:]
}

// maxMarks is how many combining marks may follow each other: more are only ever an attack on the reader's eyes.
const maxMarks = 3

// strip takes out of s what no person can see and what makes a terminal or a chat do something: escape sequences, control
// characters, marks that turn the direction of writing, characters of no width. Line breaks stay as \n, tabs become spaces,
// what is no UTF-8 becomes U+FFFD.
func strip(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	marks := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == 0x1b || r == 0x9b || r == 0x9d || r == 0x90 {
			i += size + escapeLength(r, s[i+size:])
			continue
		}
		i += size
		if unicode.Is(unicode.Mn, r) && !isVariation(r) {
			if marks++; marks > maxMarks {
				continue
			}
		} else {
			marks = 0
		}
		switch {
		case r == '\n' || r == 0x2028 || r == 0x2029 || r == 0x85:
			b.WriteByte('\n')
		case r == '\r':
			if !strings.HasPrefix(s[i:], "\n") {
				b.WriteByte('\n')
			}
		case r == '\t':
			b.WriteByte(' ')
		case invisible(r):
		default:
			b.WriteRune(r) // a RuneError of one byte is written as U+FFFD
		}
	}
	return b.String()
}

// plain says that s is printable ASCII and line breaks only, which is most of what a log holds.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 0x20 && c != '\n') || c >= 0x7f {
			return false
		}
	}
	return true
}

// escapeLength is how many bytes of rest belong to the escape sequence that intro began: a control sequence (CSI) up to its
// final byte, a string (OSC, DCS, APC, PM, SOS) up to its end, else one byte.
func escapeLength(intro rune, rest string) int {
	n := 0
	kind := intro
	if intro == 0x1b {
		if rest == "" || rest[0] < 0x20 || rest[0] > 0x7e {
			return 0
		}
		kind, n = rune(rest[0]), 1
	}
	switch kind {
	case '[', 0x9b:
		for n < len(rest) && rest[n] >= 0x20 && rest[n] <= 0x3f {
			n++
		}
		if n < len(rest) && rest[n] >= 0x40 && rest[n] <= 0x7e {
			n++
		}
		return n
	case ']', 'P', '_', '^', 'X', 0x9d, 0x90:
		// A string that is never ended would swallow the line, so only a short one is taken; else just what began it.
		for end := n; end < len(rest) && end < n+256; end++ {
			switch {
			case rest[end] == '\n':
				return n
			case rest[end] == 0x07:
				return end + 1
			case rest[end] == 0x1b && end+1 < len(rest) && rest[end+1] == '\\':
				return end + 2
			}
		}
		return n
	case '(', ')', '*', '+', '#', '%', ' ': // the set of characters, named by one byte more
		return min(n+1, len(rest))
	}
	return n
}

// isVariation says that r chooses how the character before it looks, as emoji need it.
func isVariation(r rune) bool { return r >= 0xfe00 && r <= 0xfe0f }

// invisible says that r shows nothing: control and format characters, fillers, tags. The direction marks among them can make
// a line read as what it is not, the ones of no width can hide a word from a search.
func invisible(r rune) bool {
	switch {
	case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
		return true
	case r == 0x034f, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x3164, r == 0xffa0:
		return true
	case r >= 0xe0000 && r <= 0xe0fff:
		return true
	case r >= 0xfff9 && r <= 0xfffc:
		return true
	}
	return false
}

// Terminal is s with everything that a terminal would obey, or that a reader could not see, written out as \x1b or \u202e.
// Line breaks and tabs stay. What is no UTF-8 becomes \x and its byte.
func Terminal(s string) string {
	if plain(s) {
		return s
	}
	const hex = "0123456789abcdef"
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1, r < 0x100 && unicode.IsControl(r) && r != '\n' && r != '\t':
			c := s[i]
			if size > 1 { // C1 controls are two bytes in UTF-8; their number is what a reader knows
				c = byte(r)
			}
			b.WriteString(`\x`)
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		case r >= 0x100 && invisible(r), r == 0x2028, r == 0x2029, r == 0xad:
			b.WriteString(`\u`)
			digits := 4
			if r > 0xffff {
				digits = 6
			}
			for shift := (digits - 1) * 4; shift >= 0; shift -= 4 {
				b.WriteByte(hex[r>>shift&15])
			}
		default:
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	return b.String()
}
