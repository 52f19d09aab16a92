package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"tocsin/internal/logs"
	"tocsin/internal/lql"
)

// mapped is a file of lines in memory where it lies, so that nothing of it is copied.
type mapped struct {
	file *os.File
	data []byte
}

const (
	// share is how much of a file a worker takes at a time, a part how much of it is looked through before going on: little
	// enough to stay in a core's cache.
	share = 2 << 20
	part  = 256 << 10
	// workers is how many cores grep may use.
	workers = 2
)

// openMapped maps a file; nil if it must be read instead: it is compressed, empty, no regular file, or there is no mapping.
func openMapped(path string) (*mapped, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read entries: %w", err)
	}
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() || st.Size() == 0 || st.Size() > math.MaxInt/2 || !isPlain(f) {
		f.Close()       // only read from
		return nil, nil //nolint:nilerr // reading it says what is wrong
	}
	data, err := mapFile(f, st.Size())
	if err != nil || data == nil {
		f.Close()
		return nil, nil //nolint:nilerr // what cannot be mapped can be read
	}
	return &mapped{file: f, data: data}, nil
}

func (m *mapped) close() {
	_ = unmapFile(m.data)
	m.file.Close()
}

// turns lets workers hand over what they found in the file's order.
type turns struct {
	sync.Mutex
	changed sync.Cond
	next    int // whose turn it is
	taken   int
	stopped bool
	count   tally
	rest    int // where something begins that must be read as a document; -1 for nowhere
	err     error
}

// grep looks through the file. Where it might hold a document over several lines, a Reader goes on.
func (m *mapped) grep(ctx context.Context, set *lql.Set, w io.Writer) (tally, error) {
	t := &turns{rest: -1}
	t.changed.L = t
	var wait sync.WaitGroup
	for range min(workers, runtime.GOMAXPROCS(0), len(m.data)/share+1) {
		wait.Go(func() { m.work(ctx, set, w, t) })
	}
	wait.Wait()
	if t.err != nil || t.rest < 0 {
		return t.count, t.err
	}
	from := int64(t.rest)
	r := logs.NewReader(io.NewSectionReader(m.file, from, math.MaxInt64-from), m.file.Name(), logs.ReaderOptions{Received: time.Now()})
	n, err := grepBatches(ctx, set, r.Next, w)
	t.count.add(n)
	return t.count, err
}

// work takes shares of the file until there are none.
func (m *mapped) work(ctx context.Context, set *lql.Set, w io.Writer, t *turns) {
	debug.SetPanicOnFault(true)
	var out []byte
	for {
		t.Lock()
		turn := t.taken
		t.taken++
		stopped := t.stopped
		t.Unlock()
		if stopped || turn > len(m.data)/share {
			return
		}
		count, rest := tally{}, -1
		out = out[:0]
		err := ctx.Err()
		if err == nil {
			count, rest, out, err = m.findIn(set, turn, out, w != nil)
		}
		t.Lock()
		for t.next != turn && !t.stopped {
			t.changed.Wait()
		}
		if !t.stopped {
			t.count.add(count)
			if len(out) > 0 {
				if _, failed := w.Write(out); failed != nil && err == nil {
					err = fmt.Errorf("write: %w", failed)
				}
			}
			t.err, t.rest, t.stopped = err, rest, err != nil || rest >= 0
			t.next++
		}
		t.changed.Broadcast()
		t.Unlock()
	}
}

// findIn looks through the lines that begin in one share of the file, up to what might be a document, whose place it then
// returns.
func (m *mapped) findIn(set *lql.Set, turn int, into []byte, write bool) (count tally, rest int, out []byte, err error) {
	rest, out = -1, into
	defer func() {
		if p := recover(); p != nil {
			if _, fault := p.(interface{ Addr() uintptr }); !fault {
				panic(p)
			}
			err = fmt.Errorf("read %s: it was cut short while it was read", m.file.Name())
		}
	}()
	at, end := m.lineFrom(turn*share), m.lineFrom((turn+1)*share)
	for at < end && rest < 0 {
		stop := min(m.lineFrom(at+part), end)
		if doc := firstDocument(m.data, at, stop); doc >= 0 {
			rest, stop = doc, doc
		}
		count.broken += set.Find(logs.Batch{Data: m.data[at:stop:stop]}, func(raw []byte, _ []int) {
			count.matches++
			if write {
				out = append(append(out, raw...), '\n')
			}
		})
		at = stop
	}
	return count, rest, out, nil
}

// lineFrom is where the first line begins at or behind at; behind a byte order mark for the first.
func (m *mapped) lineFrom(at int) int {
	switch {
	case at == 0 && bytes.HasPrefix(m.data, []byte("\xef\xbb\xbf")):
		return 3
	case at == 0:
		return 0
	case at > len(m.data):
		return len(m.data)
	}
	n := bytes.IndexByte(m.data[at-1:], '\n')
	if n < 0 {
		return len(m.data)
	}
	return at + n
}

// firstDocument is where the first line of data[from:to] begins that may open a document, or that is longer than a line may
// be; -1 if there is none.
func firstDocument(data []byte, from, to int) int {
	for at := from; at < to; {
		end := to
		if n := bytes.IndexByte(data[at:to], '\n'); n >= 0 {
			end = at + n
		}
		// Most lines are told by their first bytes.
		line := data[at:end]
		if len(line) > logs.MaxLine || (len(line) <= 2 || line[0] != '{' || line[1] != '"' || line[2] != 'i') && logs.OpensDocument(line) {
			return at
		}
		at = end + 1
	}
	return -1
}
