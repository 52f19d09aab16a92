package escalation

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

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
// cancelled. What it cannot read is an error that begins with its line: a calendar of which only a part is understood would
// leave people out unseen.
func ReadCalendar(data []byte, zone *time.Location) (*Calendar, error) {
	if len(data) > maxCalendar {
		return nil, fmt.Errorf("it is longer than %d MiB", maxCalendar>>20)
	}
	lines, err := contentLines(data)
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 || !lines[0].is("BEGIN", "VCALENDAR") {
		return nil, errors.New("line 1: it is no calendar: it does not begin with BEGIN:VCALENDAR")
	}
	r := calendarReader{zone: zone}
	for _, l := range lines {
		if err := r.line(l); err != nil {
			return nil, fmt.Errorf("line %d: %w", l.number, err)
		}
	}
	if len(r.within) > 0 {
		return nil, fmt.Errorf("line %d: it ends within %s: a part of it is missing", lines[len(lines)-1].number, r.within[len(r.within)-1])
	}
	return r.calendar(), nil
}

// contentLine is NAME;PARAM=VALUE:value, unfolded.
type contentLine struct {
	number int
	name   string
	params map[string]string
	value  string
}

func (l contentLine) is(name, value string) bool {
	return l.name == name && strings.EqualFold(l.value, value)
}

// contentLines takes a calendar apart: a line that begins with white space goes on with the one before.
func contentLines(data []byte) ([]contentLine, error) {
	var texts []string
	var numbers []int
	number := 0
	for line := range bytes.Lines(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))) {
		number++
		text := strings.TrimRight(string(line), "\r\n")
		switch {
		case !utf8.ValidString(text):
			return nil, fmt.Errorf("line %d: it is not UTF-8", number)
		case text == "":
		case (text[0] == ' ' || text[0] == '\t') && len(texts) > 0:
			texts[len(texts)-1] += text[1:]
		default:
			texts, numbers = append(texts, text), append(numbers, number)
		}
	}
	out := make([]contentLine, len(texts))
	for i, text := range texts {
		l, ok := parseContentLine(text)
		if !ok {
			return nil, fmt.Errorf("line %d: it is no calendar's line: want NAME:value", numbers[i])
		}
		l.number = numbers[i]
		out[i] = l
	}
	return out, nil
}

func parseContentLine(text string) (contentLine, bool) {
	quoted, colon := false, -1
	var parts []string // the name and the parameters
	start := 0
	for i := 0; i < len(text) && colon < 0; i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ';' || c == ':':
			parts, start = append(parts, text[start:i]), i+1
			if c == ':' {
				colon = i
			}
		}
	}
	if colon <= 0 {
		return contentLine{}, false
	}
	l := contentLine{name: strings.ToUpper(parts[0]), params: map[string]string{}, value: text[colon+1:]}
	for _, p := range parts[1:] {
		name, value, _ := strings.Cut(p, "=")
		l.params[strings.ToUpper(name)] = strings.Trim(value, `"`)
	}
	return l, true
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
	events []event
}

func (r *calendarReader) line(l contentLine) error {
	switch l.name {
	case "BEGIN":
		r.within = append(r.within, strings.ToUpper(l.value))
		if len(r.within) > 10 {
			return errors.New("components lie too deep within each other")
		}
		if r.in("VEVENT") {
			r.now, r.end, r.days, r.rule = &event{line: l.number, without: map[int64]bool{}}, time.Time{}, false, ""
		}
		return nil
	case "END":
		if len(r.within) == 0 || !strings.EqualFold(l.value, r.within[len(r.within)-1]) {
			return fmt.Errorf("END:%s ends nothing that has begun", bounded(l.value))
		}
		done := r.in("VEVENT")
		r.within = r.within[:len(r.within)-1]
		if done {
			return r.finish()
		}
		return nil
	case "X-WR-TIMEZONE":
		if zone, err := location(l.value); r.zone == nil && err == nil && l.value != "" {
			r.zone = zone
		}
	}
	if r.in("VEVENT") {
		return r.property(l)
	}
	return nil
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
	if zone == nil {
		return t, false, fmt.Errorf("%s: %s names no time zone, nor does the calendar: give the schedule a location", l.name, bounded(value))
	}
	if t, err = time.ParseInLocation(layout, value, zone); err != nil {
		return t, false, fmt.Errorf("%s: %q is no time: want 20261124T090000Z, 20261124T090000 with a TZID, or 20261124", l.name, bounded(value))
	}
	return t, days, nil
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

// finish checks an event that is read whole.
func (r *calendarReader) finish() error {
	e := r.now
	switch {
	case e.cancelled && !e.moved.IsZero():
		r.events = append(r.events, *e)
		return nil
	case e.cancelled:
		return nil
	case e.start.IsZero():
		return fmt.Errorf("the event of line %d has no DTSTART", e.line)
	case !r.end.IsZero():
		e.length = wallClock(r.end.In(e.start.Location())).Sub(wallClock(e.start))
	case e.length == 0 && r.days:
		e.length = day
	}
	if e.length <= 0 || e.length > horizon {
		return fmt.Errorf("the event of line %d has no end that is after its start, and within 400 days", e.line)
	}
	if r.rule != "" {
		rule, err := recurrence(r.rule, e.start, r.days)
		if err != nil {
			return fmt.Errorf("RRULE in line %d: %w", r.ruleAt, err)
		}
		e.rule = rule
	}
	if len(r.events) == maxEvents {
		return fmt.Errorf("there are more than %d events", maxEvents)
	}
	r.events = append(r.events, *e)
	return nil
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
				return nil, fmt.Errorf("line %d: the calendar's events have more than %d repetitions: let them begin later", e.line, maxTurns)
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
