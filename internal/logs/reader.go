package logs

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"
)

// ReaderOptions is how a Reader cuts and labels its batches. The zero value is good.
type ReaderOptions struct {
	// Size is how many bytes a batch holds at least, the last one aside: lines are added until it is reached. 0 means 256 KiB,
	// 1 a line a batch.
	Size int
	// Live says that lines that are there are handed over instead of waiting for a batch to be full: for a pipe that
	// somebody is still writing to.
	Live bool
	// Lend says that a batch's Data may be read over by the next call of Next: for those who keep nothing of it.
	Lend bool
	// Received and Source go into each batch as they are.
	Received time.Time
	Source   string
}

// Reader turns a file of any of the forms that entries come in into batches of Form Lines, a line an entry. It takes LogEntry
// JSON lines, plain JSON log lines and plain text as they are; of a JSON array, the answers of entries.list and Pub/Sub's
// envelopes it makes a compact line for each entry. Arrays and answers that run from the newest to the oldest are
// turned round. What is compressed with gzip or zstd is recognised by its first bytes.
//
// Lines are streamed, whatever the size of the file; arrays and answers are held whole. A line beyond MaxLine is cut there.
// Nothing is dropped for being broken. A batch's Offset counts the bytes of the lines that the Reader yielded, which for
// lines that came as lines is their place in the (uncompressed) file.
type Reader struct {
	file string
	o    ReaderOptions
	in   input

	begun  bool
	offset int64    // where the next batch begins
	queue  [][]byte // lines that are to be yielded before anything else
	held   []document
	out    []byte
}

// document is the lines that one array or answer held.
type document [][]byte

const defaultBatch = 256 << 10

// NewReader reads r; file is its name in batches and errors.
func NewReader(r io.Reader, file string, o ReaderOptions) *Reader {
	if o.Size <= 0 {
		o.Size = defaultBatch
	}
	return &Reader{file: file, o: o, in: input{r: r, room: min(o.Size, defaultBatch) + 64<<10}}
}

// Next is the next batch; io.EOF behind the last. After an error of the file (a damaged archive, say) what could be read
// before it has been yielded.
func (r *Reader) Next() (Batch, error) {
	if !r.begun {
		r.begun = true
		r.begin()
	}
	lines := r.plain()
	r.out = lines
	if len(lines) < r.o.Size || !r.o.Lend {
		r.out = append(make([]byte, 0, len(lines)), lines...)
	}
	for len(r.out) < r.o.Size && (!r.o.Live || len(lines) == 0) {
		if !r.more() {
			break
		}
		if r.o.Live && len(r.out) > 0 && len(r.queue) == 0 && !r.in.hasLine() {
			break
		}
	}
	if len(r.out) == 0 {
		if err := r.in.err; !errors.Is(err, io.EOF) {
			return Batch{}, fmt.Errorf("read %s: %w", r.file, err)
		}
		return Batch{}, io.EOF
	}
	b := Batch{Source: r.o.Source, Data: r.out, Offset: r.offset, File: r.file, Received: r.o.Received}
	r.offset += int64(len(r.out))
	return b, nil
}

// begin looks for compression and a byte order mark.
func (r *Reader) begin() {
	br := bufio.NewReaderSize(r.in.r, 64<<10)
	r.in.r = br
	magic, _ := br.Peek(4)
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		zr, err := gzip.NewReader(br)
		if err != nil {
			r.in.err = err
			return
		}
		r.in.r = zr
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		// One at a time: without goroutines there is nothing to close.
		zr, err := zstd.NewReader(br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			r.in.err = err
			return
		}
		r.in.r = zr
	}
	for len(r.in.rest()) < 3 && r.in.fill() {
	}
	if bytes.HasPrefix(r.in.rest(), []byte("\xef\xbb\xbf")) {
		r.in.skip(3)
	}
}

// plain takes lines as they lie in the input, up to what a batch holds, as long as none may open a document. They are good until more is
// read.
func (r *Reader) plain() []byte {
	in := &r.in
	if len(r.queue) > 0 || len(r.held) > 0 || in.noDocument > 0 {
		return nil
	}
	for !r.o.Live && len(in.rest()) < r.o.Size && in.fill() {
	}
	n := 0
	for seen := 0; n < r.o.Size; {
		rest := in.rest()
		end := bytes.IndexByte(rest[n+seen:], '\n')
		if end < 0 {
			if seen = len(rest) - n; r.o.Live && n > 0 || seen > MaxLine || !in.fill() {
				break // the last one may go on, or is too long
			}
			continue
		}
		if end += seen; end > MaxLine || OpensDocument(rest[n:n+end]) {
			break
		}
		n, seen = n+end+1, 0
	}
	lines := in.rest()[:n:n]
	in.skip(n)
	return lines
}

// more adds at least a line to out, or moves on in the input, and says false at its end.
func (r *Reader) more() bool {
	if len(r.queue) > 0 {
		r.add(r.queue[0])
		r.queue[0] = nil
		r.queue = r.queue[1:]
		return true
	}
	if len(r.in.rest()) == 0 && !r.in.fill() {
		if len(r.held) > 0 {
			r.release()
			return true
		}
		return false
	}
	if at, ok := r.in.startsDocument(); ok && r.document(at) {
		return true
	}
	line, newline := r.in.line()
	if len(r.held) > 0 {
		if len(bytes.TrimSpace(line)) == 0 {
			return true
		}
		r.release()
		r.queue = append(r.queue, bytes.Clone(line))
		return true
	}
	r.out = append(r.out, line...)
	if newline {
		r.out = append(r.out, '\n')
	}
	return true
}

func (r *Reader) add(line []byte) {
	r.out = append(append(r.out, line...), '\n')
}

// document takes the array, answer or envelope that the input stands at, behind some white space. It says false, and takes
// nothing, if there is none after all.
func (r *Reader) document(at int) bool {
	in := &r.in
	if in.rest()[at] == '[' {
		return r.array(at)
	}
	raw, ok := in.value(at)
	if !ok {
		return false
	}
	lines, kind := expand(raw, 0)
	if kind == plainObject {
		if bytes.IndexByte(raw, '\n') < 0 {
			return false // an ordinary line, to be yielded byte for byte
		}
		lines = [][]byte{compact(raw)}
	}
	in.skip(at + len(raw))
	in.restOfLine()
	if kind == listAnswer {
		r.held = append(r.held, lines)
		return true
	}
	r.release()
	r.queue = append(r.queue, lines...)
	return true
}

// array takes a JSON array, an element at a time. One that ends too early keeps the elements that are whole; what is left of
// the last becomes one broken line.
func (r *Reader) array(at int) bool {
	in := &r.in
	skip, whole := in.arrayStart(at)
	if skip == 0 {
		return false
	}
	in.skip(skip)
	var lines document
	var tail []byte
	for !whole {
		raw, ok := in.value(0)
		if !ok {
			if in.atEnd {
				tail = oneLine(in.rest())
				in.skip(len(in.rest()))
			}
			break
		}
		found, kind := expand(raw, 0)
		if kind == plainObject {
			found = [][]byte{compact(raw)}
		}
		lines = append(lines, found...)
		in.skip(len(raw))
		var more bool
		if more, whole = in.arrayNext(); !more {
			break
		}
	}
	r.held = append(r.held, lines)
	if whole {
		in.restOfLine()
	}
	if len(tail) > 0 {
		r.release()
		r.queue = append(r.queue, tail)
	}
	return true
}

// release puts the held documents, which may be the pages of one query, into the queue, the oldest entry first.
func (r *Reader) release() {
	if len(r.held) == 0 {
		return
	}
	var all document
	for _, d := range r.held {
		all = append(all, d...)
	}
	all.order()
	r.held = nil
	r.queue = append(r.queue, all...)
}

// times are the lines' times; a line without one has that of the line before it.
func (d document) times() []time.Time {
	times := make([]time.Time, len(d))
	var dec decoder
	var e Entry
	for i, line := range d {
		dec.reset()
		e = Entry{}
		dec.line(line, &e)
		t := e.Timestamp
		if t.IsZero() {
			t = e.ReceiveTimestamp
		}
		if t.IsZero() && i > 0 {
			t = times[i-1]
		}
		times[i] = t
	}
	return times
}

// order turns a document that runs from the newest to the oldest, as gcloud writes it, and puts what is a little out of order in it,
// or was joined of several, in its place. One that rises more often than it falls is as it was received, and left so.
func (d document) order() {
	times := d.times()
	rises, falls := 0, 0
	for i := 1; i < len(times); i++ {
		switch {
		case times[i].After(times[i-1]):
			rises++
		case times[i].Before(times[i-1]):
			falls++
		}
	}
	if falls <= rises {
		return
	}
	type timed struct {
		line []byte
		at   time.Time
	}
	all := make([]timed, len(d))
	for i := range d {
		all[len(d)-1-i] = timed{d[i], times[i]}
	}
	slices.SortStableFunc(all, func(a, b timed) int { return a.at.Compare(b.at) })
	for i := range all {
		d[i] = all[i].line
	}
}
