package escalation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/internal/routing"
	"tocsin/internal/setting"
)

// Person is somebody whom schedules may name.
type Person struct {
	Name string
	// Aliases are other names by which a calendar or oncall.json may call them: on GitHub, an address.
	Aliases []string
}

// Rota is a schedule that is ready to be asked. It does not change.
type Rota struct {
	schedule  Schedule
	location  *time.Location
	people    []Person
	layers    []layer // each above those before it
	overrides []Override
	// imported are the turns of a calendar, with the name of a person each; published is who oncall.json says is on call.
	imported  []span
	published string
	// first is what a file held when the configuration was read.
	first string
	// problems say what an import holds that nobody could make sense of.
	problems []string
}

// Zone is the time zone in which its turns begin.
func (r *Rota) Zone() *time.Location {
	if r.location != nil {
		return r.location
	}
	if starts := r.schedule.Starts; !starts.IsZero() {
		return starts.Location()
	}
	return time.UTC
}

// layer is a Layer that is ready to be asked.
type layer struct {
	Layer
	location *time.Location // nil: turns are exact durations
	during   []routing.Intervals
}

// span is somebody's turn; its end is not included.
type span struct {
	from, to time.Time
	who      string
}

// NewRota makes the rota of a schedule, which it validates. people are those that it may name, intervals those that its layers
// may. With errors the rota is nil.
func NewRota(s Schedule, people []Person, intervals map[string]routing.Intervals) (*Rota, []setting.FieldError) {
	b := rotaBuilder{intervals: intervals}
	for _, p := range people {
		b.names = append(b.names, p.Name)
	}
	b.errs = s.Validate()
	r := &Rota{schedule: s, people: people, overrides: s.Overrides}
	if r.location, _ = location(s.Location); s.Location == "" {
		r.location = nil
	}
	if len(s.Rotation) > 0 {
		r.layers = append(r.layers, b.layer("", s.Layer))
	}
	for i := range s.Layers {
		path := fmt.Sprintf("layers.%d.", i)
		b.within(path, s.Layers[i].Validate())
		r.layers = append(r.layers, b.layer(path, s.Layers[i]))
	}
	for i := range s.Overrides {
		path := fmt.Sprintf("overrides.%d.", i)
		b.within(path, s.Overrides[i].Validate())
		b.person(path+"who", s.Overrides[i].Who)
	}
	if s.ICal != nil {
		b.within("ical.", s.ICal.Validate())
	}
	if s.ProwOncall != nil {
		b.within("prow_oncall.", s.ProwOncall.Validate())
	}
	if len(b.errs) > 0 {
		return nil, b.errs
	}
	return r, nil
}

type rotaBuilder struct {
	names     []string
	intervals map[string]routing.Intervals
	errs      []setting.FieldError
}

func (b *rotaBuilder) within(path string, errs []setting.FieldError) {
	for _, e := range errs {
		b.errs = append(b.errs, setting.FieldError{Path: path + e.Path, Text: e.Text})
	}
}

func (b *rotaBuilder) person(path, name string) {
	if name != "" && !slices.Contains(b.names, name) {
		b.errs = append(b.errs, setting.FieldError{Path: path, Text: setting.Unknown("person", name, b.names)})
	}
}

func (b *rotaBuilder) layer(path string, l Layer) layer {
	out := layer{Layer: l}
	if l.Location != "" {
		out.location, _ = location(l.Location) // Validate has said what is wrong with it
	}
	for i, name := range l.Rotation {
		b.person(fmt.Sprintf("%srotation.%d", path, i), name)
	}
	for i, name := range l.During {
		times, ok := b.intervals[name]
		if !ok {
			names := slices.Collect(maps.Keys(b.intervals))
			b.errs = append(b.errs, setting.FieldError{Path: fmt.Sprintf("%sduring.%d", path, i), Text: setting.Unknown("time interval", name, names)})
		}
		out.during = append(out.during, times)
	}
	return out
}

// Gap is what happens to a step that calls the schedule while nobody is on call.
func (r *Rota) Gap() Gap {
	if r.schedule.Gap == "" {
		return GapFallback
	}
	return r.schedule.Gap
}

// Names are the people whom the rota may name, each once, sorted; all people where it imports.
func (r *Rota) Names() []string {
	named := map[string]bool{}
	for _, l := range r.layers {
		for _, name := range l.Rotation {
			named[name] = true
		}
	}
	for _, o := range r.overrides {
		named[o.Who] = true
	}
	if r.Imports() {
		for _, p := range r.people {
			named[p.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(named))
}

// Imports says whether the schedule is read from elsewhere too.
func (r *Rota) Imports() bool { return r.schedule.ICal != nil || r.schedule.ProwOncall != nil }

// Over is the rota with overrides above all that it has, of two that overlap the later one deciding. One that names nobody who is
// known is left out.
func (r *Rota) Over(overrides []Override) *Rota {
	with := *r
	with.overrides = slices.Clone(r.overrides)
	for _, o := range overrides {
		if r.known(o.Who) != "" {
			with.overrides = append(with.overrides, o)
		}
	}
	return &with
}

// known is the name of the person whom a calendar calls so, "" if nobody is.
func (r *Rota) known(called string) string {
	called = strings.TrimSpace(called)
	for _, p := range r.people {
		if strings.EqualFold(p.Name, called) {
			return p.Name
		}
	}
	for _, p := range r.people {
		for _, alias := range p.Aliases {
			if called != "" && strings.EqualFold(alias, called) {
				return p.Name
			}
		}
	}
	return ""
}

// OnCall are the names of the people who are on call at that time, by the uppermost of what the schedule is made of that names
// somebody; none in a gap.
func (r *Rota) OnCall(at time.Time) []string {
	for _, o := range slices.Backward(r.overrides) {
		if !at.Before(o.From) && at.Before(o.To) {
			return []string{o.Who}
		}
	}
	if r.published != "" {
		return []string{r.published}
	}
	var names []string
	for _, s := range r.imported {
		if !at.Before(s.from) && at.Before(s.to) && !slices.Contains(names, s.who) {
			names = append(names, s.who)
		}
	}
	if len(names) > 0 {
		return names
	}
	for _, l := range slices.Backward(r.layers) {
		if l.open(at) {
			return []string{l.onCall(at)}
		}
	}
	return nil
}

// horizon is how far Next and Change look: past the longest gap of anything that comes back each year. mostChanges bounds how many
// turns they look through: far more than are ever alike.
const (
	horizon     = 400 * day
	mostChanges = 1_000
)

// Next is the first instant from at on when somebody is on call, as far as is known now; zero if it is not known.
func (r *Rota) Next(at time.Time) time.Time {
	if len(r.OnCall(at)) > 0 {
		return at
	}
	return r.Change(at)
}

// Empty says whether nobody is on call from now on, as far as the settings, and the file that they name, tell for 400 days. Of what is read
// from elsewhere it is not known.
func (r *Rota) Empty(now time.Time) bool {
	if r.Imports() {
		with, err := r.Reading([]byte(r.first), now)
		if r.first == "" || err != nil {
			return false
		}
		r = with
	}
	return r.Next(now).IsZero()
}

// Change is the first instant after at when other people are on call, or nobody; zero if none is known in the next 400 days.
func (r *Rota) Change(at time.Time) time.Time {
	now := r.OnCall(at)
	t := at
	for range mostChanges {
		t = r.boundary(t)
		if t.IsZero() || t.Sub(at) > horizon {
			break
		}
		if !slices.Equal(now, r.OnCall(t)) {
			return t
		}
	}
	return time.Time{}
}

// boundary is the first instant after t at which any part of the schedule begins or ends; zero if none does.
func (r *Rota) boundary(t time.Time) (least time.Time) {
	consider := func(b time.Time) {
		if b.After(t) && (least.IsZero() || b.Before(least)) {
			least = b
		}
	}
	for _, o := range r.overrides {
		consider(o.From)
		consider(o.To)
	}
	for _, s := range r.imported {
		consider(s.from)
		consider(s.to)
	}
	for _, l := range r.layers {
		if len(l.Rotation) > 1 && t.Sub(l.Starts).Abs() < centuries {
			consider(l.begins(l.turn(t) + 1))
		}
		for _, times := range l.during {
			if times.Contains(t) {
				consider(times.End(t))
			} else {
				consider(times.Next(t))
			}
		}
	}
	return least
}

// open says whether the layer names somebody at that time.
func (l *layer) open(at time.Time) bool {
	return len(l.during) == 0 || slices.ContainsFunc(l.during, func(times routing.Intervals) bool { return times.Contains(at) })
}

// centuries is as far as durations can count, nearly.
const centuries = 200 * 365 * day

// onCall is whose turn it is.
func (l *layer) onCall(at time.Time) string {
	if at.Sub(l.Starts).Abs() > centuries { // a time that nobody meant
		return l.Rotation[0]
	}
	n := int64(len(l.Rotation))
	return l.Rotation[(l.turn(at)%n+n)%n]
}

// turn is the number of the turn at a time, that of Starts being 0.
func (l *layer) turn(at time.Time) int64 {
	turn := int64(at.Sub(l.Starts) / l.Every.Std())
	// The quotient is off by one before the start, and where clocks have changed.
	for l.begins(turn).After(at) {
		turn--
	}
	for !l.begins(turn + 1).After(at) {
		turn++
	}
	return turn
}

// begins is when a turn begins, counted from Starts.
func (l *layer) begins(turn int64) time.Time {
	if l.location == nil {
		return l.Starts.Add(time.Duration(turn) * l.Every.Std())
	}
	return l.Starts.In(l.location).AddDate(0, 0, int(turn*int64(l.Every.Std()/day)))
}

// Objection says what is wrong with an override of the schedule; "" if nothing is.
func (r *Rota) Objection(o Override) string {
	b := rotaBuilder{}
	for _, p := range r.people {
		b.names = append(b.names, p.Name)
	}
	if b.person("", o.Who); len(b.errs) > 0 {
		return b.errs[0].Text
	}
	if errs := o.Validate(); len(errs) > 0 {
		return errs[0].Error()
	}
	return ""
}

// Handover is the receiver that is told at a change of shift; empty for none.
func (r *Rota) Handover() string { return r.schedule.Handover }

// UnknownSchedule is the text about a name that none of the schedules has.
func UnknownSchedule(name string, rotas map[string]*Rota) string {
	return setting.Unknown("schedule", name, slices.Collect(maps.Keys(rotas)))
}
