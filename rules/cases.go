package rules

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/setting"
)

// Case is a proof of a rule: entries, and the alerts that must come of them.
type Case struct {
	Name string
	// Lines are the entries, a line each, in the order they come.
	Lines []byte
	// Fires and Resolves are the alerts wanted, in order. A nil Resolves is not looked at.
	Fires    []Wanted
	Resolves []Wanted
	// Until is how long after the first entry the case goes on; at least to the last entry.
	Until    time.Duration
	Position config.Position
}

// Wanted is an alert that a case asks for.
type Wanted struct {
	// At counts from the first entry.
	At time.Duration
	// Labels are a subset of the alert's.
	Labels incident.Labels
}

type caseSettings struct {
	Name     string           `yaml:"name"`
	Entries  []config.Node    `yaml:"entries"`
	Fires    []wantedSettings `yaml:"fires"`
	Resolves []wantedSettings `yaml:"resolves"`
	Until    setting.Duration `yaml:"until"`
}

type wantedSettings struct {
	At     setting.Duration  `yaml:"at"`
	Labels map[string]string `yaml:"labels"`
}

func readCase(n config.Node) (Case, config.Errors) {
	var set caseSettings
	errs := config.Decode(n, &set)
	c := Case{Name: set.Name, Until: set.Until.Std(), Position: n.Position()}
	if len(set.Entries) == 0 {
		errs = append(errs, n.Locate(setting.FieldError{Text: "entries is missing: a case needs at least one entry"})...)
	}
	var lines bytes.Buffer
	for _, e := range set.Entries {
		if text, ok := e.Scalar(); ok {
			lines.WriteString(strings.ReplaceAll(text, "\n", " "))
		} else {
			lines.Write(e.JSON())
		}
		lines.WriteByte('\n')
	}
	c.Lines = lines.Bytes()
	for _, w := range set.Fires {
		c.Fires = append(c.Fires, Wanted{At: w.At.Std(), Labels: w.Labels})
	}
	if set.Resolves != nil {
		c.Resolves = []Wanted{}
	}
	for _, w := range set.Resolves {
		c.Resolves = append(c.Resolves, Wanted{At: w.At.Std(), Labels: w.Labels})
	}
	return c, errs
}

// caseClock is when a case's entries come that have no time at all.
var caseClock = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Prove runs a case of a rule and returns how what came of it differs from what is wanted, as lines of a diff, "-" for what is wanted
// and did not come, "+" for what came and is not wanted; none if it holds. Time goes
// by the entries alone, and nothing is late.
func (r *Rule) Prove(c Case) ([]string, error) {
	set := NewSet([]*Rule{r})
	ev := &Evaluator{Set: set}
	b := logs.Batch{Source: "case", Data: c.Lines}
	if len(r.Sources) > 0 {
		b.Source = r.Sources[0]
	}
	first, last := span(b)
	hits, _, err := set.Scan(b, caseClock, Firing{All: true})
	if err != nil {
		return nil, fmt.Errorf("scan case %q: %w", c.Name, err)
	}
	changes, err := ev.play(hits, r, first, later(last, first.Add(c.Until)))
	if err != nil {
		return nil, fmt.Errorf("play case %q: %w", c.Name, err)
	}
	if why, aside := set.Aside()[r.Name]; aside {
		return nil, fmt.Errorf("play case %q: the rule panicked: %s", c.Name, why.Why)
	}
	var fired, resolved []Wanted
	for _, ch := range changes {
		switch ch.Kind {
		case Fired:
			at := ch.At
			if !r.traits.Silence && !r.traits.Judged && !r.traits.Ordered {
				at = ch.Alert.Last
			}
			fired = append(fired, Wanted{At: at.Sub(first), Labels: ch.Alert.Labels})
		case Resolved:
			resolved = append(resolved, Wanted{At: ch.At.Sub(first), Labels: ch.Alert.Labels})
		}
	}
	diff := differ("fires", c.Fires, fired)
	if c.Resolves != nil {
		diff = append(diff, differ("resolves", c.Resolves, resolved)...)
	}
	return diff, nil
}

// span is the time of the first and the last entry of a case.
func span(b logs.Batch) (first, last time.Time) {
	b.Entries(caseClock, func(e *logs.Entry) bool {
		t := e.Time()
		if first.IsZero() {
			first = t
		}
		last = later(last, later(t, e.Clock))
		return true
	})
	return first, last
}

// play runs hits and timers to the end with states in memory, as a case needs it.
func (e *Evaluator) play(hits []Hit, r *Rule, from, until time.Time) ([]Change, error) {
	states := map[incident.Key]*State{}
	for _, g := range r.traits.Groups {
		d, err := r.detect.New(nil)
		if err != nil {
			return nil, err
		}
		d.Advance(from)
		st := &State{Group: g, detector: d}
		states[incident.Key{Rule: r.Name, Group: g.Text()}] = st
	}
	var changes []Change
	for {
		var due []Waiting
		for k, st := range states {
			if at := e.NextDue(r, st); !at.IsZero() && !at.After(until) {
				due = append(due, Waiting{Key: k, At: at})
			}
		}
		SortWaiting(due)
		out, err := e.Step(Slice{Hits: hits, Until: until, Due: due, Watermark: until,
			Load:   func(key incident.Key) (*State, error) { return reload(states[key]) },
			Groups: func(string) (int, error) { return len(states), nil },
			Sight:  func(string) (time.Time, bool) { return time.Time{}, true }})
		if err != nil {
			return nil, err
		}
		for k, st := range out.States {
			states[k] = st
		}
		changes = append(changes, out.Changes...)
		hits = hits[out.Used:]
		if out.Used == 0 && len(out.Changes) == 0 {
			return changes, nil
		}
	}
}

// reload lets a state go through its stored form, as it does between two slices.
func reload(st *State) (*State, error) {
	if st == nil {
		return nil, nil
	}
	b, err := st.Encode()
	if err != nil {
		return nil, err
	}
	return DecodeState(b)
}

// differ compares alerts one by one, as lines of a diff.
func differ(what string, want, got []Wanted) []string {
	var diff []string
	for i := range max(len(want), len(got)) {
		if i < len(want) && i < len(got) && want[i].At == got[i].At && subset(want[i].Labels, got[i].Labels) {
			continue
		}
		if i < len(want) {
			diff = append(diff, fmt.Sprintf("- %s: %s", what, want[i]))
		}
		if i < len(got) {
			diff = append(diff, fmt.Sprintf("+ %s: %s", what, got[i]))
		}
	}
	return diff
}

func subset(some, all incident.Labels) bool {
	for k, v := range some {
		if all[k] != v {
			return false
		}
	}
	return true
}

// String is the alert as a case would write it.
func (w Wanted) String() string { return fmt.Sprintf("{at: %s, labels: %s}", w.At, w.Labels.Text()) }
