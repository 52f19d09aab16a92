package rules

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"tocsin/internal/logs"
	"tocsin/internal/lql"
)

// Aside is why a rule is no longer asked: it made the evaluation panic. One rule must not stop all others.
type Aside struct {
	// Why is what it panicked with, Stack where.
	Why, Stack string
}

// panicked is what a panic of a scan is as an error.
type panicked struct{ Aside }

func (p *panicked) Error() string { return "panic: " + p.Why }

// caught is a recovered panic.
func caught(p any) Aside { return Aside{Why: fmt.Sprint(p), Stack: string(debug.Stack())} }

// Aside are the rules that were put aside since the set was made, by name. They stay so: a set of another load begins anew.
func (s *Set) Aside() map[string]Aside { return s.aside }

// IsAside says whether a rule was put aside.
func (s *Set) IsAside(rule string) bool {
	_, aside := s.aside[rule]
	return aside
}

// putAside leaves a rule out from now on.
func (s *Set) putAside(rule string, why Aside) {
	if s.aside == nil {
		s.aside = map[string]Aside{}
	}
	s.aside[rule] = why
	var filters []*lql.Filter
	var watchers []asked
	for i, w := range s.watchers {
		if !s.IsAside(w.rule.Name) {
			filters, watchers = append(filters, s.filters[i]), append(watchers, w)
		}
	}
	s.filters, s.watchers, s.watch = filters, watchers, lql.Compile(filters)
	s.living, s.asking, s.askers = nil, nil, nil
}

// blame asks each rule alone of a batch that could not be scanned, and puts aside those that cannot be asked. It says how many.
func (s *Set) blame(b logs.Batch, clock time.Time) int {
	n := 0
	try := func(r *Rule, role string, f *lql.Filter) {
		if s.IsAside(r.Name) {
			return
		}
		_, _, err := s.ask(b, clock, lql.Compile([]*lql.Filter{f}), []asked{{rule: r, role: role}})
		if p := (*panicked)(nil); errors.As(err, &p) {
			s.putAside(r.Name, p.Aside)
			n++
		}
	}
	filters, watchers := s.filters, s.watchers
	for i, w := range watchers {
		try(w.rule, w.role, filters[i])
	}
	for _, r := range s.Rules {
		if r.resolves.alive != nil {
			try(r, roleAlive, r.resolves.alive)
		}
	}
	return n
}
