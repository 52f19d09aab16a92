package escalation

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/routing"
	"tocsin/internal/setting"
)

// Policy is the settings of an escalation: whom to tell, one after the other, until somebody has it.
type Policy struct {
	// Steps are run in order, each at its time after the start.
	Steps []Step `yaml:"steps"`
	// Repeat is how many more times all steps are run, each time Every after the time before.
	Repeat int              `yaml:"repeat"`
	Every  setting.Duration `yaml:"every"`
	// Escalates says who calls on until somebody has it: tocsin, if left out, or the pager, which is then rung once and goes on by
	// its own rules.
	Escalates Escalates `yaml:"escalates"`
	// Gap is what happens to a step while there is nobody to call, in place of what the schedules say; given, it holds for steps
	// outside of their during too.
	Gap Gap `yaml:"gap"`
}

// Escalates says who calls on until somebody has it.
type Escalates string

// ByTocsin is what policies are for; ByPager leaves it to the pager.
const (
	ByTocsin Escalates = "tocsin"
	ByPager  Escalates = "pager"
)

// Step is one step of a policy.
type Step struct {
	// After counts from the policy's start, in a repetition from the repetition's.
	After setting.Duration `yaml:"after"`
	// Notify names the receivers that are told. schedule:NAME is whoever is on call, person:NAME one of people: each is told directly.
	Notify []string `yaml:"notify"`
	// Mention names a schedule: who is on call is mentioned in the incident's thread.
	Mention string `yaml:"mention"`
	// During names time intervals: outside of all of them the step waits until one begins. It holds up no other step.
	During []string `yaml:"during"`
}

// What begins a name in notify that is no receiver's.
const (
	schedulePrefix = "schedule:"
	personPrefix   = "person:"
)

// PersonTarget is the name of the target by which a person is told directly.
func PersonTarget(name string) string { return personPrefix + name }

// Schedules are those whose people the step calls or mentions, each once.
func (s *Step) Schedules() []string {
	var out []string
	for _, name := range s.Notify {
		if schedule, ok := strings.CutPrefix(name, schedulePrefix); ok && !slices.Contains(out, schedule) {
			out = append(out, schedule)
		}
	}
	if s.Mention != "" && !slices.Contains(out, s.Mention) {
		out = append(out, s.Mention)
	}
	return out
}

// What is not worth a setting.
const (
	// mostRepeats and mostSteps are far above what anybody needs, and bound what Due looks through.
	mostRepeats, mostSteps = 20, 20
	// The last step is given leastPatience at the least before nobody has answered; patience in a policy that does not repeat. In
	// one that does, nobody has answered when it would be run once more.
	leastPatience, patience = 5 * time.Minute, 30 * time.Minute
	// again is how often the first step is run once nobody has answered; leastAgain is the least time between two of these of which the
	// first came late.
	again, leastAgain = time.Hour, 10 * time.Minute
)

// Validate says what is wrong with the policy by itself.
func (p *Policy) Validate() []setting.FieldError {
	var errs []setting.FieldError
	wrong := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	if len(p.Steps) == 0 {
		wrong("steps", "there are none: write at least [{notify: [RECEIVER]}]")
	}
	if len(p.Steps) > mostSteps {
		wrong("steps", "there are %d, at most %d are allowed", len(p.Steps), mostSteps)
	}
	var last setting.Duration
	for i, s := range p.Steps {
		path := fmt.Sprintf("steps.%d", i)
		if len(s.Notify) == 0 && s.Mention == "" {
			wrong(path, "the step does nothing: give it notify, with receivers, or mention, with a schedule")
		}
		switch {
		case s.After < 0:
			wrong(path+".after", "%s is before the start", s.After)
		case s.After < last:
			wrong(path+".after", "%s is before the step above it, at %s: after counts from the policy's start; put the steps in order", s.After, last)
		}
		last = max(last, s.After)
	}
	if text, ok := p.Gap.check(); !ok {
		wrong("gap", "%s", text)
	}
	errs = append(errs, p.byPager()...)
	switch {
	case p.Repeat < 0 || p.Repeat > mostRepeats:
		wrong("repeat", "%d is not between 0 and %d", p.Repeat, mostRepeats)
	case p.Repeat > 0 && p.Every == 0:
		wrong("every", "is missing: repeat needs to know how long after the start the steps are run again, such as every: 30m")
	case p.Repeat == 0 && p.Every != 0:
		wrong("every", "has no meaning without repeat: add repeat, the number of times that all steps are run again, or remove it")
	case p.Repeat > 0 && p.Every < setting.Duration(time.Minute):
		wrong("every", "%s is less than a minute", p.Every)
	case p.Repeat > 0 && p.Every < last:
		wrong("every", "%s is before the last step, at %s: the steps would be run again before they are through; write at least %s", p.Every, last, last)
	}
	return errs
}

// byPager says what is wrong with who escalates.
func (p *Policy) byPager() []setting.FieldError {
	switch p.Escalates {
	case "", ByTocsin:
		return nil
	case ByPager:
	default:
		return []setting.FieldError{{Path: "escalates", Text: fmt.Sprintf("%q is not known: write tocsin or pager", string(p.Escalates))}}
	}
	var errs []setting.FieldError
	if p.Repeat != 0 {
		errs = append(errs, setting.FieldError{Path: "repeat", Text: "has no meaning where the pager escalates: it is rung once; remove it, or escalates"})
	}
	var rung []string
	for i, s := range p.Steps {
		for j, name := range s.Notify {
			if slices.Contains(rung, name) {
				errs = append(errs, setting.FieldError{Path: fmt.Sprintf("steps.%d.notify.%d", i, j),
					Text: fmt.Sprintf("%s is rung by a step above it already, and once is all where the pager escalates: remove it, or escalates", name)})
			}
			rung = append(rung, name)
		}
	}
	return errs
}

// Plan is a policy that is ready to be asked what is due. It does not change.
type Plan struct {
	policy Policy
	during [][]routing.Intervals // by step
}

// NewPlan makes the plan of a policy, which it validates. The paths of its errors begin at the policy; with errors the plan is
// nil.
func NewPlan(p Policy, known Known) (*Plan, []setting.FieldError) {
	errs := p.Validate()
	check := func(path, what, name string, names []string) {
		if !slices.Contains(names, name) {
			errs = append(errs, setting.FieldError{Path: path, Text: setting.Unknown(what, name, names)})
		}
	}
	plan := &Plan{policy: p, during: make([][]routing.Intervals, len(p.Steps))}
	rings := false
	for i, s := range p.Steps {
		for j, name := range s.Notify {
			if text := known.notified(name); text != "" {
				errs = append(errs, setting.FieldError{Path: fmt.Sprintf("steps.%d.notify.%d", i, j), Text: text})
			}
			rings = rings || slices.Contains(known.Pagers, name)
		}
		if s.Mention != "" {
			check(fmt.Sprintf("steps.%d.mention", i), "schedule", s.Mention, known.Schedules)
		}
		for j, name := range s.During {
			check(fmt.Sprintf("steps.%d.during.%d", i, j), "time interval", name, slices.Collect(maps.Keys(known.Intervals)))
			plan.during[i] = append(plan.during[i], known.Intervals[name])
		}
	}
	if p.Escalates == ByPager && !rings && len(errs) == 0 {
		errs = append(errs, setting.FieldError{Path: "escalates", Text: "no step notifies a receiver that pages: name one, or remove escalates"})
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return plan, nil
}

// Escalates says who calls on until somebody has it.
func (p *Plan) Escalates() Escalates {
	if p.policy.Escalates == "" {
		return ByTocsin
	}
	return p.policy.Escalates
}

// Steps are the policy's steps.
func (p *Plan) Steps() []Step { return p.policy.Steps }

// Due is what an escalation does next.
type Due struct {
	// At is when; zero says that nothing waits, and the rest says nothing.
	At time.Time
	// Step is what to do, nil for the fallback; Index is its place among the steps.
	Step  *Step
	Index int
	// Pass is how often all steps were run before this; Again says that nobody has answered and the first step is run once more.
	Pass  int
	Again bool
	// Fallback says that all steps have been run and nobody answered: the fallback is to be told; with Again, once more.
	Fallback bool
}

// Begin starts the policy.
func (p *Plan) Begin(at time.Time) incident.Escalation {
	return p.Aim(incident.Escalation{Start: at, Next: at})
}

// Shape tells the plan's steps from others: whom each calls. A plan that calls the same people at other times has the same.
func (p *Plan) Shape() string {
	h := fnv.New64a()
	for _, s := range p.policy.Steps {
		fmt.Fprintf(h, "%q %q\n", s.Notify, s.Mention)
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

// Aim is e with the Step, the Pass and the Next of what comes next in it: what to store where that is not due yet, for an
// escalation that somebody else began, or whose policy has changed.
func (p *Plan) Aim(e incident.Escalation) incident.Escalation {
	due, _ := p.next(e)
	if due.At.IsZero() {
		return e
	}
	e.Step, e.Pass, e.Next = due.Index, due.Pass, due.At
	return e
}

// Due is what comes next in e; the zero Due if nothing waits in it, its Start or Next being zero. An escalation that has only
// these two, both the same, is at its beginning. Where the policy has changed under it, so that its next step is none of the
// plan's any more, it goes on with the first that is due after Next.
func (p *Plan) Due(e incident.Escalation) Due {
	due, _ := p.next(e)
	return due
}

// Advance is e once what is due in it has been done, with its new Next; now is when it was done. News has been said and is gone.
// Where nothing is due e is returned as it is.
func (p *Plan) Advance(e incident.Escalation, now time.Time) incident.Escalation {
	due, then := p.next(e)
	if due.At.IsZero() {
		return e
	}
	e.News = ""
	if due.Fallback || due.Again {
		// What was missed while nothing ran is not made up for: one call an hour, at the minute that was meant.
		missed := int64(max(now.Sub(due.At), 0) / again)
		if next := due.At.Add(time.Duration(missed+1) * again); next.Sub(now) < leastAgain {
			missed++ // who is rung late has time to answer
		}
		e.Exhausted, e.Step, e.Pass = true, 0, p.policy.Repeat+1
		e.Next = p.again(due.At.Add(time.Duration(missed+1) * again))
		return e
	}
	e.Step, e.Pass, e.Next = then.step, then.pass, then.at
	return e
}

// call is one step of one pass, and when it is run.
type call struct {
	at         time.Time
	pass, step int
}

// next is what is due in e, and the call that follows it; the zero Due if nothing is.
func (p *Plan) next(e incident.Escalation) (Due, call) {
	if e.Start.IsZero() || e.Next.IsZero() || len(p.policy.Steps) == 0 {
		return Due{}, call{}
	}
	if e.Exhausted && p.policy.Escalates == ByPager {
		return Due{At: e.Next, Pass: e.Pass, Again: true, Fallback: true}, call{}
	}
	if e.Exhausted {
		return Due{At: p.again(e.Next), Step: &p.policy.Steps[0], Pass: e.Pass, Again: true}, call{}
	}
	calls := p.calls(e)
	i := 0
	if e.Step != 0 || e.Pass != 0 || !e.Next.Equal(e.Start) {
		i = slices.IndexFunc(calls, func(c call) bool { return c.step == e.Step && c.pass == e.Pass })
		if i < 0 {
			i = slices.IndexFunc(calls, func(c call) bool { return !c.at.Before(e.Next) })
		}
	}
	end := len(calls) - 1 // the last stands for the fallback
	if i < 0 || i == end {
		return Due{At: calls[end].at, Pass: calls[end].pass, Fallback: true}, call{}
	}
	c := calls[i]
	return Due{At: c.at, Step: &p.policy.Steps[c.step], Index: c.step, Pass: c.pass}, calls[i+1]
}

// calls is all that a policy does from its start, in order of time, and as the last, with a pass of its own, the fallback.
func (p *Plan) calls(e incident.Escalation) []call {
	var calls []call
	held := make([]time.Time, len(p.policy.Steps)) // until when each step waited last
	for pass := range p.policy.Repeat + 1 {
		for step, s := range p.policy.Steps {
			at := e.Start.Add(time.Duration(pass)*p.policy.Every.Std() + s.After.Std())
			switch {
			case e.Fell && pass == 0 && s.After == 0: // what it would do at once is left out
				continue
			case at.Before(held[step]): // it waits already, from a pass before: once is enough
				continue
			}
			held[step] = at
			if p.policy.Gap == "" {
				held[step] = p.opens(step, at)
			}
			calls = append(calls, call{at: held[step], pass: pass, step: step})
		}
	}
	slices.SortStableFunc(calls, func(a, b call) int { return a.at.Compare(b.at) })
	last := e.Start.Add(time.Duration(p.policy.Repeat)*p.policy.Every.Std() + p.policy.Steps[len(p.policy.Steps)-1].After.Std())
	if n := len(calls); n > 0 && calls[n-1].at.After(last) {
		last = calls[n-1].at
	}
	nobody := last.Add(patience)
	if p.policy.Every > 0 {
		nobody = last.Add(leastPatience)
		if further := e.Start.Add(time.Duration(p.policy.Repeat+1) * p.policy.Every.Std()); further.After(nobody) {
			nobody = further
		}
	}
	if nobody.Before(e.Grace) {
		nobody = e.Grace
	}
	return append(calls, call{at: nobody, pass: p.policy.Repeat + 1})
}

// again is when the first step is run once more, if it is meant for a time. A gap is told when the step is run.
func (p *Plan) again(at time.Time) time.Time {
	if p.policy.Gap != "" || p.policy.Escalates == ByPager {
		return at
	}
	return p.opens(0, at)
}

// opens is the first instant from at on when the step may be run. A step whose times never come again is not held: better a call
// at a bad hour than none.
func (p *Plan) opens(step int, at time.Time) time.Time {
	var least time.Time
	for _, times := range p.during[step] {
		if next := times.Next(at); !next.IsZero() && (least.IsZero() || next.Before(least)) {
			least = next
		}
	}
	if least.IsZero() {
		return at
	}
	return least
}
