package routing

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestIntervals(t *testing.T) {
	office := Interval{Weekdays: []string{"monday:friday"}, Times: []TimeRange{{Start: "09:00", End: "17:00"}}, Location: "America/Los_Angeles"}
	for _, test := range []struct {
		name     string
		entries  []Interval
		at       string
		contains bool
		next     string // empty: none
	}{
		{"within", []Interval{office}, "2019-01-23T18:30:15Z", true, "2019-01-23T18:30:15Z"},
		{"its first instant", []Interval{office}, "2019-01-23T17:00:00Z", true, "2019-01-23T17:00:00Z"},
		{"the end is not in it", []Interval{office}, "2019-01-24T01:00:00Z", false, "2019-01-24T17:00:00Z"},
		{"a second before it", []Interval{office}, "2019-01-23T16:59:59Z", false, "2019-01-23T17:00:00Z"},
		{"over the weekend", []Interval{office}, "2019-01-26T02:00:00Z", false, "2019-01-28T17:00:00Z"},
		{"over the weekend that the clocks go forward", []Interval{office}, "2019-03-09T02:00:00Z", false, "2019-03-11T16:00:00Z"},
		{"over the weekend that the clocks go back", []Interval{office}, "2019-11-02T02:00:00Z", false, "2019-11-04T17:00:00Z"},
		{"an hour that the clocks leave out", []Interval{{Times: []TimeRange{{Start: "02:30", End: "02:45"}}, Location: "America/Los_Angeles"}},
			"2019-03-10T09:00:00Z", false, "2019-03-11T09:30:00Z"},
		{"an hour that comes twice is in it twice", []Interval{{Times: []TimeRange{{Start: "01:30", End: "01:45"}}, Location: "America/Los_Angeles"}},
			"2019-11-03T08:50:00Z", false, "2019-11-03T09:30:00Z"},
		{"a day that has no midnight begins at one", []Interval{{Weekdays: []string{"sunday"}, Location: "America/Sao_Paulo"}},
			"2018-11-03T12:00:00Z", false, "2018-11-04T03:00:00Z"},
		{"the last day of a month that is an hour short", []Interval{{DaysOfMonth: []string{"-1"}, Location: "America/Los_Angeles"}},
			"2019-03-30T20:00:00Z", false, "2019-03-31T07:00:00Z"},
		{"the earliest of two entries", []Interval{{Weekdays: []string{"friday"}}, {Weekdays: []string{"thursday"}}}, "2019-01-23T18:00:00Z", false, "2019-01-24T00:00:00Z"},
		{"a day of the year", []Interval{{Months: []string{"december"}, DaysOfMonth: []string{"25"}}}, "2019-12-26T00:00:00Z", false, "2020-12-25T00:00:00Z"},
		{"never again", []Interval{{Years: []string{"2018"}}}, "2019-01-01T00:00:00Z", false, ""},
		{"always", []Interval{{}}, "2019-01-01T00:00:00Z", true, "2019-01-01T00:00:00Z"},
		{"without a location it is UTC", []Interval{{Times: []TimeRange{{Start: "09:00", End: "24:00"}}}}, "2019-01-01T23:59:59-08:00", false, "2019-01-02T09:00:00Z"},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := newIntervals(t, map[string][]Interval{"x": test.entries})["x"]
			if got := set.Contains(at(test.at)); got != test.contains {
				t.Errorf("Contains is %v", got)
			}
			var want time.Time
			if test.next != "" {
				want = at(test.next)
			}
			if got := set.Next(at(test.at)); !got.Equal(want) {
				t.Errorf("Next is %s, want %s", got.UTC(), want)
			}
		})
	}
}

func TestIntervalsEnd(t *testing.T) {
	sets := newIntervals(t, map[string][]Interval{
		"evening": {{Times: []TimeRange{{Start: "18:00", End: "24:00"}}}, {Times: []TimeRange{{Start: "00:00", End: "06:00"}}}},
		"always":  {{}},
	})
	for _, test := range []struct{ name, at, want string }{
		{"evening", "2019-01-23T20:10:30Z", "2019-01-24T06:00:00Z"},
		{"evening", "2019-01-23T12:10:30Z", "2019-01-23T12:10:30Z"},
		{"always", "2019-01-23T12:00:00Z", "2019-01-31T12:00:00Z"},
	} {
		if got := sets[test.name].End(at(test.at)); !got.Equal(at(test.want)) {
			t.Errorf("%s from %s ends %s, want %s", test.name, test.at, got, test.want)
		}
	}
}

// TestNextAgainstSearch compares Next, which passes over days, with asking minute by minute.
func TestNextAgainstSearch(t *testing.T) {
	weekdays := []string{"monday", "tuesday:thursday", "saturday", "sunday"}
	zones := []string{"", "America/Los_Angeles", "America/Sao_Paulo", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia", "America/Havana"}
	rapid.Check(t, func(t *rapid.T) {
		entry := rapid.Custom(func(t *rapid.T) Interval {
			i := Interval{Location: rapid.SampledFrom(zones).Draw(t, "location")}
			for range rapid.IntRange(0, 2).Draw(t, "times") {
				start := rapid.IntRange(0, 1438).Draw(t, "start")
				end := rapid.IntRange(start+1, min(start+90, 1440)).Draw(t, "end")
				i.Times = append(i.Times, TimeRange{Start: clock(start), End: clock(end)})
			}
			i.Weekdays = rapid.SliceOfN(rapid.SampledFrom(weekdays), 0, 2).Draw(t, "weekdays")
			i.DaysOfMonth = rapid.SliceOfN(rapid.SampledFrom([]string{"1:7", "-3:-1", "15:31"}), 0, 1).Draw(t, "days")
			return i
		})
		sets, errs := NewIntervals(map[string][]Interval{"x": rapid.SliceOfN(entry, 1, 2).Draw(t, "entries")})
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		// Around the changes of clocks of the zones above, the day that Samoa left out among them.
		around := rapid.SampledFrom([]string{"2019-03-10T00:00:00Z", "2018-11-04T00:00:00Z", "2011-12-30T00:00:00Z", "2019-04-06T00:00:00Z", "2024-04-26T00:00:00Z", "2019-11-03T00:00:00Z"}).Draw(t, "around")
		from := at(around).Add(time.Duration(rapid.Int64Range(-3*86400, 2*86400).Draw(t, "seconds")) * time.Second)
		var want time.Time
		for m := from; m.Before(from.Add(5 * 24 * time.Hour)); m = m.Truncate(time.Minute).Add(time.Minute) {
			if sets["x"].Contains(m) {
				want = m
				break
			}
		}
		got := sets["x"].Next(from)
		if want.IsZero() && got.Before(from.Add(5*24*time.Hour)) && !got.IsZero() || !want.IsZero() && !got.Equal(want) {
			t.Fatalf("from %s Next is %s, the search finds %s", from, got, want)
		}
	})
}

func clock(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }

func TestIntervalMistakes(t *testing.T) {
	for _, test := range []struct {
		want string
		set  []Interval
	}{
		{"x: holds no times", nil},
		{"x.0.times.0: couldn't parse timestamp 9:00", []Interval{{Times: []TimeRange{{Start: "9:00", End: "17:00"}}}}},
		{"x.0.times.0: both start and end times must be provided", []Interval{{Times: []TimeRange{{Start: "09:00"}}}}},
		{"x.0.times.0: start time cannot be equal or greater than end time", []Interval{{Times: []TimeRange{{Start: "22:00", End: "06:00"}}}}},
		{"x.1.weekdays.0: mon is not a valid weekday", []Interval{{}, {Weekdays: []string{"mon:fri"}}}},
		{"x.0.weekdays.0: start day cannot be before end day", []Interval{{Weekdays: []string{"saturday:monday"}}}},
		{"x.0.days_of_month.0: 0 is not a valid day", []Interval{{DaysOfMonth: []string{"0"}}}},
		{"x.0.months.0: months are 1 to 12", []Interval{{Months: []string{"1:13"}}}},
		{"x.0.months.0: fooary is not a valid month", []Interval{{Months: []string{"fooary"}}}},
		{"x.0.years.0: ", []Interval{{Years: []string{"2028:2027"}}}},
		{`x.0.location: "Mars" is no time zone`, []Interval{{Location: "Mars"}}},
		{`x.0.location: "Local" is another zone`, []Interval{{Location: "Local"}}},
	} {
		_, errs := NewIntervals(map[string][]Interval{"x": test.set})
		if len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), test.want) {
			t.Errorf("errors %v, want one that begins with %q", errs, test.want)
		}
	}
	if !(Intervals{}).Next(time.Unix(0, 0)).IsZero() || (Intervals{}).Contains(time.Unix(0, 0)) {
		t.Error("no intervals hold something")
	}
}
