package routing

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/timeinterval"

	"tocsin/internal/setting"
)

// Interval is one entry of a time interval as Alertmanager writes it. All that is given must hold: one of the times, one of the
// weekdays and so on; what is left out always holds. Without a location it is UTC.
type Interval struct {
	// Times are ranges of the day, the end not included.
	Times []TimeRange `yaml:"times"`
	// Weekdays are days or ranges of days, both ends included: saturday, monday:friday.
	Weekdays []string `yaml:"weekdays"`
	// DaysOfMonth are days or ranges of days, from 1; negative ones count from the month's end: -3:-1.
	DaysOfMonth []string `yaml:"days_of_month"`
	// Months are names or numbers of months or ranges of them: december, 6:8.
	Months []string `yaml:"months"`
	// Years are years or ranges of years.
	Years []string `yaml:"years"`
	// Location is a name of the time zone database: America/Los_Angeles.
	Location string `yaml:"location"`
}

// TimeRange is a part of the day. Start and End are HH:MM; an end of 24:00 is the day's end.
type TimeRange struct {
	Start string `yaml:"start_time"`
	End   string `yaml:"end_time"`
}

// Validate says what is wrong with the entry.
func (i Interval) Validate() []setting.FieldError {
	_, errs := i.compile()
	return errs
}

// Intervals is a set of times, made of the entries under one name: it holds when one of them does. The zero Intervals never
// holds.
type Intervals struct{ entries []entry }

// entry is one compiled Interval.
type entry struct {
	whole, day timeinterval.TimeInterval // day is whole without its times
	location   *time.Location
}

// NewIntervals makes the time intervals of a configuration. The paths of its errors begin with the name.
func NewIntervals(settings map[string][]Interval) (map[string]Intervals, []setting.FieldError) {
	out := make(map[string]Intervals, len(settings))
	var errs []setting.FieldError
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		var set Intervals
		for i, s := range settings[name] {
			e, wrong := s.compile()
			errs = append(errs, within(fmt.Sprintf("%s.%d", name, i), wrong)...)
			set.entries = append(set.entries, e)
		}
		if len(set.entries) == 0 {
			errs = append(errs, setting.FieldError{Path: name, Text: "holds no times: write a list such as [{weekdays: [\"monday:friday\"]}]"})
		}
		out[name] = set
	}
	return out, errs
}

// within puts a path before those of the errors.
func within(path string, errs []setting.FieldError) []setting.FieldError {
	for i := range errs {
		errs[i].Path = strings.TrimSuffix(path+"."+errs[i].Path, ".")
	}
	return errs
}

// compile reads each part by itself with Alertmanager's own reader, so that each mistake has its place.
func (i Interval) compile() (entry, []setting.FieldError) {
	var errs []setting.FieldError
	wrong := func(path string, err error) {
		errs = append(errs, setting.FieldError{Path: path, Text: err.Error()})
	}
	var t timeinterval.TimeInterval
	for n, r := range i.Times {
		var part timeinterval.TimeRange
		if err := part.UnmarshalYAML(func(into any) error {
			return transfer(map[string]string{"start_time": r.Start, "end_time": r.End}, into)
		}); err != nil {
			wrong(fmt.Sprintf("times.%d", n), fmt.Errorf("%w: write {start_time: \"09:00\", end_time: \"17:00\"}, the end at most 24:00; what goes past midnight is two ranges", err))
			continue
		}
		t.Times = append(t.Times, part)
	}
	t.Weekdays = parts[timeinterval.WeekdayRange](i.Weekdays, "weekdays", "monday, or monday:friday; what goes past saturday is two ranges", wrong)
	t.DaysOfMonth = parts[timeinterval.DayOfMonthRange](i.DaysOfMonth, "days_of_month", `"1:7", or "-3:-1" for the last three`, wrong)
	t.Months = parts[timeinterval.MonthRange](i.Months, "months", "december, or june:august", wrong)
	t.Years = parts[timeinterval.YearRange](i.Years, "years", "2027, or 2027:2028", wrong)
	for n, m := range t.Months {
		if m.Begin < 1 || m.End > 12 { // its reader lets these pass
			wrong(fmt.Sprintf("months.%d", n), errors.New("months are 1 to 12"))
		}
	}
	location, err := loadLocation(i.Location)
	if err != nil {
		wrong("location", err)
	}
	e := entry{whole: t, day: t, location: location}
	e.day.Times = nil
	return e, errs
}

// loadLocation reads a name of the time zone database. It is the one thing here that is looked up elsewhere, and only while
// settings are read.
func loadLocation(name string) (*time.Location, error) {
	if name == "Local" {
		return time.UTC, errors.New("\"Local\" is another zone on each machine: write a name such as Europe/Berlin")
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC, fmt.Errorf("%q is no time zone: write a name such as Europe/Berlin or UTC", name)
	}
	return location, nil
}

// parts reads ranges of one kind. right says how one is written.
func parts[R any, P interface {
	*R
	UnmarshalYAML(func(any) error) error
}](texts []string, name, right string, wrong func(string, error)) []R {
	var out []R
	for n, text := range texts {
		var r R
		if err := P(&r).UnmarshalYAML(func(into any) error { return transfer(text, into) }); err != nil {
			wrong(fmt.Sprintf("%s.%d", name, n), fmt.Errorf("%w: write %s", err, right))
			continue
		}
		out = append(out, r)
	}
	return out
}

// transfer hands plain values to Alertmanager's readers, which ask for a string or a struct with the same names in JSON.
func transfer(from, into any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// Contains says whether t is within.
func (s Intervals) Contains(t time.Time) bool {
	return slices.ContainsFunc(s.entries, func(e entry) bool { return e.contains(e.whole, t) })
}

// contains asks the clock on the wall at the entry's location. It is given as if it were UTC, which has days of 24 hours:
// Alertmanager counts a month's days by its hours, and loses one where the clocks go forward.
func (e entry) contains(i timeinterval.TimeInterval, t time.Time) bool {
	return i.ContainsTime(wall(t.In(e.location)))
}

func wall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// horizon is how far Next and End look: past the longest gap of anything that comes back each year.
const horizon = 400 * 24 * time.Hour

// Next is the first instant at or after t that is within, exact where clocks change; zero if there is none in the next 400
// days.
func (s Intervals) Next(t time.Time) time.Time {
	var least time.Time
	for _, e := range s.entries {
		if next := e.next(t, t.Add(horizon)); !next.IsZero() && (least.IsZero() || next.Before(least)) {
			least = next
		}
	}
	return least
}

// next is the first instant from t to end that is within; zero if there is none. It goes from minute to minute, for nothing changes within one, and passes over days on which nothing can begin.
func (e entry) next(t, end time.Time) time.Time {
	for !t.After(end) {
		if e.contains(e.whole, t) {
			return t
		}
		next := t.Truncate(time.Minute).Add(time.Minute)
		if !e.contains(e.day, t) {
			// Three hours before midnight no change of clocks can hide the midnight.
			local := t.In(e.location)
			tomorrow := time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, e.location)
			if early := tomorrow.Add(-3 * time.Hour).Truncate(time.Minute); early.After(next) {
				next = early
			}
		}
		t = next
	}
	return time.Time{}
}

// End is the first instant at or after t that is not within; t plus eight days if it holds for so long.
func (s Intervals) End(t time.Time) time.Time {
	end := t.Add(8 * 24 * time.Hour)
	for s.Contains(t) && t.Before(end) {
		t = t.Truncate(time.Minute).Add(time.Minute)
	}
	return t
}
