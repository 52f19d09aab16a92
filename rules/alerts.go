package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/words"
)

// fire lets an alert of what was gathered fire.
func (s *stepping) fire(r *Rule, st *State, e *logs.Entry, at time.Time) {
	if r.traits.Silence {
		st.Gathered = st.silence(at)
	}
	g := &st.Gathered
	a := incident.Alert{
		Key: incident.Key{Rule: r.Name, Group: st.Group.Text()}, State: incident.Firing,
		Labels: incident.Labels{}, Severity: r.Severity, Mode: r.Mode, Impact: r.Impact, SymptomOf: r.SymptomOf,
		First: g.First, Last: g.Last, Identity: g.Identity, FiredAt: at, Count: g.Count, About: st.Overflown, FirstLine: g.FirstOne,
		Lines: slices.Clone(g.Newest), List: excerpts(st.detector.List()),
	}
	if a.First.IsZero() { // an absence of what never spoke
		a.First, a.Last = at, at
	}
	for _, from := range []incident.Labels{g.Labels, r.Labels, st.Group} {
		for k, v := range from {
			a.Labels[k] = v
		}
	}
	var spoiled string
	a.Annotations, spoiled = r.annotate(&a, e, st.detector.Value())
	if len(st.Folded) > 0 {
		a.Annotations["description"] = strings.TrimSpace(a.Annotations["description"] + "\n" + "The rule has " + r.foldedText(st) + ".")
	}
	st.Alert = &a
	st.AliveAt, st.QuietPassed = time.Time{}, false
	s.changed(Change{Kind: Fired, Rule: r, Alert: a, At: at, Spoiled: spoiled})
}

// count takes an entry into the alert that fires. e is the newest of what was added.
func (s *stepping) count(r *Rule, st *State, e *logs.Entry, added int64, at time.Time) {
	a, g := st.Alert, &st.Gathered
	before := a.Count
	a.Last, a.Count, a.About, a.Lines, a.List = later(a.Last, g.Last), a.Count+added, st.Overflown, slices.Clone(g.Newest), excerpts(st.detector.List())
	if g.First.Before(a.First) && g.Count > 0 {
		a.First, a.FirstLine = g.First, g.FirstOne // its identity stays: the incident is called by it
	}
	st.QuietPassed = false
	seen := doubled(before, a.Count)
	recaused := r.retell(st, e)
	if seen = seen || recaused; seen {
		s.stopped = later(s.stopped, at)
	}
	change := Change{Kind: Counted, Rule: r, Alert: *a, At: at, Added: added, Doubled: seen, Recaused: recaused}
	i, told := s.counted[a.Key]
	if n := len(s.out.Changes) - 1; n >= 0 && s.out.Changes[n].Kind == Counted && s.out.Changes[n].Alert.Key == a.Key {
		i, told = n, true
	}
	if told { // one change tells of many entries
		before := &s.out.Changes[i]
		change.Added, change.Doubled, change.Recaused = change.Added+before.Added, change.Doubled || before.Doubled, change.Recaused || before.Recaused
		if !seen || i == len(s.out.Changes)-1 {
			*before = change
		} else { // what is told of it is told with the others as they are by now
			s.out.Changes = append(slices.Delete(s.out.Changes, i, i+1), change)
		}
	} else {
		i = len(s.out.Changes)
		s.out.Changes = append(s.out.Changes, change)
	}
	if seen {
		clear(s.counted)
	} else if s.stopped.IsZero() {
		s.counted[a.Key] = i
	}
}

// doubled says whether a count passed a power of two, from 16 on.
func doubled(before, after int64) bool {
	for n := int64(16); n <= after; n *= 2 {
		if before < n {
			return true
		}
	}
	return false
}

func (s *stepping) resolve(r *Rule, st *State, at time.Time, how string) {
	a := *st.Alert
	a.State, a.ResolvedAt = incident.AlertResolved, at
	r.Over(st)
	s.changed(Change{Kind: Resolved, Rule: r, Alert: a, At: at, How: how})
}

// Over lets a group forget the alert that fires in it, because it is over: what is older than its last entry belongs to it.
func (r *Rule) Over(st *State) {
	st.Cleared = later(st.Cleared, st.Alert.Last)
	st.Alert, st.Gathered, st.QuietPassed = nil, Gathered{}, false
	if !r.traits.Silence { // what it says next may be its last words
		st.Runs = nil
	}
	if !r.traits.Keeps() {
		st.Detector = nil
		st.detector, _ = r.detect.New(nil) // a fresh one has no state to be wrong
	}
}

func (s *stepping) changed(c Change) {
	clear(s.counted)
	s.out.Changes = append(s.out.Changes, c)
	s.stopped = later(s.stopped, c.At)
}

// values reads the fields that the rule's detector wants.
func (r *Rule) values(e *logs.Entry) map[string]string {
	if len(r.fields) == 0 {
		return nil
	}
	values := make(map[string]string, len(r.fields))
	for name, path := range r.fields {
		if v, ok := path.Text(e); ok {
			values[name] = bound(v, maxLabel)
		}
	}
	return values
}

// figures are what a trouble's words say anew each time though its cause is the same: counts, times of day, how long it has lasted, the ids of requests.
var figures = regexp.MustCompile(`\S*[0-9]\S*`)

// retell lets the alert of a trouble of tocsin's own, which is one trouble whatever causes it, tell of its newest cause, and says whether that
// is another than the one it told of.
func (r *Rule) retell(st *State, e *logs.Entry) bool {
	a := st.Alert
	if e == nil || len(st.Folded) > 0 || !slices.Equal(r.Sources, []string{logs.OwnSource}) || e.Time().Before(a.Last) || len(a.Lines) == 0 {
		return false
	}
	told, _ := r.annotate(a, e, st.detector.Value())
	if figures.ReplaceAllString(told["summary"], "") == figures.ReplaceAllString(a.Annotations["summary"], "") {
		return false
	}
	a.Annotations, a.FirstLine = told, a.Lines[len(a.Lines)-1]
	return true
}

// annotate renders the rule's annotations for an alert, and says what is wrong with one that cannot be. e is the entry that let it
// fire; nil for an absence.
func (r *Rule) annotate(a *incident.Alert, e *logs.Entry, value float64) (out map[string]string, spoiled string) {
	data := words.AnnotationData{Labels: a.Labels, Count: a.Count, List: a.List, First: a.First, Last: a.Last, Value: value}
	if e != nil {
		data.Entry = words.FieldsOf(e.Root)
	}
	out = make(map[string]string, len(r.annotations))
	for _, name := range sortedKeys(r.annotations) {
		text, err := r.annotations[name].Render(data)
		if err != nil {
			spoiled = fmt.Sprintf("annotation %s: %v", name, err)
			if text == "" {
				text = r.Name // the words failed: the page must go out all the same
			}
		}
		out[name] = strings.TrimSpace(text)
	}
	return out, spoiled
}

// tryClear resolves an alert whose end was seen, once nothing of before that end can come any more.
func (s *stepping) tryClear(r *Rule, st *State, at time.Time) {
	if st.Clear.IsZero() || at.Add(-s.Lateness).Before(st.Clear) {
		return
	}
	clear, text := st.Clear, st.ClearText
	st.Clear, st.ClearText = time.Time{}, ""
	if st.Alert != nil && clear.After(st.Alert.Last) {
		st.Cleared = later(st.Cleared, clear)
		s.resolve(r, st, at, "seen well: "+text)
	}
}

// tryQuiet resolves an alert that has been quiet long enough, if the group is alive.
func (s *stepping) tryQuiet(r *Rule, st *State, at time.Time) {
	now := at.Add(-s.Lateness)
	if st.Alert == nil || r.resolves.kind != onQuiet || now.Before(st.Alert.Last.Add(r.resolves.after)) {
		return
	}
	if len(st.Held) > 0 && !st.Held[0].Time.After(now) {
		return // what waits has its turn at this very instant, and may have more of it
	}
	st.QuietPassed = true
	if st.AliveAt.Before(now.Add(-AliveWithin)) {
		return // quiet is not healthy: the next sign of life decides
	}
	s.resolve(r, st, at, fmt.Sprintf("quiet for %s, and alive", words.Duration(r.resolves.after)))
}

// excerpts are values out of entries as they may be kept and shown.
func excerpts(values []string) []string {
	for i, v := range values {
		if kept := words.Excerpt(v); kept != v {
			values = slices.Clone(values)
			values[i] = kept
		}
	}
	return values
}
