package sources

import (
	"bytes"
	"context"
	"unicode/utf8"

	"tocsin/internal/logs"
)

const (
	// batchBytes is how large a batch of lines grows; only a single longer line exceeds it.
	batchBytes = 256 << 10
	// lineBytes is where a line is cut; what follows up to its newline is dropped.
	lineBytes = 1 << 20
)

// piece is what cutLines took from the front of a buffer.
type piece struct {
	// data is whole lines, its own copy; nil if there were none.
	data []byte
	// skipped is how many bytes before data were dropped: the rest of a line that was cut.
	skipped int
	// used is how many bytes of the buffer are done with, the skipped ones included.
	used int
	// cut says that the last line of data was cut, so that what follows up to the next newline belongs to it.
	cut bool
}

// cutLines takes the next batch of whole lines from buf. skipping says that buf begins within a line that was cut; end says
// that nothing will follow, so that a last line without a newline is whole. used is 0 when more bytes are needed.
func cutLines(buf []byte, skipping, end bool) piece {
	var p piece
	if skipping {
		i := bytes.IndexByte(buf, '\n')
		if i < 0 {
			return piece{skipped: len(buf), used: len(buf), cut: true}
		}
		p.skipped, p.used = i+1, i+1
		buf = buf[i+1:]
	}
	if n := wholeLines(buf); n > 0 {
		p.data = bytes.Clone(buf[:n])
		p.used += n
		return p
	}
	size := len(buf)
	switch {
	case size >= lineBytes:
		size = lineBytes - 1
		for i := 1; i < utf8.UTFMax && !utf8.RuneStart(buf[size]); i++ {
			size-- // not within a character
		}
		p.cut = true
	case size == 0 || !end:
		return p
	}
	p.data = append(bytes.Clone(buf[:size]), '\n')
	p.used += size
	return p
}

// wholeLines is the length of the whole lines at the front of buf that make one batch, 0 if the first line has no end yet or
// is to be cut.
func wholeLines(buf []byte) int {
	if i := bytes.LastIndexByte(buf[:min(len(buf), batchBytes)], '\n'); i >= 0 {
		return i + 1
	}
	return bytes.IndexByte(buf[:min(len(buf), lineBytes)], '\n') + 1
}

// send hands b over; it says false when ctx ended first.
func send(ctx context.Context, out chan<- logs.Batch, b logs.Batch) bool {
	select {
	case out <- b:
		return true
	case <-ctx.Done():
		return false
	}
}
