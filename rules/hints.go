package rules

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"tocsin/internal/config"
	"tocsin/internal/lql"
)

// PatternBudget is how much CPU time one regular expression of a rule may take for the most hostile text that is known for it, of
// 256 KiB, the longest entry there is. Ordinary ones take a millisecond.
const PatternBudget = 500 * time.Millisecond

// Timer says how much CPU time run takes.
type Timer func(run func()) time.Duration

// written is a filter, or a path, where it stands in a file.
type written struct {
	name   string // of the key
	filter *lql.Filter
	path   lql.Path
	at     spot
}

// spot is where a text of a rule stands in its file.
type spot struct {
	position config.Position
	// lines are those of the file.
	lines [][]byte
	text  string
}

// of is the place of a line and column of the text in the file. It says false where that cannot be told, as of folded text: then it
// is the text's own place.
func (p spot) of(at lql.Position) (config.Position, bool) {
	texts := strings.Split(p.text, "\n")
	if p.position.Line < 1 || p.position.Line > len(p.lines) || at.Line < 1 || at.Line > len(texts) {
		return p.position, false
	}
	first := string(p.lines[p.position.Line-1])
	begin := runes(first, p.position.Column-1)
	if begin < 0 {
		return p.position, false
	}
	first = first[begin:]
	if strings.HasPrefix(first, "|") {
		number := p.position.Line + at.Line
		if number > len(p.lines) {
			return p.position, false
		}
		line, text := strings.TrimRight(string(p.lines[number-1]), "\r\n"), texts[at.Line-1]
		if !strings.HasSuffix(line, text) {
			return p.position, false
		}
		indent := utf8.RuneCountInString(strings.TrimSuffix(line, text))
		return config.Position{File: p.position.File, Line: number, Column: indent + at.Column}, true
	}
	quote := 0
	if strings.HasPrefix(first, `"`) || strings.HasPrefix(first, "'") {
		quote = 1
	}
	// A quoted text may hold escapes: up to the place it must be what is written.
	end := runes(p.text, at.Column-1)
	if at.Line > 1 || end < 0 || !strings.HasPrefix(first[quote:], p.text[:end]) {
		return p.position, false
	}
	return config.Position{File: p.position.File, Line: p.position.Line, Column: p.position.Column + quote + at.Column - 1}, true
}

// near is the place of a mistake in the text.
func (p spot) near(err error) config.Position {
	var e *lql.Error
	if !errors.As(err, &e) {
		return p.position
	}
	at, _ := p.of(lql.Position{Line: e.Line, Column: e.Column})
	return at
}

// runes is where in s the rune of that number begins; -1 if it has fewer.
func runes(s string, n int) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	if n == 0 {
		return len(s)
	}
	return -1
}

// Lints are what is allowed in the rule and its filters and probably not meant, each with its place.
func (r *Rule) Lints() config.Errors {
	out := r.lints()
	for _, w := range r.written {
		if w.filter == nil {
			continue
		}
		for _, l := range w.filter.Lints() {
			at, exact := w.at.of(l.At)
			text := l.Said()
			if !exact {
				text = l.String()
			}
			out = append(out, config.Error{Position: at, Text: fmt.Sprintf("rule %s: %s: %s", r.Name, w.name, text)})
		}
	}
	return out.Sorted()
}

// Slow finds the regular expressions of rules that take longer than PatternBudget for hostile text. It is asked before rules are put
// in force, and by check; what must not depend on a clock (replay, the cases) does without.
func Slow(list []*Rule, timer Timer) config.Errors {
	var out config.Errors
	for _, r := range list {
		for _, w := range r.written {
			trials := w.path.Trials()
			if w.filter != nil {
				trials = w.filter.Trials()
			}
			said := map[lql.Position]bool{}
			for _, t := range trials {
				if said[t.At] {
					continue
				}
				d := timed(t, timer)
				if d <= PatternBudget {
					continue
				}
				said[t.At] = true
				at, _ := w.at.of(t.At)
				out = append(out, config.Error{Position: at, Text: fmt.Sprintf("rule %s: %s: the regular expression %q takes %v of CPU time for hostile text of %d KiB, %v are allowed: write smaller counts, or * for a large one",
					r.Name, w.name, t.Pattern, d.Round(time.Millisecond), lql.HostileSize>>10, PatternBudget)})
			}
		}
	}
	return out.Sorted()
}

// timed is how long a trial takes: of one that takes too long the least of three runs.
func timed(t lql.Trial, timer Timer) time.Duration {
	least := timer(t.Run)
	for range 2 {
		if least > PatternBudget {
			least = min(least, timer(t.Run))
		}
	}
	return least
}

// linesOf cuts a file into lines.
func linesOf(data []byte) [][]byte { return bytes.SplitAfter(data, []byte("\n")) }
