package logs

import "errors"

// errSkipped is any fault in what was skipped. The line is then read whole, which says what it is.
var errSkipped = errors.New("no JSON")

// skipWhite is the first byte from i on that is no white space.
func skipWhite(raw []byte, i int) int {
	for i < len(raw) && raw[i] <= ' ' && isSpace(raw[i]) {
		i++
	}
	return i
}

// skip is where the value ends that begins at i; -1 if it is none by the rules of value. It is one loop over a stack of bits,
// and longer than a function should be, because most of most entries is skipped. d.next is the first quote from i on.
func (d *decoder) skip(i int) int {
	raw, quotes, next := d.raw, d.quotes[:d.marked], d.next
	var objects [maxDepth/64 + 1]uint64 // which of the open brackets are those of objects
	depth := d.depth
	for {
		if i >= len(raw) {
			return -1
		}
		switch c := raw[i]; c {
		case '"':
			if next+1 >= len(quotes) {
				return -1
			}
			i = int(quotes[next+1]) + 1
			next += 2
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
			if next+1 >= len(quotes) || raw[i] != '"' {
				return -1
			}
			i = skipColon(raw, int(quotes[next+1])+1)
			if next += 2; i < 0 {
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
				d.next = next
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
					if i >= len(raw) || raw[i] != '"' || next+1 >= len(quotes) {
						return -1
					}
					i = skipColon(raw, int(quotes[next+1])+1)
					if next += 2; i < 0 {
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

// skipColon is where the value of a member begins whose name ends before i; -1 if none does.
func skipColon(raw []byte, i int) int {
	if i+1 < len(raw) && raw[i] == ':' && raw[i+1] > ' ' {
		return i + 1
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
