package logs

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// errSkipped is any fault in what was skipped. The line is then read whole, which says what it is.
var errSkipped = errors.New("no JSON")

const (
	eachByte = 0x0101010101010101
	topBits  = 0x80 * eachByte
)

// zeroBytes has the top bit set of the first byte of x that is zero; bits above it may be wrong.
func zeroBytes(x uint64) uint64 { return (x - eachByte) &^ x & topBits }

// skipQuoted is where the string ends whose first byte, behind the quote, is raw[i], and whether it has no escape. It is -1 for
// what is no string.
func skipQuoted(raw []byte, i int) (end int, plain bool) {
	plain = true
	for {
		for ; i+8 <= len(raw); i += 8 {
			x := binary.LittleEndian.Uint64(raw[i:])
			if m := zeroBytes(x^'"'*eachByte) | zeroBytes(x^'\\'*eachByte); m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
		}
		for i < len(raw) && raw[i] != '"' && raw[i] != '\\' {
			i++
		}
		switch {
		case i >= len(raw):
			return -1, plain
		case raw[i] == '"':
			return i + 1, plain
		case i+1 >= len(raw):
			return -1, false
		}
		plain = false
		if raw[i+1] != 'u' {
			if simpleEscape(raw[i+1]) == 0 {
				return -1, false
			}
			i += 2
			continue
		}
		if i+6 > len(raw) {
			return -1, false
		}
		for _, c := range raw[i+2 : i+6] {
			if c -= '0'; c > 9 && (c|0x20)-('a'-'0') > 5 {
				return -1, false
			}
		}
		i += 6
	}
}

// skipWhite is the first byte from i on that is no white space.
func skipWhite(raw []byte, i int) int {
	for i < len(raw) && raw[i] <= ' ' && isSpace(raw[i]) {
		i++
	}
	return i
}

// skip is where the value ends that begins at i; -1 if it is none by the rules of value. It is one loop over a stack of bits,
// and longer than a function should be, because most of most entries is skipped.
func (d *decoder) skip(i int) int {
	raw := d.raw
	var objects [maxDepth/64 + 1]uint64 // which of the open brackets are those of objects
	depth := d.depth
	for {
		if i >= len(raw) {
			return -1
		}
		switch c := raw[i]; c {
		case '"':
			if i, _ = skipQuoted(raw, i+1); i < 0 {
				return -1
			}
		case '{', '[':
			if depth++; depth > maxDepth {
				return -1
			}
			i = skipWhite(raw, i+1)
			if i < len(raw) && raw[i] == c+2 {
				i++
				depth--
				break
			}
			if c == '[' {
				objects[depth>>6] &^= 1 << (depth & 63)
				continue
			}
			objects[depth>>6] |= 1 << (depth & 63)
			if i = skipMemberName(raw, i); i < 0 {
				return -1
			}
			continue
		default:
			if i = d.skipScalar(i); i < 0 {
				return -1
			}
		}
		// A value has ended before i.
		for more := false; !more; {
			if depth == d.depth {
				return i
			}
			i = skipWhite(raw, i)
			if i >= len(raw) {
				return -1
			}
			isObject := objects[depth>>6]>>(depth&63)&1 == 1
			switch c := raw[i]; {
			case c == ',':
				i = skipWhite(raw, i+1)
				if isObject {
					if i = skipMemberName(raw, i); i < 0 {
						return -1
					}
				}
				more = true
			case c == '}' && isObject, c == ']' && !isObject:
				i++
				depth--
			default:
				return -1
			}
		}
	}
}

// skipMemberName is where the value of the member begins whose name begins at i; -1 if no name does.
func skipMemberName(raw []byte, i int) int {
	if i >= len(raw) || raw[i] != '"' {
		return -1
	}
	if i, _ = skipQuoted(raw, i+1); i < 0 {
		return -1
	}
	i = skipWhite(raw, i)
	if i >= len(raw) || raw[i] != ':' {
		return -1
	}
	return skipWhite(raw, i+1)
}

// skipScalar is where the number, boolean or null ends that begins at i, or -1.
func (d *decoder) skipScalar(i int) int {
	d.pos = i
	var err error
	switch d.raw[i] {
	case 't':
		err = d.word("true")
	case 'f':
		err = d.word("false")
	case 'n':
		err = d.word("null")
	default:
		_, err = d.number()
	}
	if err != nil {
		return -1
	}
	return d.pos
}
