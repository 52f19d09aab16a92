package escalation

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// Calendar is the events of a calendar in the form of RFC 5545. It does not change.
type Calendar struct{ events []event }

// event is a VEVENT, or all that it repeats to.
type event struct {
	line         int
	uid, summary string
	start        time.Time
	// length is from its start to its end on the clock of the wall, so that a turn from nine to nine is one where clocks change too.
	length time.Duration
	rule   *rrule.RRule // nil for one that does not repeat
	// without are the starts, in seconds since 1970, that are left out or moved.
	without map[int64]bool
	// moved is the start of the repetition that this event stands for, cancelled that it does not take place.
	moved     time.Time
	cancelled bool
}

// Bounds of a calendar.
const (
	maxCalendar = 4 << 20
	maxEvents   = 10_000
	// maxTurns bounds how many repetitions are looked through, of all events together.
	maxTurns = 500_000
)

// ReadCalendar reads a calendar. zone is where its times and days are that name no zone; nil takes the calendar's own
// (X-WR-TIMEZONE). Of recurrence it knows RRULE by day, week, month and year, EXDATE, and single repetitions that were moved or
// cancelled. What it cannot read are Mistakes, each with its line: a calendar of which only a part is understood would leave people out
// unseen.
func ReadCalendar(data []byte, zone *time.Location) (*Calendar, error) {
	if len(data) > maxCalendar {
		return nil, fmt.Errorf("it is longer than %d MiB", maxCalendar>>20)
	}
	r := calendarReader{zone: zone}
	lines := contentLines(data)
	if len(lines) == 0 || !lines[0].is("BEGIN", "VCALENDAR") {
		return nil, Mistakes{{1, "it is no calendar: it does not begin with BEGIN:VCALENDAR"}}
	}
	for _, l := range lines {
		if r.line(l); r.lost || len(r.mistakes) == mostMistakes {
			break
		}
	}
	if len(r.within) > 0 && !r.lost && len(r.mistakes) < mostMistakes {
		r.wrong(lines[len(lines)-1].number, "it ends within %s: a part of it is missing", r.within[len(r.within)-1])
	}
	if len(r.mistakes) > 0 {
		slices.SortStableFunc(r.mistakes, func(a, b Mistake) int { return a.Line - b.Line })
		return nil, r.mistakes
	}
	return r.calendar(), nil
}

// calendarReader reads lines into events.
type calendarReader struct {
	zone   *time.Location
	within []string // the components that are open
	now    *event
	end    time.Time
	days   bool // the event's start is a day
	rule   string
	ruleAt int
	// bad says that the event has a mistake already: what it lacks may be no more than what follows from that.
	bad    bool
	events []event

	mistakes Mistakes
	// lost says that it is not known any more what a line is part of.
	lost bool
}

func (r *calendarReader) wrong(line int, format string, args ...any) {
	r.mistakes = append(r.mistakes, Mistake{line, fmt.Sprintf(format, args...)})
	r.bad = true
}

// line takes one line.
func (r *calendarReader) line(l contentLine) {
	switch l.name {
	case "BEGIN":
		r.within = append(r.within, strings.ToUpper(l.value))
		if len(r.within) > 10 {
			r.wrong(l.number, "components lie too deep within each other")
			r.lost = true
		}
		if r.in("VEVENT") {
			r.now, r.end, r.days, r.rule, r.bad = &event{line: l.number, without: map[int64]bool{}}, time.Time{}, false, "", false
		}
		return
	case "END":
		if len(r.within) == 0 || !strings.EqualFold(l.value, r.within[len(r.within)-1]) {
			r.wrong(l.number, "END:%s ends nothing that has begun", bounded(l.value))
			r.lost = true
			return
		}
		done := r.in("VEVENT")
		r.within = r.within[:len(r.within)-1]
		if done {
			r.finish(l.number)
		}
		return
	case "X-WR-TIMEZONE":
		if zone, err := location(l.value); r.zone == nil && err == nil && l.value != "" {
			r.zone = zone
		}
	}
	err := l.err
	if err == nil && r.in("VEVENT") {
		err = r.property(l)
	}
	if err != nil {
		r.wrong(l.number, "%v", err)
	}
}

// in says whether the innermost component is of that name, alarms within events and the like aside.
func (r *calendarReader) in(name string) bool {
	return len(r.within) == 2 && r.within[0] == "VCALENDAR" && r.within[1] == name
}

// property takes one line of an event.
func (r *calendarReader) property(l contentLine) (err error) {
	e := r.now
	switch l.name {
	case "UID":
		e.uid = l.value
	case "SUMMARY":
		e.summary = strings.TrimSpace(unescape.Replace(l.value))
	case "STATUS":
		e.cancelled = strings.EqualFold(l.value, "CANCELLED")
	case "DTSTART":
		e.start, r.days, err = r.time(l)
	case "DTEND":
		r.end, _, err = r.time(l)
	case "DURATION":
		e.length, err = period(l.value)
	case "RECURRENCE-ID":
		if l.params["RANGE"] != "" {
			return errors.New("RECURRENCE-ID with RANGE is not known here: move the repetitions one by one")
		}
		e.moved, _, err = r.time(l)
	case "RRULE":
		if r.rule != "" {
			return errors.New("a second RRULE in one event is not known here: make it an event of its own")
		}
		r.rule, r.ruleAt = l.value, l.number
	case "EXDATE":
		for _, value := range strings.Split(l.value, ",") {
			l.value = value
			without, _, err := r.time(l)
			if err != nil {
				return err
			}
			e.without[without.Unix()] = true
		}
	case "RDATE", "EXRULE":
		return fmt.Errorf("%s is not known here: make it an event of its own", l.name)
	}
	return err
}

var unescape = strings.NewReplacer(`\\`, `\`, `\,`, ",", `\;`, ";", `\n`, " ", `\N`, " ")

// time reads 20261124, 20261124T090000, 20261124T090000Z; days says that it is the first.
func (r *calendarReader) time(l contentLine) (t time.Time, days bool, err error) {
	value, zone := strings.TrimSpace(l.value), r.zone
	if name := l.params["TZID"]; name != "" {
		if zone, err = location(name); err != nil {
			return t, false, fmt.Errorf("%s: TZID %w", l.name, err)
		}
	}
	layout := "20060102T150405"
	switch {
	case strings.HasSuffix(value, "Z"):
		zone, value = time.UTC, strings.TrimSuffix(value, "Z")
	case len(value) == len("20060102"):
		layout, days = "20060102", true
	}
	if _, err := time.Parse(layout, value); err != nil {
		return t, false, fmt.Errorf("%s: %q is no time: write %s:20261124T090000Z, %[1]s;TZID=Europe/Berlin:20261124T090000, or of a whole day %[1]s;VALUE=DATE:20261124",
			l.name, bounded(value), l.name)
	}
	if zone == nil {
		return t, false, fmt.Errorf("%s: %s names no time zone, nor does the calendar: give the schedule a location", l.name, bounded(value))
	}
	t, err = time.ParseInLocation(layout, value, zone)
	return t, days, err
}

// period reads P7D, P1W, PT12H30M.
func period(text string) (time.Duration, error) {
	wrong := fmt.Errorf("DURATION: %q is no duration: want such as P7D or PT12H", bounded(text))
	rest, ok := strings.CutPrefix(strings.TrimPrefix(text, "+"), "P")
	var total time.Duration
	units := map[byte]time.Duration{'W': 7 * day, 'D': day}
	for ok && rest != "" {
		if rest[0] == 'T' {
			rest, units = rest[1:], map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second}
			continue
		}
		i := strings.IndexFunc(rest, func(c rune) bool { return c < '0' || c > '9' })
		if i <= 0 || i > 6 || units[rest[i]] == 0 {
			return 0, wrong
		}
		n, err := strconv.Atoi(rest[:i])
		if err != nil {
			return 0, wrong
		}
		total, rest = total+time.Duration(n)*units[rest[i]], rest[i+1:]
	}
	if !ok || total <= 0 || total > horizon {
		return 0, wrong
	}
	return total, nil
}

// finish checks an event that is read whole; end is the line of its end.
func (r *calendarReader) finish(end int) {
	e := r.now
	if e.cancelled {
		if !e.moved.IsZero() {
			r.events = append(r.events, *e)
		}
		return
	}
	if e.start.IsZero() && !r.bad {
		r.wrong(end, "the event of line %d has no DTSTART: write when it begins, such as DTSTART;TZID=Europe/Berlin:20261124T090000", e.line)
	}
	if r.rule != "" {
		rule, err := recurrence(r.rule, e.start, r.days)
		if err != nil {
			r.wrong(r.ruleAt, "RRULE: %v", err)
		}
		e.rule = rule
	}
	if r.bad {
		return
	}
	switch {
	case !r.end.IsZero():
		e.length = wallClock(r.end.In(e.start.Location())).Sub(wallClock(e.start))
	case e.length == 0 && r.days:
		e.length = day
	}
	switch {
	case e.length <= 0 || e.length > horizon:
		r.wrong(end, "the event of line %d has no end that is after its start, and within 400 days: write DTEND as DTSTART is written, or such as DURATION:P7D", e.line)
	case len(r.events) == maxEvents:
		r.wrong(end, "there are more than %d events", maxEvents)
		r.lost = true
	default:
		r.events = append(r.events, *e)
	}
}

// wallClock is what the clock on the wall shows, as if it were UTC.
func wallClock(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// recurrence reads an RRULE.
func recurrence(text string, start time.Time, days bool) (*rrule.RRule, error) {
	option, err := rrule.StrToROptionInLocation(text, start.Location())
	if err != nil {
		return nil, fmt.Errorf("%q cannot be read: %w", bounded(text), err)
	}
	if option.Freq > rrule.DAILY || len(option.Byhour)+len(option.Byminute)+len(option.Bysecond)+len(option.Bysetpos)+len(option.Byeaster) > 0 {
		return nil, fmt.Errorf("%q is not known here: FREQ is DAILY, WEEKLY, MONTHLY or YEARLY, without BYHOUR, BYMINUTE, BYSECOND, BYSETPOS", bounded(text))
	}
	if _, until, _ := strings.Cut(text, "UNTIL="); !days && len(until) >= 8 && !strings.Contains(until, "T") {
		option.Until = option.Until.AddDate(0, 0, 1).Add(-time.Second) // a day as the end is meant whole
	}
	option.Dtstart = start
	return rrule.NewRRule(*option)
}

// calendar is what was read: repetitions that were moved or cancelled are taken out of what repeats.
func (r *calendarReader) calendar() *Calendar {
	repeats := map[string]*event{}
	for i := range r.events {
		if e := &r.events[i]; e.rule != nil && e.uid != "" {
			repeats[e.uid] = e
		}
	}
	c := &Calendar{}
	for i := range r.events {
		e := &r.events[i]
		if of := repeats[e.uid]; of != nil && !e.moved.IsZero() {
			of.without[e.moved.Unix()] = true
		}
		if !e.cancelled {
			c.events = append(c.events, *e)
		}
	}
	return c
}

// spans are the turns that have a part between two times, in the calendar's order; who is the event's summary.
func (c *Calendar) spans(from, to time.Time) ([]span, error) {
	var out []span
	turns := 0
	for _, e := range c.events {
		next := once(e.start)
		if e.rule != nil {
			next = e.rule.Iterator()
		}
		for start, ok := next(); ok && start.Before(to); start, ok = next() {
			if turns++; turns > maxTurns {
				return nil, Mistakes{{e.line, fmt.Sprintf("the calendar's events have more than %d repetitions: let them begin later", maxTurns)}}
			}
			if end := e.ends(start); end.After(from) && !e.without[start.Unix()] {
				out = append(out, span{from: start, to: end, who: e.summary})
			}
		}
	}
	return out, nil
}

// ends is when a repetition that begins at start ends.
func (e *event) ends(start time.Time) time.Time {
	return time.Date(start.Year(), start.Month(), start.Day(), start.Hour(), start.Minute(), start.Second()+int(e.length/time.Second), 0, start.Location())
}

func once(t time.Time) rrule.Next {
	done := false
	return func() (time.Time, bool) {
		defer func() { done = true }()
		return t, !done
	}
}

// bounded cuts hostile text to what an error may hold.
func bounded(text string) string {
	if len(text) > 80 {
		text = strings.ToValidUTF8(text[:80], "") + "…"
	}
	return text
}
