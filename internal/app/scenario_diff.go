package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
)

// pairing is a line of the comparison of what is wanted with what came: a pair, or one of the two.
type pairing struct {
	want *wantedItem
	came *cameItem
}

// align pairs what is wanted with what came so that as little as possible is left alone, in the order of both.
func align(want []wantedItem, came []*cameItem) []pairing {
	n, m := len(want), len(came)
	cost := make([]int, (n+1)*(m+1)) // of pairing want[i:] with came[j:]
	at := func(i, j int) *int { return &cost[i*(m+1)+j] }
	for i := n; i >= 0; i-- {
		for j := m; j >= 0; j-- {
			switch {
			case i == n:
				*at(i, j) = m - j
			case want[i].others:
				*at(i, j) = *at(i+1, j)
				if j < m {
					*at(i, j) = min(*at(i, j), *at(i, j+1))
				}
			case j == m:
				*at(i, j) = 1 + *at(i+1, j)
			default:
				*at(i, j) = 1 + min(*at(i+1, j), *at(i, j+1))
				if want[i].matches(came[j]) {
					*at(i, j) = min(*at(i, j), *at(i+1, j+1))
				}
			}
		}
	}
	var out []pairing
	for i, j := 0, 0; i < n || j < m; {
		switch {
		case i < n && want[i].others && *at(i, j) == *at(i+1, j):
			out = append(out, pairing{want: &want[i]})
			i++
		case i < n && want[i].others: // it takes this one in
			j++
		case i < n && j < m && want[i].matches(came[j]) && *at(i, j) == *at(i+1, j+1):
			out = append(out, pairing{want: &want[i], came: came[j]})
			i, j = i+1, j+1
		case i < n && *at(i, j) == 1+*at(i+1, j):
			out = append(out, pairing{want: &want[i]})
			i++
		default:
			out = append(out, pairing{came: came[j]})
			j++
		}
	}
	return out
}

// differs says whether a pairing is a difference.
func (p pairing) differs() bool { return p.came == nil && !p.want.others || p.want == nil }

// diff is how what came differs from what is expected, as lines of a diff; none if it does not.
func (s *scenarioOf) diff(w *witness) []string {
	var out []string
	nothing := len(s.lists)+len(s.silent) == 0
	if nothing {
		out = append(out, "expect: nothing is expected, so nothing is proved; this came:")
	}
	for _, key := range scenarioLists {
		want, looked := s.lists[key]
		if !looked && !nothing {
			continue
		}
		if lines := unified(align(want, w.list(key))); len(lines) > 0 {
			out = append(append(out, key+":"), lines...)
		}
	}
	for _, name := range s.silent {
		if c := w.heard[name]; c != nil {
			out = append(out, "silent:", "- "+name, "+ "+c.line())
		}
	}
	return out
}

// around is how many lines that hold are shown around those that differ.
const around = 1

// unified are the lines of a diff: "-" is wanted and did not come, "+" came and is not wanted.
func unified(all []pairing) []string {
	var out []string
	skipped, last := 0, -1-around
	for i, p := range all {
		near := false
		for k := max(0, i-around); k <= min(len(all)-1, i+around); k++ {
			near = near || all[k].differs()
		}
		if !near {
			skipped++
			continue
		}
		if i > last+1 && skipped > 0 && len(out) > 0 {
			out = append(out, fmt.Sprintf("  (%d more as expected)", skipped))
		}
		skipped, last = 0, i
		switch {
		case p.want == nil:
			out = append(out, "+ "+p.came.line())
		case p.differs():
			out = append(out, "- "+p.want.line())
		case p.want.others:
			out = append(out, "  "+others)
		default:
			out = append(out, "  "+p.came.line())
		}
	}
	return out
}

// flow writes a mapping of YAML on one line.
type flow struct{ b strings.Builder }

// plainWord is what YAML takes for text without quotes, however it is read.
var plainWord = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_.:/-]*[A-Za-z0-9])?$`)

func (f *flow) add(key, value string) {
	if value == "" {
		return
	}
	if f.b.Len() > 0 {
		f.b.WriteString(", ")
	}
	f.b.WriteString(key + ": " + value)
}

// word adds text that may hold anything.
func (f *flow) word(key, value string) {
	if value != "" {
		f.add(key, quotedWord(value))
	}
}

func quotedWord(value string) string {
	switch strings.ToLower(value) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
	default:
		if plainWord.MatchString(value) && !strings.Contains(value, ": ") {
			return value
		}
	}
	b, _ := json.Marshal(value) // a string always marshals, and what JSON says so does YAML
	text := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(b))
	return string(visible([]byte(text)))
}

func (f *flow) time(key string, t time.Time) {
	if !t.IsZero() {
		f.add(key, t.UTC().Format(time.RFC3339))
	}
}

func (f *flow) severity(s incident.Severity) {
	if s != 0 {
		f.add("severity", s.String())
	}
}

func (f *flow) words(key string, list []string) {
	if len(list) == 0 {
		return
	}
	quoted := make([]string, len(list))
	for i, v := range list {
		quoted[i] = quotedWord(v)
	}
	f.add(key, "["+strings.Join(quoted, ", ")+"]")
}

func (f *flow) labels(l map[string]string) {
	var inner flow
	for _, name := range slices.Sorted(maps.Keys(l)) {
		inner.add(name, quotedWord(l[name]))
	}
	if len(l) > 0 {
		f.add("labels", inner.String())
	}
}

// String is the mapping.
func (f *flow) String() string { return "{" + f.b.String() + "}" }

// longestText is how many characters of a text a scenario file gets.
const longestText = 160

// line is the item as a scenario file has it.
func (c *cameItem) line() string {
	if c.more > 0 {
		return fmt.Sprintf("(%d more)", c.more)
	}
	var f flow
	f.time("at", c.at)
	f.word("receiver", c.receiver)
	f.word("reason", c.reason)
	first, _, _ := strings.Cut(strings.TrimSpace(c.text), "\n")
	f.word("text", shortened(oneLine(first)))
	if c.isIncident {
		f.severity(c.severity)
		f.word("title", shortened(oneLine(c.title)))
		f.word("state", c.state)
		f.time("ends", c.ended)
		f.words("rules", c.rules)
		f.labels(c.labels)
	}
	return f.String()
}

// shortened is the beginning of a text; as a part of it it still matches.
func shortened(text string) string {
	if r := []rune(text); len(r) > longestText {
		return strings.TrimSpace(string(r[:longestText]))
	}
	return text
}

// line is the item as it is written, in the order in which what came is.
func (w *wantedItem) line() string {
	if w.others {
		return others
	}
	var f flow
	f.time("at", w.At)
	f.time("after", w.After)
	f.time("by", w.By)
	f.word("receiver", w.Receiver)
	f.word("reason", w.Reason)
	f.word("text", oneLine(w.Text))
	f.severity(w.Severity)
	f.word("title", oneLine(w.Title))
	f.word("state", w.State)
	f.time("ends", w.Ends)
	f.time("ends_by", w.EndsBy)
	f.words("rules", w.Rules)
	f.labels(w.Labels)
	return f.String()
}
