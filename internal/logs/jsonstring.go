package logs

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// string takes the string at pos. One without escapes shares the source's memory.
func (d *decoder) string() (string, error) {
	start := d.pos + 1
	for i := start; i < len(d.src); i++ {
		switch d.src[i] {
		case '"':
			d.pos = i + 1
			return d.clean(d.src[start:i]), nil
		case '\\':
			return d.escaped(start, i)
		}
	}
	d.pos = len(d.src)
	return "", errCut
}

// clean replaces what is not UTF-8.
func (d *decoder) clean(s string) string {
	if d.valid || utf8.ValidString(s) {
		return s
	}
	return string([]rune(s)) // as encoding/json does, one U+FFFD for each byte that is wrong
}

// escaped takes a string that began at start and has its first backslash at i.
func (d *decoder) escaped(start, i int) (string, error) {
	src := d.src
	base := len(d.texts)
	d.texts = append(d.texts, src[start:i]...)
	for i < len(src) {
		c := src[i]
		if c == '"' {
			d.pos = i + 1
			return d.clean(d.takeText(base)), nil
		}
		if c != '\\' {
			j := i + 1
			for j < len(src) && src[j] != '"' && src[j] != '\\' {
				j++
			}
			d.texts = append(d.texts, src[i:j]...)
			i = j
			continue
		}
		if i+1 >= len(src) {
			break
		}
		if src[i+1] == 'u' {
			r, size := unicodeEscape(src[i:])
			if size == 0 {
				d.pos = i
				if len(src)-i < 6 {
					return "", errCut
				}
				return "", fmt.Errorf("bad escape %q", src[i:i+6])
			}
			d.texts = utf8.AppendRune(d.texts, r)
			i += size
			continue
		}
		r := simpleEscape(src[i+1])
		if r == 0 {
			d.pos = i
			return "", fmt.Errorf("bad escape \\%c", src[i+1])
		}
		d.texts = append(d.texts, r)
		i += 2
	}
	d.pos = len(src)
	return "", errCut
}

// takeText is what stands in texts from base on, as a string.
func (d *decoder) takeText(base int) string {
	b := d.texts[base:]
	if d.reuse {
		return unsafe.String(unsafe.SliceData(b), len(b))
	}
	d.texts = d.texts[:base]
	return string(b)
}

func simpleEscape(c byte) byte {
	switch c {
	case '"', '\\', '/':
		return c
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	default:
		return 0
	}
}

// unicodeEscape reads \uXXXX, and a pair of surrogates as one rune. Its size is 0 if there is no such escape.
func unicodeEscape(s string) (r rune, size int) {
	r, ok := hex4(s)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if low, ok := hex4(s[6:]); ok {
		if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
			return both, 12
		}
	}
	return utf8.RuneError, 6
}

func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[2:6]) {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
