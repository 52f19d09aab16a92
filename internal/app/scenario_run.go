package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/incident"
	"tocsin/internal/setting"
	"tocsin/internal/words"
	"tocsin/notifiers"
)

// cameItem is one thing that came of a scenario: an incident, a page or a message.
type cameItem struct {
	at                     time.Time
	receiver, reason, text string
	title, state           string
	severity               incident.Severity
	labels                 incident.Labels
	rules                  []string
	ended                  time.Time
	more                   int // of a list that is too long: how many came behind it
	isIncident             bool
}

// mostCame is how many items of a list are compared one by one.
const mostCame = 2000

// witness is a Teller that keeps what came.
type witness struct {
	incidents []*cameItem
	byID      map[string]*cameItem
	told      map[string][]*cameItem // pages, messages
	// heard is the first thing that each receiver heard, a quiet edit too.
	heard map[string]*cameItem
}

func newWitness() *witness {
	return &witness{byID: map[string]*cameItem{}, told: map[string][]*cameItem{}, heard: map[string]*cameItem{}}
}

// Alert keeps whose alerts belong to an incident.
func (w *witness) Alert(_ time.Time, a incident.Alert, id string) {
	if id == "" {
		return
	}
	if it := w.of(id); !slices.Contains(it.rules, a.Rule) {
		it.rules = append(it.rules, a.Rule)
		slices.Sort(it.rules)
	}
}

func (w *witness) of(id string) *cameItem {
	it := w.byID[id]
	if it == nil {
		it = &cameItem{isIncident: true}
		w.byID[id] = it
	}
	return it
}

// Incident keeps how an incident is.
func (w *witness) Incident(at time.Time, inc *incident.Incident) {
	it := w.of(inc.ID)
	if it.at.IsZero() {
		it.at = at
		w.incidents = append(w.incidents, it)
	}
	it.title, it.state, it.labels = inc.Title, string(inc.State), inc.Labels
	it.severity = max(it.severity, inc.Severity)
	it.ended = time.Time{}
	if inc.State == incident.Resolved || inc.State == incident.Merged {
		it.ended = at
	}
}

// Notification keeps what rang, and who heard anything.
func (w *witness) Notification(at time.Time, n notifiers.Notice, _ string, page bool, text string) {
	it := &cameItem{at: at, receiver: n.Target, reason: string(n.Reason), text: text}
	if w.heard[n.Target] == nil {
		w.heard[n.Target] = it
	}
	switch {
	case page:
		w.told["pages"] = append(w.told["pages"], it)
	case n.Rings:
		w.told["messages"] = append(w.told["messages"], it)
	}
}

// list is what came, by the key of Expect, with an end that says how many more there are.
func (w *witness) list(key string) []*cameItem {
	all := w.told[key]
	if key == "incidents" {
		all = w.incidents
	}
	if len(all) > mostCame {
		return append(all[:mostCame:mostCame], &cameItem{more: len(all) - mostCame})
	}
	return all
}

// play runs the scenario under its configuration.
func (s *scenarioOf) play(ctx context.Context) (*witness, error) {
	plan, errs := Load(s.beside(s.Config))
	if len(errs) > 0 {
		return nil, errs.Err()
	}
	if err := s.known(plan); err != nil {
		return nil, err
	}
	next, closeAll, err := s.entries()
	if err != nil {
		return nil, err
	}
	defer closeAll()
	w := newWitness()
	r := &Replay{Plan: plan, Entries: next, Tell: w, Until: s.Until}
	if err := r.Run(ctx); err != nil {
		return nil, fmt.Errorf("play scenario %q: %w", s.Name, err)
	}
	if r.Counts.Entries == 0 {
		return nil, s.node.At("entries").Errorf("there are no entries in it: it would prove nothing")
	}
	return w, nil
}

// known says which receivers the scenario names that its configuration does not have: nothing could ever come of them.
func (s *scenarioOf) known(plan *Plan) error {
	var errs config.Errors
	names := slices.Sorted(maps.Keys(plan.specs()))
	for i, name := range s.silent {
		if !slices.Contains(names, name) {
			errs = append(errs, s.node.At(fmt.Sprintf("expect.silent.%d", i)).Errorf("%s", setting.Unknown("receiver", name, names)))
		}
	}
	for _, list := range s.lists {
		for _, item := range list {
			if item.Receiver != "" && !slices.Contains(names, item.Receiver) {
				errs = append(errs, item.position.Errorf("%s", setting.Unknown("receiver", item.Receiver, names)))
			}
		}
	}
	return errs.Sorted().Err()
}

// matches says whether what came is what is wanted.
func (w *wantedItem) matches(c *cameItem) bool {
	same := func(a, b time.Time) bool { return a.Truncate(time.Second).Equal(b.Truncate(time.Second)) }
	late := func(t, by time.Time) bool { return t.Truncate(time.Second).After(by) }
	switch {
	case c.more > 0,
		!w.At.IsZero() && !same(w.At, c.at),
		!w.After.IsZero() && c.at.Before(w.After),
		!w.By.IsZero() && late(c.at, w.By),
		w.Receiver != "" && w.Receiver != c.receiver,
		w.Reason != "" && w.Reason != c.reason,
		!strings.Contains(oneLine(c.text), oneLine(w.Text)),
		!strings.Contains(oneLine(c.title), oneLine(w.Title)),
		w.Severity != 0 && w.Severity != c.severity,
		w.State != "" && w.State != c.state,
		!w.Ends.IsZero() && !same(w.Ends, c.ended),
		!w.EndsBy.IsZero() && (c.ended.IsZero() || late(c.ended, w.EndsBy)):
		return false
	}
	for name, value := range w.Labels {
		if c.labels[name] != value {
			return false
		}
	}
	return !slices.ContainsFunc(w.Rules, func(rule string) bool { return !slices.Contains(c.rules, rule) })
}

// oneLine is text as a line of a file has it: cleaned of what a terminal would act on, its lines joined.
func oneLine(text string) string { return strings.Join(strings.Fields(words.Terminal(text)), " ") }
