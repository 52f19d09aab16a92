package logs

import (
	"bytes"
	"io"
)

// input is the bytes of a file on their way: a window that grows as far as a line or a document needs.
type input struct {
	r     io.Reader
	buf   []byte
	start int
	room  int // how much the window holds at least
	err   error
	// atEnd says that the last value was not whole because the input ended.
	atEnd bool
	// noDocument is how many bytes from start on are known to hold no document: what was looked through once in vain is not
	// looked through again for each of its lines.
	noDocument int
}

// maxDocument bounds one answer or one element of an array: more than any API returns.
const maxDocument = 256 << 20

func (in *input) rest() []byte { return in.buf[in.start:] }

func (in *input) skip(n int) {
	in.start += n
	in.noDocument = max(in.noDocument-n, 0)
}

// fill reads more behind rest and says whether any came.
func (in *input) fill() bool {
	for tries := 0; in.err == nil; tries++ {
		if in.start > 0 && (in.start == len(in.buf) || cap(in.buf)-len(in.buf) < 4<<10) {
			in.buf = in.buf[:copy(in.buf, in.buf[in.start:])]
			in.start = 0
		}
		if cap(in.buf)-len(in.buf) < 4<<10 {
			grown := make([]byte, len(in.buf), max(in.room, 2*cap(in.buf)))
			copy(grown, in.buf)
			in.buf = grown
		}
		n, err := in.r.Read(in.buf[len(in.buf):cap(in.buf)])
		in.buf = in.buf[:len(in.buf)+n]
		in.err = err
		if n == 0 && err == nil && tries > 100 {
			in.err = io.ErrNoProgress
		}
		if n > 0 {
			return true
		}
	}
	return false
}

// hasLine says whether a whole line is there without reading.
func (in *input) hasLine() bool { return in.err != nil || bytes.IndexByte(in.rest(), '\n') >= 0 }

// line takes the next line, without its newline, and says whether it had one. Of a line beyond MaxLine it takes the
// beginning. The line is good until the next call.
func (in *input) line() (line []byte, newline bool) {
	seen := 0
	for {
		rest := in.rest()
		if n := bytes.IndexByte(rest[seen:], '\n'); n >= 0 {
			n += seen
			in.skip(n + 1)
			return rest[:min(n, MaxLine)], true
		}
		seen = len(rest)
		if seen > MaxLine {
			break
		}
		if !in.fill() {
			in.skip(seen)
			return rest, false
		}
	}
	line = bytes.Clone(in.rest()[:MaxLine])
	for {
		rest := in.rest()
		if n := bytes.IndexByte(rest, '\n'); n >= 0 {
			in.skip(n + 1)
			return line, true
		}
		in.skip(len(rest))
		if !in.fill() {
			return line, true
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// space skips white space.
func (in *input) space() {
	for {
		rest := in.rest()
		i := 0
		for i < len(rest) && isSpace(rest[i]) {
			i++
		}
		in.skip(i)
		if i < len(rest) || !in.fill() {
			return
		}
	}
}

// restOfLine skips the white space behind a document up to the next line.
func (in *input) restOfLine() {
	for {
		for i, c := range in.rest() {
			if c == '\n' || !isSpace(c) {
				if c == '\n' {
					i++
				}
				in.skip(i)
				return
			}
		}
		in.skip(len(in.rest()))
		if !in.fill() {
			return
		}
	}
}

// at is the byte at i, reading if need be; false at the end of the input.
func (in *input) at(i int) (byte, bool) {
	for i >= len(in.rest()) {
		if !in.fill() {
			return 0, false
		}
	}
	return in.rest()[i], true
}

// after is the place of the first byte from i on that is no white space, as far as limit.
func (in *input) after(i, limit int) (byte, int, bool) {
	for ; i < limit; i++ {
		c, ok := in.at(i)
		if !ok {
			return 0, i, false
		}
		if !isSpace(c) {
			return c, i, true
		}
	}
	return 0, i, false
}

// look is how far startsDocument looks ahead.
const look = 4 << 10

// startsDocument says whether the input may stand at an array of objects, at an object that spans lines, or at one whose
// first name is that of an answer or an envelope; and after how much white space. It decides on few bytes and errs towards
// yes.
func (in *input) startsDocument() (at int, yes bool) {
	if in.noDocument > 0 {
		return 0, false
	}
	c, at, ok := in.onLine(0)
	if !ok || c != '[' && c != '{' {
		return 0, false
	}
	next, j, ok := in.onLine(at + 1)
	if !ok {
		return at, next == '\n' // a bracket alone on its line
	}
	if c == '[' {
		return at, next == '{' || next == ']'
	}
	if next != '"' {
		return 0, false
	}
	for name := range envelopeNames {
		if in.has(j+1, name) {
			return at, true
		}
	}
	return 0, false
}

// onLine is the first byte from i on that is no space within the line. Where the line ends first it is '\n', and false.
func (in *input) onLine(i int) (byte, int, bool) {
	for ; i < look; i++ {
		c, ok := in.at(i)
		if !ok {
			return 0, i, false
		}
		if c == '\n' {
			return c, i, false
		}
		if !isSpace(c) {
			return c, i, true
		}
	}
	return 0, i, false
}

// has says whether name and a double quote stand at i.
func (in *input) has(i int, name string) bool {
	for j := range len(name) {
		if c, ok := in.at(i + j); !ok || c != name[j] {
			return false
		}
	}
	c, ok := in.at(i + len(name))
	return ok && c == '"'
}

// value is the JSON value that stands at from, as it is written; it is not skipped. It says false where there is none, and
// then sets atEnd if that is because the input ended.
func (in *input) value(from int) ([]byte, bool) {
	in.atEnd = false
	for {
		rest := in.rest()
		end, state := skipValue(rest, from)
		if state == whole {
			return rest[from:end], true
		}
		if state == invalid || len(rest) > maxDocument {
			in.noDocument = end
			return nil, false
		}
		// Read as much again before looking again: the work stays in proportion to the size.
		for want := 2 * len(rest); len(in.rest()) < want; {
			if !in.fill() {
				break
			}
		}
		if len(in.rest()) == len(rest) {
			in.atEnd = true
			in.noDocument = len(rest)
			return nil, false
		}
	}
}

// arrayStart is how many bytes lead from the bracket at from to behind it and the white space after it; empty says that the
// array has no element and they lead behind its end. 0 says that no whole element is to be had: it is no array.
func (in *input) arrayStart(from int) (skip int, empty bool) {
	c, i, ok := in.after(from+1, from+look)
	if !ok {
		return 0, false
	}
	if c == ']' {
		return i + 1, true
	}
	if c != '{' {
		return 0, false
	}
	raw, ok := in.value(i)
	if !ok {
		return 0, false
	}
	// Text may begin like this too: [{"a":1} x].
	end := i + len(raw)
	if c, _, ok := in.after(end, end+look); ok && c != ',' && c != ']' {
		return 0, false
	}
	return i, false
}

// arrayNext skips what stands between two elements, or the closing bracket and then says whole. It says false for both if
// neither is there.
func (in *input) arrayNext() (more, whole bool) {
	in.space()
	c, ok := in.at(0)
	if !ok {
		return false, false
	}
	switch c {
	case ',':
		in.skip(1)
		in.space()
		return len(in.rest()) > 0, false
	case ']':
		in.skip(1)
		return false, true
	}
	return false, false
}
