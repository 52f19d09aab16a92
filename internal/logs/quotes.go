package logs

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"
)

const (
	eachByte = 0x0101010101010101
	topBits  = 0x80 * eachByte
	lowBits  = 0x7f * eachByte
)

// quoteBits has bit i set if byte i of x is a quote.
func quoteBits(x uint64) uint64 {
	x ^= '"' * eachByte
	return (^((x&lowBits + lowBits) | x) & topBits) * 0x0002040810204081 >> 56
}

// slashBits has some top bit set if a byte of x is a backslash.
func slashBits(x uint64) uint64 {
	x ^= '\\' * eachByte
	return (x - eachByte) &^ x
}

// mark notes where in raw the quotes stand that begin and end strings, and whether there is an escape. It says false if
// there is no such thing: an escape is none, a string does not end, or raw is not UTF-8. An entry's strings are then found
// without looking at each byte again.
func (d *decoder) mark(raw []byte) bool {
	n := 0
	var wide, escaped uint64 // escaped says that the byte before was a backslash that begins an escape
	d.escapes = false
	var tail [64]byte
	for base := 0; base < len(raw); base += 64 {
		if n+64 > len(d.quotes) {
			d.quotes = slices.Grow(d.quotes, 128)
			d.quotes = d.quotes[:cap(d.quotes)]
		}
		b := &tail
		if base+64 <= len(raw) {
			b = (*[64]byte)(raw[base:])
		} else {
			copy(tail[:], raw[base:])
		}
		x0, x1 := binary.LittleEndian.Uint64(b[0:]), binary.LittleEndian.Uint64(b[8:])
		x2, x3 := binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
		x4, x5 := binary.LittleEndian.Uint64(b[32:]), binary.LittleEndian.Uint64(b[40:])
		x6, x7 := binary.LittleEndian.Uint64(b[48:]), binary.LittleEndian.Uint64(b[56:])
		wide |= x0 | x1 | x2 | x3 | x4 | x5 | x6 | x7
		m := quoteBits(x0) | quoteBits(x1)<<8 | quoteBits(x2)<<16 | quoteBits(x3)<<24 |
			quoteBits(x4)<<32 | quoteBits(x5)<<40 | quoteBits(x6)<<48 | quoteBits(x7)<<56
		slash := slashBits(x0) | slashBits(x1) | slashBits(x2) | slashBits(x3) |
			slashBits(x4) | slashBits(x5) | slashBits(x6) | slashBits(x7)
		if slash&topBits|escaped != 0 {
			var ok bool
			if m, escaped, ok = d.unescape(raw, base, m, escaped); !ok {
				return false
			}
		}
		found := (*[64]int32)(d.quotes[n:])
		n += bits.OnesCount64(m)
		at := int32(base)
		// Most often there are few. That they are written without asking how many is faster than it is wasteful.
		for i := 0; i < 8; i += 4 {
			found[i] = at + int32(bits.TrailingZeros64(m))
			m &= m - 1
			found[i+1] = at + int32(bits.TrailingZeros64(m))
			m &= m - 1
			found[i+2] = at + int32(bits.TrailingZeros64(m))
			m &= m - 1
			found[i+3] = at + int32(bits.TrailingZeros64(m))
			m &= m - 1
		}
		for i := 8; m != 0; i++ {
			found[i&63] = at + int32(bits.TrailingZeros64(m))
			m &= m - 1
		}
	}
	d.next, d.marked = 0, n
	return n%2 == 0 && escaped == 0 && (wide&topBits == 0 || utf8.Valid(raw))
}

// unescape takes of m, which has the bits of the quotes in the 64 bytes at base, those that an escape takes. It checks the
// escapes. before says that the first byte belongs to one; after, that the next byte behind does.
func (d *decoder) unescape(raw []byte, base int, m, before uint64) (left, after uint64, ok bool) {
	d.escapes = true
	m &^= before
	end := min(base+64, len(raw))
	for i := base + int(before); i < end; i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		switch {
		case i >= len(raw):
			return 0, 0, false
		case raw[i] == 'u':
			if i+5 > len(raw) {
				return 0, 0, false
			}
			for _, c := range raw[i+1 : i+5] {
				if c -= '0'; c > 9 && (c|0x20)-('a'-'0') > 5 {
					return 0, 0, false
				}
			}
		case simpleEscape(raw[i]) == 0:
			return 0, 0, false
		}
		if i == end && i == base+64 {
			return m, 1, true
		}
		m &^= 1 << (i - base)
	}
	return m, 0, true
}
