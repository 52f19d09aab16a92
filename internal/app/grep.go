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

// Grep writes the entries that a filter matches, byte for byte, a line each, and returns how many there are. With w nil it only
// counts. The files are as Entries takes them. One file of lines is looked through where it lies, on two cores.
func Grep(ctx context.Context, filter string, paths []string, stdin io.Reader, w io.Writer) (int, error) {
	f, err := lql.Parse(filter)
	if err != nil {
		return 0, &FilterError{Filter: filter, Err: err}
	}
	set := lql.Compile([]*lql.Filter{f})
	if len(paths) == 1 && paths[0] != "-" {
		m, err := openMapped(paths[0])
		if err != nil {
			return 0, err
		}
		if m != nil {
			defer m.close()
			return m.grep(ctx, set, w)
		}
	}
	next, closeAll, err := Entries(paths, stdin, 0, time.Now())
	if err != nil {
		return 0, err
	}
	defer closeAll()
	return grepBatches(ctx, set, next, w)
}

// grepBatches is Grep of batches.
func grepBatches(ctx context.Context, set *lql.Set, next func() (logs.Batch, error), w io.Writer) (int, error) {
	count := 0
	var out []byte
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
		out = out[:0]
		set.Find(b, func(raw []byte, _ []int) {
			count++
			if w != nil {
				out = append(append(out, raw...), '\n')
			}
		})
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

// isPlain says whether a file's first bytes are not those of a compressed one.
func isPlain(f *os.File) bool {
	var magic [4]byte
	n, err := f.ReadAt(magic[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	m := string(magic[:n])
	return !strings.HasPrefix(m, "\x1f\x8b") && !strings.HasPrefix(m, "\x28\xb5\x2f\xfd")
}
