package sources

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"tocsin/internal/logs"
	"tocsin/internal/setting"
)

// Stdin is the settings of kind stdin: it reads standard input to its end, in any form that files hold, and stays caught up
// after that. What was read once cannot be read again, so it has no cursor. There is nothing to set.
type Stdin struct {
	// In is read in the place of standard input.
	In io.Reader `yaml:"-"`

	source *stdinSource
}

// Validate finds nothing wrong.
func (s *Stdin) Validate() []setting.FieldError { return nil }

// New makes the source, once: asked again, it returns the same one, which holds what was read and not yet handed over. Two
// sources of this kind would each get a part of the lines.
func (s *Stdin) New(name string, _ Env) (Source, error) {
	if s.source == nil {
		in := s.In
		if in == nil {
			in = os.Stdin
		}
		s.source = &stdinSource{name: name, in: in, chunks: make(chan []byte)}
	}
	return s.source, nil
}

// stdinQuiet is how long nothing must come before standard input counts as caught up.
const stdinQuiet = 250 * time.Millisecond

// stdinSource outlives a Read: a blocked read of a terminal or a pipe cannot be ended, so one goroutine does all of them and the
// next Read goes on with what the last one left.
type stdinSource struct {
	name   string
	in     io.Reader
	once   sync.Once
	chunks chan []byte
	err    error // set before chunks is closed

	buf    []byte
	offset int64
	skip   bool
}

// Read sends the lines as they come.
func (s *stdinSource) Read(ctx context.Context, _ logs.Cursor, out chan<- logs.Batch) error {
	s.once.Do(func() { go s.pump() })
	chunks, told := s.chunks, false
	for {
		quiet := time.NewTimer(stdinQuiet)
		select {
		case <-ctx.Done():
			quiet.Stop()
			return nil
		case chunk, more := <-chunks:
			told = false
			s.buf = append(s.buf, chunk...)
			if !s.drain(ctx, out, !more) {
				return nil
			}
			if !more {
				if err := s.err; err != nil {
					s.err = nil
					return fmt.Errorf("read standard input: %w", err)
				}
				chunks = nil
			}
		case <-quiet.C:
			if !told && !send(ctx, out, logs.Batch{Source: s.name, Received: time.Now(), CaughtUp: true}) {
				return nil
			}
			told = true
		}
		quiet.Stop()
	}
}

// drain sends all whole lines that are buffered. A batch leaves the buffer only once it was handed over.
func (s *stdinSource) drain(ctx context.Context, out chan<- logs.Batch, end bool) bool {
	for len(s.buf) > 0 {
		p := cutLines(s.buf, s.skip, end)
		if p.data != nil {
			b := logs.Batch{Source: s.name, Data: p.data, Offset: s.offset + int64(p.skipped), Received: time.Now()}
			if !send(ctx, out, b) {
				return false
			}
		}
		s.skip = p.cut
		s.offset += int64(p.used)
		s.buf = append(s.buf[:0], s.buf[p.used:]...)
		if p.used == 0 {
			break
		}
	}
	return true
}

// pump reads until the end of the input.
func (s *stdinSource) pump() {
	for {
		chunk := make([]byte, 64<<10)
		n, err := s.in.Read(chunk)
		if n > 0 {
			s.chunks <- chunk[:n]
		}
		if err != nil {
			if err != io.EOF {
				s.err = err
			}
			close(s.chunks)
			return
		}
	}
}
