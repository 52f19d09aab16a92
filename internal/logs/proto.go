package logs

import "encoding/binary"

// nextMessage is the message that begins at at, without its size, and where the next one begins; end is -1 behind the last.
// A size that leads beyond the data yields all that is left.
func (b Batch) nextMessage(at int) (message []byte, offset, end int) {
	if at >= len(b.Data) {
		return nil, at, -1
	}
	size, n := binary.Uvarint(b.Data[at:])
	if n <= 0 || size > uint64(len(b.Data)-at-n) {
		return b.Data[at:len(b.Data):len(b.Data)], at, len(b.Data)
	}
	start := at + n
	stop := start + int(size)
	return b.Data[start:stop:stop], at, stop
}

func (d *decoder) message(b []byte, e *Entry) {
	e.Raw = b
	e.Broken = true
	e.Root = d.wrap()
}
