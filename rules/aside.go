package rules

import (
	"errors"
	"fmt"
	"maps"
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
func (s *Set) Aside() map[string]Aside { return s.inForce.Load().aside }

// IsAside says whether a rule was put aside.
func (s *Set) IsAside(rule string) bool {
	_, aside := s.inForce.Load().aside[rule]
	return aside
}

// putAside leaves a rule out from now on.
func (s *Set) putAside(rule string, why Aside) {
	for before := s.inForce.Load(); ; before = s.inForce.Load() {
		in := &inForce{aside: maps.Clone(before.aside)}
		if in.aside == nil {
			in.aside = map[string]Aside{}
		}
		in.aside[rule] = why
		for i, w := range before.watchers {
			if w.rule.Name != rule {
				in.filters, in.watchers = append(in.filters, before.filters[i]), append(in.watchers, w)
			}
		}
		in.watch = lql.Compile(in.filters)
		if s.inForce.CompareAndSwap(before, in) {
			return
		}
	}
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
	in := s.inForce.Load()
	for i, w := range in.watchers {
		try(w.rule, w.role, in.filters[i])
	}
	for _, r := range s.Rules {
		if r.resolves.alive != nil {
			try(r, roleAlive, r.resolves.alive)
		}
	}
	return n
}
