package logs

import (
	"bytes"
	"time"
	"unsafe"
)

// times reads of a line nothing but when it was, its logName aside. It says false, and reads nothing, where the line is anything but an
// ordinary LogEntry: what it is must then be found out by reading it. What it takes for a LogEntry is one: each of its values is looked
// at, if only to see where it ends, because a line that is broken moves no clock.
//
// Most lines of most logs are read so, each of its bytes once by mark. It is one loop over a stack of bits, as skip is, and longer than a function should be.
func (d *decoder) times(line []byte, e *Entry) bool {
	raw := bytes.TrimSuffix(line, []byte("\r"))
	if len(line) >= MaxLine || len(raw) < 3 || raw[0] != '{' || raw[1] != '"' || !d.mark(raw) {
		return false
	}
	d.src, d.raw = unsafe.String(unsafe.SliceData(raw), len(raw)), raw // the entry promises no more than line does
	quotes := d.quotes[:d.marked]
	next, i := 0, 1
	objects, depth := uint64(1), 1 // which of the open brackets are those of objects, the innermost lowest
	var found [3]Value             // by topTimes
	name := true                   // a member's name begins at i, rather than a value
	which := -1
	for {
		if i >= len(raw) {
			return false
		}
		c := raw[i]
		if name {
			if c != '"' || next+1 >= len(quotes) {
				return false
			}
			end := int(quotes[next+1])
			if depth == 1 {
				var ok bool
				if which, ok = d.topTime(raw[i+1 : end]); !ok {
					return false
				}
			}
			next, name = next+2, false
			if i = end + 1; i+1 < len(raw) && raw[i] == ':' && raw[i+1] > ' ' {
				i++
			} else if i = skipColon(raw, i); i < 0 || i >= len(raw) {
				return false
			}
			c = raw[i]
		}
		switch {
		case c == '"':
			if next+1 >= len(quotes) {
				return false
			}
			start, end := i+1, int(quotes[next+1])
			if which >= 0 {
				if d.escapes && bytes.IndexByte(raw[start:end], '\\') >= 0 {
					return false
				}
				found[which], which = Value{Kind: String, Str: d.src[start:end]}, -1
			}
			next, i = next+2, end+1
			if next < len(quotes) && int(quotes[next]) == i+1 && raw[i] == ',' { // most often the next string follows at once
				name, i = objects&1 == 1, i+1
				continue
			}
		case which >= 0: // a time that is no text
			return false
		case c == '{', c == '[':
			if depth++; depth > 64 {
				return false
			}
			objects <<= 1
			if c == '{' {
				objects |= 1
			}
			if i = skipWhite(raw, i+1); i >= len(raw) {
				return false
			}
			if raw[i] != c+2 {
				name = c == '{'
				continue
			}
			depth, objects, i = depth-1, objects>>1, i+1
		default:
			if i = d.skipScalar(i); i < 0 {
				return false
			}
		}
		// A value has ended before i.
		for more := false; !more; {
			if i = skipWhite(raw, i); i >= len(raw) {
				return false
			}
			switch c := raw[i]; {
			case c == ',':
				name, more = objects&1 == 1, true
				i = skipWhite(raw, i+1)
			case c == '}' && objects&1 == 1, c == ']' && objects&1 == 0:
				depth, objects, i = depth-1, objects>>1, i+1
				if depth == 0 {
					return skipWhite(raw, i) == len(raw) && d.dated(line, e, &found)
				}
			default:
				return false
			}
		}
	}
}

// The places of what times reads.
const (
	topLogName = iota
	topTimestamp
	topReceived
)

// topTime is the place of what a line's own member of that name says, -1 if times does not read it. It says false for a name that may mean
// the same in another spelling.
func (d *decoder) topTime(name []byte) (which int, ok bool) {
	switch len(name) {
	case len("logName"):
		if string(name) == "logName" {
			return topLogName, true
		}
	case len("timestamp"):
		if string(name) == "timestamp" {
			return topTimestamp, true
		}
	case len("receiveTimestamp"):
		if string(name) == "receiveTimestamp" {
			return topReceived, true
		}
	}
	return -1, bytes.IndexByte(name, '_') < 0 && (!d.escapes || bytes.IndexByte(name, '\\') < 0)
}

// dated fills e with what times found, which is a LogEntry's only if it has a logName.
func (d *decoder) dated(line []byte, e *Entry, found *[3]Value) bool {
	if found[topLogName].Kind == Missing {
		return false
	}
	e.Raw = line
	start := len(d.memberSlab)
	d.memberSlab = append(d.memberSlab, Member{Name: "logName", Value: found[topLogName]})
	for _, t := range [...]struct {
		place int
		name  string
		at    *time.Time
	}{{topTimestamp, "timestamp", &e.Timestamp}, {topReceived, "receiveTimestamp", &e.ReceiveTimestamp}} {
		if found[t.place].Kind != Missing {
			*t.at = d.minute.parse(found[t.place].Str)
			d.memberSlab = append(d.memberSlab, Member{Name: t.name, Value: found[t.place]})
		}
	}
	e.Root = Value{Kind: Object, Members: d.memberSlab[start:len(d.memberSlab):len(d.memberSlab)]}
	return true
}
