package rules

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"tocsin/detectors"
)

// kindEntry is a line of a kind's example: an offset from the beginning, and the entry's fields. A repeated line is written once:
// "10s..5m/30s {...}" stands for one every 30 seconds from 10s to 5m.
type kindEntry struct {
	at, came time.Duration
	line     string
}

func kindEntries(t *testing.T, text []byte) []kindEntry {
	t.Helper()
	var list []kindEntry
	for sc := bufio.NewScanner(bytes.NewReader(text)); sc.Scan(); {
		line := strings.TrimSpace(sc.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		when, fields, ok := strings.Cut(line, " ")
		first, rest, many := strings.Cut(when, "..")
		last, every, _ := strings.Cut(rest, "/")
		from, err := time.ParseDuration(first)
		until, step := from, time.Hour
		if many && err == nil {
			if until, err = time.ParseDuration(last); err == nil {
				step, err = time.ParseDuration(every)
			}
		}
		if fields = strings.TrimSpace(fields); err != nil || !ok || step <= 0 || !strings.HasPrefix(fields, "{") {
			t.Fatalf("no entry: %s: %v", line, err)
		}
		for at := from; at <= until; at += step {
			list = append(list, kindEntry{at, at, fields})
		}
	}
	slices.SortStableFunc(list, func(a, b kindEntry) int { return cmp.Compare(a.at, b.at) })
	for i := range list {
		e := &list[i]
		e.line = fmt.Sprintf(`{"timestamp":%q,"insertId":"e%d","logName":"projects/p/logs/x",%s`, day.Add(e.at).Format(time.RFC3339Nano), i, e.line[1:])
	}
	return list
}

// received is the entry's line as it comes.
func (e kindEntry) received() string {
	return fmt.Sprintf(`{"receiveTimestamp":%q,%s`, day.Add(e.came).Format(time.RFC3339Nano), e.line[1:]) + "\n"
}

// playKind gives the entries of an example to its rules, and says what came of it, a line each. mixed shuffles them within the
// lateness, doubles every other one, and cuts them into batches anywhere; it says nothing of what may differ then: when it was
// noticed, and of how many entries an alert tells.
func playKind(t *testing.T, rule string, entries []kindEntry, until time.Duration, mixed *rand.Rand) string {
	p := newPlayer(t, rule)
	for _, r := range p.ev.Set.Rules {
		p.expect(r)
	}
	list := slices.Clone(entries)
	if mixed != nil {
		for i := range entries {
			list[i].came += time.Duration(mixed.Int64N(int64(lateness)))
			if mixed.IntN(2) == 0 {
				again := list[i]
				again.came += time.Duration(mixed.Int64N(int64(lateness)))
				list = append(list, again)
			}
		}
		slices.SortStableFunc(list, func(a, b kindEntry) int { return cmp.Compare(a.came, b.came) })
	}
	for len(list) > 0 {
		n := 1
		if mixed != nil {
			n = 1 + mixed.IntN(min(len(list), 40))
		}
		var lines []string
		for _, e := range list[:n] {
			lines = append(lines, e.received())
		}
		p.take(lines...)
		list = list[n:]
	}
	p.until(until + lateness)
	var out []string
	for _, c := range p.changes {
		a := c.Alert
		what := map[ChangeKind]string{Fired: "fired", Resolved: "over"}[c.Kind]
		if what == "" {
			continue
		}
		group := a.Rule + " " + a.Group
		if mixed != nil {
			out = append(out, group+" "+what)
			continue
		}
		line := fmt.Sprintf("%s %s %s, count %d", c.At.Sub(day), group, what, a.Count)
		if c.Kind == Fired {
			line += fmt.Sprintf(", list %q, summary %q", a.List, a.Annotations["summary"])
		} else {
			line += ", " + c.How
		}
		out = append(out, line)
	}
	if mixed != nil {
		slices.Sort(out)
	}
	return strings.Join(out, "\n") + "\n"
}

// Every kind of detection has examples: a rule, entries, and the alerts that must come of them, also when the entries come in another
// order within the lateness, and some twice.
func TestKindsByExample(t *testing.T) {
	files, err := filepath.Glob("../detectors/testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".txtar")
		kind, _, _ := strings.Cut(name, "-")
		shown[kind] = true
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			a := txtar.Parse(data)
			parts := map[string]*txtar.File{}
			for i := range a.Files {
				parts[a.Files[i].Name] = &a.Files[i]
			}
			for _, part := range []string{"rule.yaml", "entries", "alerts"} {
				if parts[part] == nil {
					t.Fatalf("there is no %s", part)
				}
			}
			entries := kindEntries(t, parts["entries"].Data)
			until := entries[len(entries)-1].at
			if word, rest, _ := strings.Cut(string(a.Comment), "\n"); strings.HasPrefix(word, "until ") {
				if until, err = time.ParseDuration(strings.TrimPrefix(word, "until ")); err != nil {
					t.Fatal(err, rest)
				}
			}
			rule := string(parts["rule.yaml"].Data)
			got := playKind(t, rule, entries, until, nil)
			if *update {
				parts["alerts"].Data = []byte(got)
				if err := os.WriteFile(f, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := gocmp.Diff(string(parts["alerts"].Data), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for seed := range uint64(3) {
				random := rand.New(rand.NewPCG(seed, 1))
				ordered := plainly(got)
				if diff := gocmp.Diff(ordered, playKind(t, rule, entries, until, random)); diff != "" {
					t.Fatalf("-in order, once +mixed with seed %d:\n%s", seed, diff)
				}
			}
		})
	}
	for kind := range detectors.Kinds {
		if !shown[kind] {
			t.Errorf("%s has no example", kind)
		}
	}
}

// plainly leaves of each line what does not depend on the order of the entries.
func plainly(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, ", count ")
		if _, line, _ = strings.Cut(line, " "); line != "" {
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n") + "\n"
}
