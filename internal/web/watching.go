package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// Rule is a rule that is loaded, for the page of rules.
type Rule struct {
	Name, Severity, Mode, Filter string
	// Where is the file and the line where it stands.
	Where string
	// Kind is what it detects, Settings how, as JSON; Resolves says how its alerts end, Impact what it says of the service.
	Kind, Settings, Resolves, Impact string
	// For is how long matches must have gone on; Sources are those that it is asked of, none for all.
	For     time.Duration
	Sources []string
	// Silence says that it fires for want of matches.
	Silence bool
}

// rulesView is the main part of the page of rules.
type rulesView struct {
	Said   string
	Config string
	Rules  []ruleView
}

// ruleView is one rule. State is one word, Tone its class.
type ruleView struct {
	Rule
	State, Tone, Fired string
	// Matches are those of 24 hours, Spent the time that it took to judge them.
	Matches, Spent string
	Last           moment
	Incident       string
	// WhyNot is the command that says why it does not fire.
	WhyNot string
	// Aside is why it is not asked any more; empty while it is.
	Aside string
}

// sumsOf is over how long matches and time are added up: a day of a thousand rules is quickly read, a week is not.
const sumsOf = 24 * time.Hour

// rules shows what tocsin looks for, what fires now, how often each matched and when it fired last.
func (s *server) rules(w http.ResponseWriter, r *http.Request) error {
	status, err := s.status(r.Context())
	if err != nil {
		return err
	}
	now := s.Now()
	var states map[string]store.RuleTally
	var sums map[string]store.RulePoint
	var aside map[string]string
	err = s.Store.View(r.Context(), func(tx *store.Tx) (err error) {
		if states, err = tx.RuleTallies(r.Context()); err != nil {
			return err
		}
		if sums, err = tx.RuleSums(r.Context(), now.Add(-sumsOf)); err != nil {
			return err
		}
		aside, err = putAside(r.Context(), tx)
		return err
	})
	if err != nil {
		return err
	}
	v := rulesView{Config: clean(status.Config.Revision, 40)}
	firing := 0
	for _, rule := range s.Rules() {
		st := states[rule.Name]
		if st.Firing > 0 {
			firing++
		}
		v.Rules = append(v.Rules, ruleOf(rule, st, sums[rule.Name], aside[rule.Name], status, now))
	}
	slices.SortStableFunc(v.Rules, func(a, b ruleView) int {
		return cmp.Or(cmp.Compare(oneIf(a.Tone == "soft"), oneIf(b.Tone == "soft")), strings.Compare(a.Name, b.Name))
	})
	v.Said = fmt.Sprintf("%s loaded, %d of them firing.", plural(int64(len(v.Rules)), "rule"), firing)
	return s.show(w, r, http.StatusOK, rulesTemplate, frame{Title: "Rules · tocsin", From: "/rules", Nav: "/rules", Well: wellnessOf(status), Main: v})
}

// putAside are the rules that are not asked any more because they panicked, and why, by name.
func putAside(ctx context.Context, tx *store.Tx) (map[string]string, error) {
	standing, err := tx.Standing(ctx)
	aside := map[string]string{}
	for _, t := range standing {
		if t.Kind == "rule_quarantined" {
			aside[t.Labels["rule"]] = t.Text
		}
	}
	return aside, err
}

// ruleOf words how a rule stands.
func ruleOf(rule Rule, st store.RuleTally, sum store.RulePoint, aside string, status Status, now time.Time) ruleView {
	view := ruleView{Rule: rule, State: "quiet", Tone: "soft", Last: exactly(st.Last, now), Incident: st.Incident,
		WhyNot: fmt.Sprintf("tocsin explain --config %s --rule %s --at %s", cmp.Or(clean(status.Config.File, 200), "tocsin.yaml"), clean(rule.Name, 200), now.UTC().Format(time.RFC3339))}
	view.Name, view.Severity, view.Mode, view.Where = clean(rule.Name, titleLength), clean(rule.Severity, 40), clean(rule.Mode, 40), clean(rule.Where, titleLength)
	view.Filter, view.Aside = cleanLines(rule.Filter, lineLength), clean(aside, titleLength)
	if st.Fired > 0 {
		view.Fired = number(int64(st.Fired))
	}
	if sum.Matches > 0 {
		view.Matches, view.Spent = number(sum.Matches), short(sum.Spent)
	}
	switch {
	case view.Aside != "":
		view.State, view.Tone = "put aside", "critical"
	case st.Firing > 0:
		view.State, view.Tone = "fires", view.Severity
		if st.Firing > 1 {
			view.State = fmt.Sprintf("fires %s times", number(int64(st.Firing)))
		}
	}
	return view
}

// sourcesView is the main part of the page of sources.
type sourcesView struct {
	Said    string
	Sources []watchedView
}

// watchedView is a source with what is only on its own page.
type watchedView struct {
	sourceView
	Lag, Passed string
}

// sources shows how far each source has been read, and when it could not see.
func (s *server) sources(w http.ResponseWriter, r *http.Request) error {
	status, err := s.status(r.Context())
	if err != nil {
		return err
	}
	now := s.Now()
	var blind map[string]time.Duration
	err = s.Store.View(r.Context(), func(tx *store.Tx) (err error) {
		blind, err = tx.Blindness(r.Context(), now)
		return err
	})
	if err != nil {
		return err
	}
	v := sourcesView{Said: "Each is up to date."}
	behind := 0
	for _, src := range status.Sources {
		view := watchedView{sourceView: sourceOf(src, now), Lag: "none"}
		if !src.CaughtUp && !src.Clock.IsZero() {
			view.Lag = span(now.Sub(src.Clock))
		} else if !src.CaughtUp {
			view.Lag = "unknown"
		}
		if src.Passed > 0 {
			view.Passed = number(src.Passed) + " left out, they had come before"
		}
		if d := blind[src.Name]; d > 0 {
			view.Blind = append([]string{"could not see for " + span(d) + " in all that is kept"}, view.Blind...)
		}
		if view.Tone != "ok" {
			behind++
		}
		v.Sources = append(v.Sources, view)
	}
	if behind > 0 {
		v.Said = fmt.Sprintf("%d of %d need a look.", behind, len(v.Sources))
	}
	return s.show(w, r, http.StatusOK, sourcesTemplate, frame{Title: "Sources · tocsin", From: "/sources", Nav: "/sources", Well: wellnessOf(status), Main: v})
}

// publicView is the main part of the page that everybody may see: nothing of what a log or a rule says is in it.
type publicView struct {
	Said string
	Tone string
	Open []publicIncident
	More string
}

// publicIncident is that something is wrong, as much as everybody may know.
type publicIncident struct {
	Severity, Who string
	Since         moment
	Lasts         string
}

// publicStatus shows whether something is wrong, how bad, since when, and whether somebody is at it.
func (s *server) publicStatus(w http.ResponseWriter, r *http.Request) error {
	var open []incident.Incident
	err := s.Store.View(r.Context(), func(tx *store.Tx) (err error) {
		open, err = tx.OpenIncidents(r.Context())
		return err
	})
	if err != nil {
		return err
	}
	now := s.Now()
	open = slices.DeleteFunc(open, func(inc incident.Incident) bool { // nobody outside notices
		return inc.Severity < incident.High || inc.Labels["service"] == "tocsin"
	})
	byUrgency(open)
	v := publicView{Said: "All is well", Tone: "ok"}
	for i := range open {
		inc := &open[i]
		if i == mostCards {
			v.More = fmt.Sprintf("and %s more", number(int64(len(open)-i)))
			break
		}
		p := publicIncident{Severity: inc.Severity.String(), Who: "nobody is at it yet", Since: at(began(inc), now), Lasts: span(now.Sub(began(inc)))}
		if inc.State == incident.Acknowledged {
			p.Who = "somebody is at it"
		}
		v.Open = append(v.Open, p)
	}
	if n := len(open); n > 0 {
		v.Said, v.Tone = plural(int64(n), "thing")+" is wrong", v.Open[0].Severity
		if n > 1 {
			v.Said = plural(int64(n), "thing") + " are wrong"
		}
	}
	return s.show(w, r, http.StatusOK, publicTemplate, frame{Title: v.Said + " · status", Bare: true, Main: v})
}
