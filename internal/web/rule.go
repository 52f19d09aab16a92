package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

// How much a rule's page shows: the alerts whose entries are the newest, and the marks of when it fired.
const (
	mostMatched = 8
	mostMarks   = 300
)

// ruleDetail is the main part of a rule's page.
type ruleDetail struct {
	ruleView
	Facts   []fact
	Chart   *ruleChart
	Cost    []string
	Matched []matchedView
	Gates   []gateView
}

// matchedView is an alert of the rule with its newest lines.
type matchedView struct {
	Summary, Group, State, Lines, Incident string
	Last                                   moment
	Newest                                 []lineView
}

// gateView is something that stands between an entry and somebody who hears of it. Tone is the class of how it stands.
type gateView struct{ Name, Text, Tone string }

// ruleChart is the picture of how often a rule matched, with marks where it fired.
type ruleChart struct {
	chart
	Path    string
	MarksAt int
	Marks   []dot
}

// ruleRead is what the store knows of a rule.
type ruleRead struct {
	tally  store.RuleTally
	points []store.RulePoint
	sums   map[string]store.RulePoint
	fired  []store.Firing
	alerts []incident.Alert
	aside  string
}

// rule shows one rule: how it stands, how often it matched, what it cost, what it matched last, and what stands between an entry and it.
func (s *server) rule(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("rule")
	all := s.Rules()
	i := slices.IndexFunc(all, func(one Rule) bool { return one.Name == name })
	if i < 0 {
		return &refusal{http.StatusNotFound, client.NotFound, fmt.Sprintf("no rule %s is loaded", clean(name, 100))}
	}
	status, err := s.status(r.Context())
	if err != nil {
		return err
	}
	now := s.Now()
	to := now.UTC().Truncate(store.RuleSpan).Add(store.RuleSpan)
	from := to.Add(-store.SeriesKept)
	var is ruleRead
	ctx := r.Context()
	err = s.Store.View(ctx, func(tx *store.Tx) (err error) {
		if is.tally, err = tx.RuleTally(ctx, name); err != nil {
			return err
		}
		if is.points, err = tx.RulePoints(ctx, name, from); err != nil {
			return err
		}
		if is.sums, err = tx.RuleSums(ctx, now.Add(-sumsOf)); err != nil {
			return err
		}
		if is.fired, err = tx.Firings(ctx, name, from, mostMarks); err != nil {
			return err
		}
		if is.alerts, err = tx.RuleAlerts(ctx, name, mostMatched); err != nil {
			return err
		}
		aside, err := putAside(ctx, tx)
		is.aside = aside[name]
		return err
	})
	if err != nil {
		return fmt.Errorf("read rule %s: %w", clean(name, 100), err)
	}
	v := ruleDetail{ruleView: ruleOf(all[i], is.tally, is.sums[name], is.aside, status, now)}
	v.Facts = ruleFacts(all[i])
	v.Chart = ruleChartOf(v.Name, is.points, is.fired, from, to, now)
	v.Cost = costOf(is.sums, name, len(all))
	v.Gates = gatesOf(all[i], is, status, now)
	for j := range is.alerts {
		v.Matched = append(v.Matched, matchedOf(&is.alerts[j], now))
	}
	return s.show(w, r, http.StatusOK, ruleTemplate, frame{Title: v.Name + " · rules · tocsin", From: "/rules/" + name, Nav: "/rules", Well: wellnessOf(status), Main: v})
}

// ruleFacts are what a rule is, as it is written.
func ruleFacts(r Rule) []fact {
	all := []fact{{"Detects", clean(r.Kind+" "+r.Settings, lineLength)}}
	add := func(name, text string) {
		if text != "" {
			all = append(all, fact{name, clean(text, titleLength)})
		}
	}
	if r.For > 0 {
		add("For", "only what goes on for "+span(r.For))
	}
	add("Resolves", r.Resolves)
	add("Asked of", cmp.Or(strings.Join(r.Sources, ", "), "every source"))
	add("Impact", r.Impact)
	add("Stands in", r.Where)
	return all
}

// matchedOf words an alert of a rule.
func matchedOf(a *incident.Alert, now time.Time) matchedView {
	v := alertOf(&incident.Incident{}, a, now)
	return matchedView{Summary: v.Summary, Group: v.Group, State: v.State, Lines: v.Lines, Incident: a.Incident, Last: v.Last, Newest: v.Newest}
}

// ruleChartOf draws how often a rule matched; nil if it never did in that time.
func ruleChartOf(name string, points []store.RulePoint, fired []store.Firing, from, to time.Time, now time.Time) *ruleChart {
	if len(points) == 0 && len(fired) == 0 {
		return nil
	}
	bins := int(to.Sub(from) / store.RuleSpan)
	counts := make([]float64, bins)
	frame := chart{from: from, to: to, bins: bins}
	most, sum := 1.0, int64(0)
	for _, p := range points {
		if i, ok := frame.bin(p.At); ok {
			counts[i] += float64(p.Matches)
			most = max(most, counts[i])
			sum += p.Matches
		}
	}
	c := &ruleChart{chart: newChart(from, to, bins, most, func(v float64) string { return number(int64(v)) }, 1)}
	c.Path = c.bars(func(i int) (float64, float64) { return 0, counts[i] })
	c.MarksAt = c.Bottom + 4 + stripHigh/2
	for _, f := range fired {
		c.Marks = append(c.Marks, dot{c.x(f.At), "called", "fired at " + exactly(f.At, now).Text})
	}
	c.Label = fmt.Sprintf("Matches of %s an hour in 7 days: %s in all, %s in the busiest hour; fired %s", name, number(sum), number(int64(most)), times(len(fired)))
	return c
}

// times is how often, in words.
func times(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	case mostMarks:
		return "at least " + number(mostMarks) + " times"
	}
	return number(int64(n)) + " times"
}

// costOf says what a rule takes, as far as that can be known.
func costOf(sums map[string]store.RulePoint, rule string, rules int) []string {
	all, own := sums[""], sums[rule]
	var out []string
	if all.Matches > 0 {
		out = append(out, fmt.Sprintf("To ask %s together took %s an entry: %s for %s in 24 hours. Their filters are one machine; what a single one takes of it is not known.",
			plural(int64(rules), "rule"), short(all.Spent/time.Duration(all.Matches)), short(all.Spent), entries(all.Matches)))
	}
	if own.Matches == 0 {
		return append(out, "Nothing has matched it in 24 hours: beyond that it cost nothing.")
	}
	var judged time.Duration
	for name, p := range sums {
		if name != "" {
			judged += p.Spent
		}
	}
	text := fmt.Sprintf("To judge and record its %s took %s, %s each", matchesText(own.Matches), short(own.Spent), short(own.Spent/time.Duration(own.Matches)))
	if judged > 0 {
		text += fmt.Sprintf(": %s %% of what that took for all rules", percent(int64(own.Spent), int64(judged)))
	}
	return append(out, text+".")
}

func matchesText(n int64) string {
	if n == 1 {
		return "1 match"
	}
	return number(n) + " matches"
}

func entries(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return number(n) + " entries"
}

// short words a short length of time with three digits.
func short(d time.Duration) string {
	switch {
	case d >= 90*time.Second:
		return span(d)
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond))
	case d >= time.Microsecond:
		return fmt.Sprintf("%.3g µs", float64(d)/float64(time.Microsecond))
	}
	return fmt.Sprintf("%d ns", d.Nanoseconds())
}

// gates are those of a rule, in the order in which an entry comes to them.
type gates []gateView

func (all *gates) add(name, tone, format string, args ...any) {
	*all = append(*all, gateView{name, fmt.Sprintf(format, args...), tone})
}

// sources adds those that the rule is asked of and that cannot be relied on; that they all can, if so.
func (all *gates) sources(r Rule, status Status, now time.Time) {
	heard := 0
	for _, src := range status.Sources {
		if len(r.Sources) > 0 && !slices.Contains(r.Sources, src.Name) {
			continue
		}
		heard++
		if view := sourceOf(src, now); view.Tone != "ok" {
			all.add("Source "+view.Name, view.Tone, "%s", view.State)
		}
	}
	switch {
	case heard == 0 && len(r.Sources) > 0:
		all.add("Sources", "critical", "none of those that it is asked of is configured: %s", clean(strings.Join(r.Sources, ", "), titleLength))
	case len(*all) == 0:
		all.add("Sources", "ok", "all that it is asked of are up to date")
	}
}

// gatesOf are what stands between an entry and somebody who hears of it, as far as this page knows: in the order in which an entry comes to them.
func gatesOf(r Rule, is ruleRead, status Status, now time.Time) []gateView {
	var all gates
	all.sources(r, status, now)
	if is.aside != "" {
		all.add("Asked", "critical", "it panicked and is put aside: %s", clean(is.aside, titleLength))
	} else {
		all.add("Asked", "ok", "of every entry of theirs")
	}
	matched := int64(0)
	for _, p := range is.points {
		matched += p.Matches
	}
	switch matched {
	case 0:
		all.add("Filter", "warning", "nothing has matched in 7 days")
	default:
		all.add("Filter", "ok", "%s in 7 days, the newest in the hour of %s", matchesText(matched), at(is.points[len(is.points)-1].At, now).Text)
	}
	detects := clean(r.Kind, 60)
	if r.For > 0 {
		detects += ", for " + span(r.For)
	}
	switch {
	case is.tally.Firing > 0:
		all.add("Detector", "ok", "%s: it fires", detects)
	case is.tally.Fired > 0:
		all.add("Detector", "ok", "%s: it has fired %s, the last time at %s", detects, times(is.tally.Fired), exactly(is.tally.Last, now).Text)
	case r.Silence && matched > 0:
		all.add("Detector", "ok", "%s: what it waits for has not been missing for long enough", detects)
	case r.Silence:
		all.add("Detector", "warning", "%s: what has never been seen is not missed", detects)
	case matched > 0:
		all.add("Detector", "warning", "%s: what matched was not enough yet", detects)
	default:
		all.add("Detector", "soft", "%s: it has never fired in what is kept", detects)
	}
	switch r.Mode {
	case string(incident.Shadow):
		all.add("Mode", "warning", "shadow: it is recorded and told to nobody")
	case string(incident.Tell):
		all.add("Mode", "ok", "tell: it is told and never pages")
	default:
		all.add("Mode", "ok", "%s", clean(r.Mode, 40))
	}
	return all
}
