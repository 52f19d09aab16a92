package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tocsin/internal/logs"
	"tocsin/internal/lql"
)

// Grep writes the entries that a filter matches, byte for byte, a line each, and returns how many there are. With w nil it only
// counts. The files are as Entries takes them. One file of lines is looked through where it lies, on two cores.
//
// remark, if not nil, hears what somebody should know: traps in the filter, then entries that were broken. Lines that cannot match
// are not read, so that only the broken ones among those that were read are told.
func Grep(ctx context.Context, filter string, paths []string, stdin io.Reader, w io.Writer, remark func(text string)) (int, error) {
	f, err := lql.Parse(filter)
	if err != nil {
		return 0, &FilterError{Filter: filter, Err: err}
	}
	if remark == nil {
		remark = func(string) {}
	}
	for _, l := range f.Lints() {
		remark(l.String())
	}
	t, err := grepFiles(ctx, lql.Compile([]*lql.Filter{f}), paths, stdin, w)
	if t.broken > 0 {
		remark(fmt.Sprintf("%d of the entries that had to be read were broken (cut, not UTF-8, or nested too deep) and were read as text", t.broken))
	}
	return t.matches, err
}

// tally is what a Grep has seen.
type tally struct {
	matches int
	broken  int // of the entries that were read
}

func (t *tally) add(more tally) {
	t.matches += more.matches
	t.broken += more.broken
}

// grepFiles is Grep of files.
func grepFiles(ctx context.Context, set *lql.Set, paths []string, stdin io.Reader, w io.Writer) (tally, error) {
	if len(paths) == 1 && paths[0] != "-" {
		m, err := openMapped(paths[0])
		if err != nil {
			return tally{}, err
		}
		if m != nil {
			defer m.close()
			return m.grep(ctx, set, w)
		}
	}
	next, closeAll, err := Entries(paths, stdin, 0, time.Now())
	if err != nil {
		return tally{}, err
	}
	defer closeAll()
	return grepBatches(ctx, set, next, w)
}

// grepBatches is Grep of batches.
func grepBatches(ctx context.Context, set *lql.Set, next func() (logs.Batch, error), w io.Writer) (tally, error) {
	var count tally
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
		count.broken += set.Find(b, func(raw []byte, _ []int) {
			count.matches++
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
	line, caret := pointed(lines[place.Line-1], place.Column-1)
	return fmt.Sprintf("%v\n  %s\n  %s^", e.Err, line, caret)
}

// pointed is the part of a line around the rune at index at, and what stands before a caret below that rune: a long line is
// shown from 60 runes before it to 40 behind it, control characters as their escapes. A tab stays, in both.
func pointed(line string, at int) (shown, before string) {
	runes := []rune(line)
	at = min(max(at, 0), len(runes))
	from, to := 0, len(runes)
	if len(runes) > 120 {
		from, to = max(at-60, 0), min(at+40, len(runes))
	}
	var text, caret strings.Builder
	if from > 0 {
		text.WriteString("...")
		caret.WriteString("   ")
	}
	for i := from; i < to; i++ {
		s := string(runes[i])
		if runes[i] != '\t' && !unicode.IsPrint(runes[i]) {
			s = strings.Trim(strconv.QuoteRune(runes[i]), "'")
		}
		text.WriteString(s)
		if i >= at {
			continue
		}
		if s == "\t" {
			caret.WriteString(s)
		} else {
			caret.WriteString(strings.Repeat(" ", utf8.RuneCountInString(s)))
		}
	}
	if to < len(runes) {
		text.WriteString("...")
	}
	return text.String(), caret.String()
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
