package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"tocsin/internal/logs"
	"tocsin/internal/lql"
)

// Entries reads recorded entries from files, several merged by time; "-" or none is standard input. size is how many bytes a batch
// holds, 0 for the default, 1 for a line each. It returns what yields the batches, and what closes the files.
func Entries(paths []string, stdin io.Reader, size int, received time.Time) (next func() (logs.Batch, error), closeAll func(), err error) {
	if len(paths) == 0 {
		paths = []string{"-"}
	}
	var open []io.Closer
	closeAll = func() {
		for _, c := range open {
			c.Close() // only read from
		}
	}
	var readers []*logs.Reader
	for _, path := range paths {
		o := logs.ReaderOptions{Size: size, Received: received}
		if path == "-" {
			o.Live = size == 0
			readers = append(readers, logs.NewReader(stdin, "standard input", o))
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			closeAll()
			return nil, nil, fmt.Errorf("read entries: %w", err)
		}
		open = append(open, f)
		if st, err := f.Stat(); err == nil && st.IsDir() {
			closeAll()
			return nil, nil, fmt.Errorf("read entries: %s is a directory: name the files in it", path)
		}
		readers = append(readers, logs.NewReader(f, path, o))
	}
	return logs.Merge(readers...).Next, closeAll, nil
}

// Grep writes the entries that a filter matches, byte for byte, a line each, and returns how many there are. With w nil it only
// counts. remark, if not nil, hears what somebody should know: traps in the filter, entries that were broken.
func Grep(ctx context.Context, filter string, next func() (logs.Batch, error), w io.Writer, remark func(text string)) (int, error) {
	f, err := lql.Parse(filter)
	if err != nil {
		return 0, &FilterError{Filter: filter, Err: err}
	}
	broken := 0
	if remark != nil {
		for _, l := range f.Lints() {
			remark(l.String())
		}
		defer func() {
			if broken > 0 {
				remark(fmt.Sprintf("%d entries were broken (cut, or not UTF-8) and were read as text", broken))
			}
		}()
	}
	set := lql.Compile([]*lql.Filter{f})
	count := 0
	var clock time.Time
	for {
		if err := ctx.Err(); err != nil {
			return count, err
		}
		b, err := next()
		if errors.Is(err, io.EOF) {
			return count, nil
		}
		if err != nil {
			return count, err
		}
		var out []byte
		p, err := set.Scan(b, clock, func(e *logs.Entry, _ []int) {
			count++
			if w != nil {
				out = append(append(out, e.Raw...), '\n')
			}
		})
		if err != nil {
			return count, err
		}
		clock = p.Clock
		broken += p.Broken
		if len(out) > 0 {
			if _, err := w.Write(out); err != nil {
				return count, fmt.Errorf("write: %w", err)
			}
		}
	}
}

// FilterError is a filter that cannot be read. Its text shows the line of the filter and points at the place.
type FilterError struct {
	Filter string
	Err    error
}

func (e *FilterError) Unwrap() error { return e.Err }

func (e *FilterError) Error() string {
	var place *lql.Error
	if !errors.As(e.Err, &place) {
		return e.Err.Error()
	}
	lines := strings.Split(e.Filter, "\n")
	if place.Line < 1 || place.Line > len(lines) {
		return e.Err.Error()
	}
	return fmt.Sprintf("%v\n  %s\n  %s^", e.Err, lines[place.Line-1], strings.Repeat(" ", max(place.Column-1, 0)))
}

// Counting shows on a terminal how far a long reading is.
func Counting(next func() (logs.Batch, error), terminal io.Writer) func() (logs.Batch, error) {
	read, shown, wrote := 0, time.Now(), false
	return func() (logs.Batch, error) {
		b, err := next()
		read += len(b.Data)
		if time.Since(shown) > time.Second {
			fmt.Fprintf(terminal, "\r%d MiB read ", read>>20)
			shown, wrote = time.Now(), true
		}
		if err != nil && wrote {
			fmt.Fprint(terminal, "\r\x1b[K")
		}
		return b, err
	}
}
