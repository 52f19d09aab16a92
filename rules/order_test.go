package rules

import (
	cmp2 "cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/incident"
	"tocsin/internal/logs"
)

var day = time.Date(2019, 1, 23, 12, 0, 0, 0, time.UTC)

const lateness = 30 * time.Second

func set(t testing.TB, file string) *Set {
	t.Helper()
	list, errs := Read("test.yaml", []byte(file))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return NewSet(list)
}

// entry is a line with the time it came at.
func entry(at, came time.Duration, id, service, severity string) string {
	return fmt.Sprintf(`{"timestamp":%q,"receiveTimestamp":%q,"insertId":%q,"severity":%q,"logName":"projects/p/logs/x","resource":{"type":"k8s_container","labels":{"cluster_name":"prow","container_name":%q}},"textPayload":"x"}`,
		day.Add(at).Format(time.RFC3339Nano), day.Add(came).Format(time.RFC3339Nano), id, severity, service) + "\n"
}

// player is an Evaluator with its states in memory, each stored and read again at each step.
type player struct {
	t       testing.TB
	ev      *Evaluator
	clock   time.Time
	states  map[incident.Key]*State
	changes []Change
	// gone says that the source is not read at present.
	gone bool
}

func newPlayer(t testing.TB, file string) *player {
	return &player{t: t, ev: &Evaluator{Set: set(t, file), Lateness: lateness}, states: map[incident.Key]*State{}}
}

// take scans a batch, and does all that is due up to the newest of it.
func (p *player) take(lines ...string) {
	p.t.Helper()
	hits, progress, err := p.ev.Set.Scan(logs.Batch{Source: "src", Data: []byte(strings.Join(lines, ""))}, p.clock, Firing{All: true})
	if err != nil {
		p.t.Fatal(err)
	}
	p.clock = later(p.clock, progress.Clock)
	p.run(hits)
}

// expect begins the watch of the groups that a rule lists.
func (p *player) expect(r *Rule) {
	p.t.Helper()
	for _, g := range r.Groups() {
		d, err := r.detect.New(nil)
		if err != nil {
			p.t.Fatal(err)
		}
		d.Advance(day)
		p.states[incident.Key{Rule: r.Name, Group: g.Text()}] = &State{Group: g, detector: d}
	}
}

// until lets time go by.
func (p *player) until(at time.Duration) {
	p.t.Helper()
	p.clock = day.Add(at)
	p.run(nil)
}

func (p *player) run(hits []Hit) {
	p.t.Helper()
	for range 10000 {
		var due []Waiting
		for k, st := range p.states {
			if at := p.ev.NextDue(p.ev.Set.Rule(k.Rule), st); !at.IsZero() && !at.After(p.clock) {
				due = append(due, Waiting{Key: k, At: at})
			}
		}
		SortWaiting(due)
		out, err := p.ev.Step(Slice{Hits: hits, Due: due, Watermark: p.clock,
			Load: func(k incident.Key) (*State, error) { return reload(p.states[k]) },
			Groups: func(rule string) (int, error) {
				n := 0
				for k := range p.states {
					if k.Rule == rule {
						n++
					}
				}
				return n, nil
			},
			Sight: func(string) (time.Time, bool) { return time.Time{}, true }, Gone: func(string) bool { return p.gone }})
		if err != nil {
			p.t.Fatal(err)
		}
		for k, st := range out.States {
			if p.states[k] = st; st.Empty() && p.ev.NextDue(p.ev.Set.Rule(k.Rule), st).IsZero() {
				delete(p.states, k)
			}
		}
		p.changes = append(p.changes, out.Changes...)
		hits = hits[out.Used:]
		if out.Used == 0 && len(out.Changes) == 0 {
			return
		}
	}
	p.t.Fatal("there is no end to what is due")
}

// alerts are what came of it: what fired, and what it had counted when it was over.
func (p *player) alerts() string {
	var out []string
	for _, c := range p.changes {
		a := c.Alert
		switch c.Kind {
		case Fired:
			out = append(out, fmt.Sprintf("%s %s fired", a.Rule, a.Group))
		case Resolved:
			slices.Sort(a.List)
			out = append(out, fmt.Sprintf("%s %s over: %s to %s, %d, %v", a.Rule, a.Group, a.First.Sub(day), a.Last.Sub(day), a.Count, a.List))
		}
	}
	slices.Sort(out) // groups end in the order of their timers
	return strings.Join(out, "\n")
}

const burstRules = `
rules:
  - name: many
    filter: severity=ERROR
    group_by: {service: resource.labels.container_name}
    detect: {threshold: {count: 3, window: 2m, list: severity}}
    resolves: {on_quiet: {after: 10m, alive: severity=INFO}}
    severity: high
  - name: lasting
    filter: severity=ERROR
    group_by: {service: resource.labels.container_name}
    detect: {threshold: {count: 2, window: 2m}}
    for: 1m
    resolves: {on_quiet: {after: 10m, alive: severity=INFO}}
    severity: high
`

// Entries that come in any order within the lateness, twice each, cut into batches anywhere, give the same alerts.
func TestAnyOrderWithinTheLateness(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type one struct {
			at, came time.Duration
			id       string
			service  string
			severity string
		}
		var all []one
		for burst := range 3 { // an hour, in bursts that are further apart than any alert stays
			for i := range rapid.IntRange(0, 8).Draw(rt, "entries") {
				at := time.Duration(burst)*25*time.Minute + time.Duration(rapid.IntRange(0, 300).Draw(rt, "second"))*time.Second
				all = append(all, one{at, at, fmt.Sprint(burst, "-", i), rapid.SampledFrom([]string{"hook", "deck"}).Draw(rt, "service"), "ERROR"})
			}
		}
		for minute := range 80 {
			for _, service := range []string{"hook", "deck"} {
				at := time.Duration(minute)*time.Minute + 30*time.Second
				all = append(all, one{at, at, fmt.Sprint("alive", minute, service), service, "INFO"})
			}
		}
		play := func(mixed bool) string {
			p := newPlayer(t, burstRules)
			list := slices.Clone(all)
			if mixed {
				for i := range all {
					again := list[i]
					list[i].came += time.Duration(rapid.IntRange(0, int(lateness/time.Millisecond)-1).Draw(rt, "delay")) * time.Millisecond
					again.came = list[i].came + time.Duration(rapid.IntRange(0, 60).Draw(rt, "again"))*time.Second
					list = append(list, again)
				}
			}
			slices.SortStableFunc(list, func(a, b one) int { return cmp2.Compare(a.came, b.came) })
			for len(list) > 0 {
				n := 1
				if mixed {
					n = rapid.IntRange(1, len(list)).Draw(rt, "batch")
				}
				var lines []string
				for _, e := range list[:n] {
					lines = append(lines, entry(e.at, e.came, e.id, e.service, e.severity))
				}
				p.take(lines...)
				list = list[n:]
			}
			p.until(3 * time.Hour)
			return p.alerts()
		}
		if diff := cmp.Diff(play(false), play(true)); diff != "" {
			rt.Fatalf("-in order, once +mixed, twice:\n%s", diff)
		}
	})
}

// The edges of window, for, quiet and what comes late.
func TestEdges(t *testing.T) {
	const clear = `
rules:
  - name: bad
    filter: severity=ERROR
    detect: {threshold: {count: 1, window: 2m}}
    resolves: {on_clear: severity=INFO}
    severity: high
`
	fast := func(at time.Duration, severity string) string {
		return entry(at, at, fmt.Sprint(at, severity), "hook", severity)
	}
	const s, m = time.Second, time.Minute
	for name, c := range map[string]struct {
		rules string
		lines []string
		until time.Duration
		want  string
	}{
		"three within the window, its edge included": {burstRules, []string{fast(0, "ERROR"), fast(10*s, "ERROR"), fast(2*m, "ERROR")}, 3 * m,
			"lasting {\"service\":\"hook\"} fired\nmany {\"service\":\"hook\"} fired"},
		"three in a second more than the window": {burstRules, []string{fast(0, "ERROR"), fast(119*s, "ERROR"), fast(121*s, "ERROR")}, 3 * m,
			"lasting {\"service\":\"hook\"} fired"},
		"for goes on over a gap of one window": {burstRules, []string{fast(0, "ERROR"), fast(2*m, "ERROR")}, 3 * m, "lasting {\"service\":\"hook\"} fired"},
		"a longer gap begins anew":             {burstRules, []string{fast(0, "ERROR"), fast(2*m+s, "ERROR"), fast(2*m+2*s, "ERROR")}, 3 * m, ""},
		"two at the very same time are two": {burstRules, []string{entry(0, 0, "a", "hook", "ERROR"), entry(0, 0, "b", "hook", "ERROR"), entry(0, 0, "c", "hook", "ERROR"), fast(9*m+30*s, "INFO")}, 11 * m,
			"many {\"service\":\"hook\"} fired\nmany {\"service\":\"hook\"} over: 0s to 0s, 3, []"},
		"quiet, and nobody alive": {burstRules, []string{fast(0, "ERROR"), fast(s, "ERROR"), fast(2*s, "ERROR"), fast(4*m, "INFO")}, time.Hour, "many {\"service\":\"hook\"} fired"},
		"quiet, and alive later": {burstRules, []string{fast(0, "ERROR"), fast(s, "ERROR"), fast(2*s, "ERROR"), fast(40*m, "INFO")}, time.Hour,
			"many {\"service\":\"hook\"} fired\nmany {\"service\":\"hook\"} over: 0s to 2s, 3, []"},
		"clear ends it":                           {clear, []string{fast(0, "ERROR"), fast(m, "INFO")}, 10 * m, "bad {} fired\nbad {} over: 0s to 0s, 1, []"},
		"clear that overtakes what it clears":     {clear, []string{fast(10*s, "INFO"), entry(0, 20*s, "late", "hook", "ERROR")}, 10 * m, "bad {} fired\nbad {} over: 0s to 0s, 1, []"},
		"clear of before the newest ends nothing": {clear, []string{fast(20*s, "ERROR"), entry(10*s, 25*s, "late", "hook", "INFO")}, 10 * m, "bad {} fired"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlayer(t, c.rules)
			for _, l := range c.lines {
				p.take(l)
			}
			p.until(c.until)
			got := strings.ReplaceAll(p.alerts(), " [ERROR]", " []")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// An end that was seen needs nothing more of its source: a start finds it due before the source has spoken, and many starts in a row
// must not put it off for ever.
func TestAnEndThatWasSeenWaitsForNoSource(t *testing.T) {
	p := newPlayer(t, `
rules:
  - name: bad
    filter: severity=ERROR
    detect: {threshold: {count: 1, window: 2m}}
    resolves: {on_clear: severity=INFO}
    severity: high
`)
	p.take(entry(0, 0, "a", "hook", "ERROR"))
	p.gone = true
	p.until(3 * time.Minute) // what else is due waits for the source
	p.gone = false
	p.take(entry(3*time.Minute, 3*time.Minute, "b", "hook", "INFO"))
	p.gone = true
	p.until(3*time.Minute + lateness)
	if want := "bad {} fired\nbad {} over: 0s to 0s, 1, []"; p.alerts() != want {
		t.Errorf("%s\nnot\n%s", p.alerts(), want)
	}
}

// What a group remembers has an end, though its entries have none.
func TestNothingIsRememberedForEver(t *testing.T) {
	p := newPlayer(t, strings.Replace(burstRules, "count: 3", "count: 300", 1))
	var least, most int
	for i := range 800 {
		at := time.Duration(i) * 90 * time.Second
		p.take(entry(at, at, fmt.Sprint(i), "hook", "ERROR"))
		b, err := p.states[incident.Key{Rule: "many", Group: `{"service":"hook"}`}].Encode()
		if err != nil {
			t.Fatal(err)
		}
		if i == 100 {
			least = len(b)
		}
		most = max(most, len(b))
	}
	if most > 2*least {
		t.Errorf("a state of %d bytes grew to %d", least, most)
	}
	p.until(801*90*time.Second + 24*time.Hour)
	for k := range p.states {
		if k.Rule == "many" {
			t.Errorf("the state of %s is still there", k.Rule)
		}
	}
}
