package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/postmortem"
	"tocsin/internal/words"
	"tocsin/rules"
)

// Emitted is a scenario that says when somebody should have been paged, with the entries that show it.
type Emitted struct {
	// Scenario and Entries are the files' names, once they are written.
	Scenario, Entries string
	// Kept is how many entries they hold.
	Kept int
	// By is by when whom the scenario wants to be paged; Comes when that happens today, zero for never.
	By       time.Time
	Receiver string
	Comes    time.Time

	day     time.Time
	lines   []byte
	plan    *Plan
	records *postmortem.Record
}

// Fails says that the scenario fails today: that is what it is for.
func (e *Emitted) Fails() bool { return e.Comes.IsZero() || e.Comes.After(e.By) }

// How many entries are kept of those that look alike: the first, one each while, and of those that a rule of the incident matches many
// more, for it counts them.
const (
	firstAlike   = 3
	alikeEvery   = 10 * time.Minute
	mostMatches  = 60
	mostEmitted  = 3000
	longestEntry = 16 << 10
)

// Emit makes a scenario of an incident of a replay: somebody is paged within a time from its first evidence. entries are those of the
// replay once more; what looks alike of them is thinned, from ten minutes before to when the page came, or should have.
func Emit(ctx context.Context, plan *Plan, d Relived, entries func() (logs.Batch, error), within time.Duration) (*Emitted, error) {
	r := &postmortem.Record{Incident: d.Incident, Events: d.Events, Notifications: d.Notifications}
	lags := postmortem.LagsOf(r)
	e := &Emitted{plan: plan, records: r, By: lags.First.Add(within).Truncate(time.Second), Receiver: lags.PagedAt, day: lags.Day()}
	if e.Receiver == "" {
		if e.Receiver = plan.pager(); e.Receiver == "" {
			return nil, errors.New("emit a test: the configuration has no receiver that pages, so nobody could have been called")
		}
	}
	end := lags.First.Add(max(within, 30*time.Minute))
	if lags.Paged.After(end) {
		end = lags.Paged
	}
	t := &thinning{from: lags.First.Add(-alikeEvery), to: end.Add(5 * time.Minute), alike: map[string]*alike{}, matched: map[string]int{}}
	for i := range d.Incident.Alerts {
		if rule := plan.Rules.Rule(d.Incident.Alerts[i].Rule); rule != nil && !slices.Contains(t.rules, rule) {
			t.rules = append(t.rules, rule)
		}
	}
	for {
		b, err := entries()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		b.Walk(time.Time{}, t.see)
	}
	e.lines, e.Kept = t.out.Bytes(), t.kept
	all, err := Relive(ctx, plan, logs.Merge(logs.NewReader(bytes.NewReader(e.lines), "entries", logs.ReaderOptions{})).Next, time.Time{})
	if err != nil {
		return nil, err
	}
	for _, again := range all {
		for _, n := range again.Notifications {
			if n.Kind == incident.Call && n.Target == e.Receiver && !n.SentAt.IsZero() && (e.Comes.IsZero() || n.SentAt.Before(e.Comes)) {
				e.Comes = n.SentAt
			}
		}
	}
	return e, nil
}

// pager is the first receiver that pages; "" if none does.
func (p *Plan) pager() string {
	var names []string
	for name, spec := range p.Receivers {
		if spec.Traits().Pages {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names[:min(1, len(names))], "")
}

// thinning keeps what is needed of entries.
type thinning struct {
	from, to time.Time
	rules    []*rules.Rule
	alike    map[string]*alike
	matched  map[string]int // entries kept because a rule matches them
	out      bytes.Buffer
	kept     int
}

// alike is how many entries of one look were kept, and when the last.
type alike struct {
	kept int
	last time.Time
}

// see looks at an entry. Secrets do not stay in it.
func (t *thinning) see(e *logs.Entry) bool {
	at := e.Time()
	if at.Before(t.from) || at.After(t.to) || len(e.Raw) > longestEntry || t.kept == mostEmitted {
		return !at.After(t.to.Add(time.Hour)) && t.kept < mostEmitted
	}
	labels := e.Root.Get("resource").Get("labels")
	look := labels.Get("container_name").Text() + "\x00" + e.LogName() + "\x00" + shape(e.Message())
	a := t.alike[look]
	if a == nil {
		a = &alike{}
		t.alike[look] = a
	}
	matched := ""
	for _, r := range t.rules {
		if t.matched[r.Name] < mostMatches && r.Filter.Match(e) {
			matched = r.Name
			break
		}
	}
	switch {
	case matched != "":
		t.matched[matched]++
	case a.kept < firstAlike || at.Sub(a.last) >= alikeEvery:
		a.kept++
	default:
		return true
	}
	a.last = at
	t.kept++
	t.out.WriteString(words.Redact(string(e.Raw)))
	t.out.WriteByte('\n')
	return true
}

// shape is the beginning of a message without what has digits in it: what lines of one kind have in common.
func shape(text string) string {
	if len(text) > 400 {
		text = text[:400]
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,:\"{}/", r) })
	words = slices.DeleteFunc(words, func(w string) bool { return strings.ContainsAny(w, "0123456789") })
	text = strings.Join(words, " ")
	return text[:min(len(text), 80)]
}

// Write puts the scenario and its entries into a directory, which it makes, as DATE.yaml and DATE.jsonl. It overwrites nothing.
func (e *Emitted) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make the directory of the test: %w", err)
	}
	date := e.day.UTC().Format(time.DateOnly)
	e.Scenario, e.Entries = filepath.Join(dir, date+".yaml"), filepath.Join(dir, date+".jsonl")
	text, err := e.text(dir)
	if err != nil {
		return err
	}
	if err := writeNew(e.Scenario, text); err != nil {
		return err
	}
	return writeNew(e.Entries, e.lines)
}

// text is the scenario file.
func (e *Emitted) text(dir string) ([]byte, error) {
	inc := &e.records.Incident
	whole, err1 := filepath.Abs(dir)
	path, err2 := filepath.Abs(e.plan.File.Path)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("name the configuration: %w", err)
	}
	if rel, err := filepath.Rel(whole, path); err == nil {
		path = filepath.ToSlash(rel)
	}
	first := postmortem.LagsOf(e.records).First
	var b strings.Builder
	fmt.Fprintf(&b, "# What should have come of: %s\n", strings.ReplaceAll(words.Clean(inc.Title, 200), "\n", " "))
	fmt.Fprintf(&b, "# The first line that shows it is of %s. Written by `tocsin postmortem --emit-test`; the entries are thinned.\n", first.UTC().Format(time.RFC3339))
	fmt.Fprintf(&b, "scenarios:\n  - name: %s\n", quotedWord(fmt.Sprintf("%s, %s is paged within %s of the first evidence", e.day.UTC().Format(time.DateOnly), e.Receiver, words.Duration(e.By.Sub(first.Truncate(time.Second))))))
	fmt.Fprintf(&b, "    config: %s\n    entries: [%s]\n    expect:\n      pages:\n", quotedWord(path), filepath.Base(e.Entries))
	var f flow
	f.time("by", e.By)
	f.word("receiver", e.Receiver)
	fmt.Fprintf(&b, "        - %s\n        - ...   # and any number of others\n", f.String())
	return []byte(b.String()), nil
}
