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

// byteBits has bit i set if byte i of x is c.
func byteBits(x uint64, c uint64) uint64 {
	x ^= c * eachByte
	return (^((x&lowBits + lowBits) | x) & topBits) * 0x0002040810204081 >> 56
}

// masksAnywhere says where in raw, whose length is a multiple of 64, there are quotes and backslashes: a bit for each byte and a word for
// each 64 of them; and, in wide, whether any byte is not ASCII.
func masksAnywhere(raw []byte, quotes, slashes []uint64) (wide uint64) {
	for at := 0; at+64 <= len(raw); at += 64 {
		var q, s uint64
		for i := range 8 {
			x := binary.LittleEndian.Uint64(raw[at+8*i:])
			wide |= x & topBits
			q |= byteBits(x, '"') << (8 * i)
			s |= byteBits(x, '\\') << (8 * i)
		}
		quotes[at/64], slashes[at/64] = q, s
	}
	return wide
}

// mark notes where in raw the quotes stand that begin and end strings, and whether there is an escape. It says false if
// there is no such thing: an escape is none, a string does not end, or raw is not UTF-8. An entry's strings are then found
// without looking at each byte again.
func (d *decoder) mark(raw []byte) bool {
	whole := len(raw) / 64
	if len(d.masks) < 2*(whole+1) {
		d.masks = make([]uint64, 2*(whole+16))
	}
	quotes, slashes := d.masks[:whole+1], d.masks[len(d.masks)/2:][:whole+1]
	var tail [64]byte
	copy(tail[:], raw[whole*64:])
	wide := blockMasks(raw[:whole*64], quotes, slashes) | blockMasks(tail[:], quotes[whole:], slashes[whole:])
	n := 0
	var escaped uint64 // the byte before was a backslash that begins an escape
	d.escapes = false
	for block, m := range quotes {
		base := block * 64
		if n+64 > len(d.quotes) {
			d.quotes = slices.Grow(d.quotes, 128)
			d.quotes = d.quotes[:cap(d.quotes)]
		}
		if slashes[block]|escaped != 0 {
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
	return n%2 == 0 && escaped == 0 && (wide == 0 || utf8.Valid(raw))
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
