package lql

import (
	"bytes"
	"encoding/binary"
)

// hiding is the needle of a hit that is none: something there may hide a needle from a search in the bytes, so that the line
// must be read. That is a byte that is not ASCII, because folding may make ASCII of it, and an escape other than those of the
// characters that no needle holds (see escapable).
const hiding = -1

// oddLog is the needle of a hit where a log's name may be written otherwise than its needles say.
const oddLog = -2

// oddLogs appends a hit for each string of data[from:to] that may be the name of a log and has a character written as %XX that need not
// be: a slash must.
func oddLogs(data []byte, from, to int, hits []hit) []hit {
	const farthest = 1 << 10 // a log's name has at most 512 characters
	for i := from; i < to; {
		n := bytes.IndexByte(data[i:to], '%')
		if n < 0 {
			break
		}
		i += n
		if i+2 < to && data[i+1] == '2' && lower(data[i+2]) == 'f' {
			i += 3
			continue
		}
		begin := max(from, i-farthest)
		quote := bytes.LastIndexByte(data[begin:i], '"')
		if quote < 0 || bytes.Contains(data[begin+quote:i], []byte("/logs/")) {
			hits = append(hits, hit{at: i, needle: oddLog})
		}
		if n = bytes.IndexByte(data[i:to], '"'); n < 0 {
			break
		}
		i += n
	}
	return hits
}

// hazards appends a hit for every line of data[from:to] that may hide a needle.
func hazards(data []byte, from, to int, hits []hit) []hit {
	wide, odd := notASCII(data, from, to), oddEscape(data, from, to)
	for wide < to || odd < to {
		at := min(wide, odd)
		hits = append(hits, hit{at: at, needle: hiding})
		n := bytes.IndexByte(data[at:to], '\n')
		if n < 0 {
			break
		}
		if wide < at+n {
			wide = notASCII(data, at+n, to)
		}
		if odd < at+n {
			odd = oddEscape(data, at+n, to)
		}
	}
	return hits
}

// notASCII is the first byte of data[from:to] that is not ASCII, or to.
func notASCII(data []byte, from, to int) int {
	const tops = 0x8080808080808080
	i := from
	for ; i+64 <= to; i += 64 {
		b := data[i : i+64 : i+64]
		x := binary.LittleEndian.Uint64(b) | binary.LittleEndian.Uint64(b[8:]) |
			binary.LittleEndian.Uint64(b[16:]) | binary.LittleEndian.Uint64(b[24:])
		y := binary.LittleEndian.Uint64(b[32:]) | binary.LittleEndian.Uint64(b[40:]) |
			binary.LittleEndian.Uint64(b[48:]) | binary.LittleEndian.Uint64(b[56:])
		if (x|y)&tops != 0 {
			break
		}
	}
	for ; i < to; i++ {
		if data[i] >= 0x80 {
			return i
		}
	}
	return to
}

// oddEscape is the first escape of data[from:to] that may stand for a needle's character, or to.
func oddEscape(data []byte, from, to int) int {
	for i := from; i < to; {
		n := bytes.IndexByte(data[i:to], '\\')
		if n < 0 {
			return to
		}
		i += n
		if i+1 >= to {
			return i
		}
		switch data[i+1] {
		case '"', '\\', 'n', 't', 'r', 'b', 'f':
			i += 2
		case 'u':
			if !plainEscape(data[i:to]) {
				return i
			}
			i += 6
		default:
			return i
		}
	}
	return to
}

// plainEscape says whether an escape is of one of < > &, as Go writes them.
func plainEscape(b []byte) bool {
	if len(b) < 6 || b[2] != '0' || b[3] != '0' {
		return false
	}
	switch b[4] {
	case '3':
		return lower(b[5]) == 'c' || lower(b[5]) == 'e'
	case '2':
		return b[5] == '6'
	}
	return false
}
