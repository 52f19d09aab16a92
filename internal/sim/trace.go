package sim

import (
	"fmt"
	"hash/fnv"
	"io"
	"time"
)

// remembered is how many lines a trace keeps.
const remembered = 40

// trace is what happened, a line each: the last ones as text, all of them as a hash, by which two runs of a seed are held against
// each other.
type trace struct {
	began time.Time
	lines [remembered]string
	n     int
	sum   uint64
	out   io.Writer
}

func (t *trace) say(now time.Time, format string, args ...any) {
	line := fmt.Sprintf("%s %s", now.Sub(t.began).Round(time.Millisecond), fmt.Sprintf(format, args...))
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%x", t.sum)
	_, _ = io.WriteString(h, line)
	t.sum = h.Sum64()
	t.lines[t.n%remembered] = line
	t.n++
	if t.out != nil {
		_, _ = fmt.Fprintln(t.out, line) // for whoever looks on
	}
}

// last are the newest lines, oldest first.
func (t *trace) last() []string {
	var out []string
	for i := max(0, t.n-remembered); i < t.n; i++ {
		out = append(out, t.lines[i%remembered])
	}
	return out
}
