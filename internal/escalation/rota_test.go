package escalation

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/routing"
	"tocsin/internal/setting"
)

// crew are people whom the tests' schedules may name.
var crew = []Person{{Name: "first"}, {Name: "second"}, {Name: "a", Aliases: []string{"a-on-github", "a@example.com"}}, {Name: "b"}, {Name: "c"}}

func newRota(t *testing.T, s Schedule) *Rota {
	t.Helper()
	r, errs := NewRota(s, crew, workingHours(t))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return r
}

func days(n int) setting.Duration { return setting.Duration(time.Duration(n) * day) }

func rotation(every setting.Duration, starts, location string, people ...string) Layer {
	return Layer{Rotation: people, Every: every, Starts: at(starts), Location: location}
}

// TestRotation: expectations are from the calendar. Clocks in Los Angeles go forward on 2027-03-14 and back on 2027-11-07.
func TestRotation(t *testing.T) {
	week := rotation(days(7), "2026-11-23T09:00:00-08:00", "", "first", "second")
	pacific := week
	pacific.Location = "America/Los_Angeles"
	three := rotation(setting.Duration(12*time.Hour), "2026-01-01T00:00:00Z", "", "a", "b", "c")
	daily := rotation(days(1), "2028-02-28T00:00:00Z", "UTC", "a", "b", "c")
	berlin := rotation(days(1), "2026-10-24T02:30:00+02:00", "Europe/Berlin", "a", "b", "c")
	for _, test := range []struct {
		layer    Layer
		at, want string
	}{
		{week, "2026-11-23T16:59:59Z", "second"},
		{week, "2026-11-23T17:00:00Z", "first"},
		{week, "2026-11-30T16:59:59Z", "first"},
		{week, "2026-11-30T17:00:00Z", "second"},
		{week, "2026-11-16T17:00:00Z", "second"},
		{week, "2026-11-09T17:00:00Z", "first"},
		// In March the clocks go forward: the hour on the wall stays only where a location says so. 2027-03-15 is 16 weeks later.
		{week, "2027-03-15T16:30:00Z", "second"},
		{pacific, "2027-03-15T16:30:00Z", "first"}, // 09:30 there
		{pacific, "2027-03-15T15:59:59Z", "second"},
		{pacific, "2027-11-08T16:59:59Z", "second"}, // 50 weeks after the start, the clocks are back: 08:59 there
		{pacific, "2027-11-08T17:00:00Z", "first"},
		{pacific, "2026-07-06T15:59:59Z", "second"}, // 20 weeks before
		{pacific, "2026-07-06T16:00:00Z", "first"},
		{pacific, "2026-07-13T16:00:00Z", "second"},
		{three, "2026-01-01T11:59:59Z", "a"},
		{three, "2026-01-01T12:00:00Z", "b"},
		{three, "2025-12-31T23:59:59Z", "c"},
		{three, "0001-01-01T00:00:00Z", "a"},
		// 2028 has a 29th of February.
		{daily, "2028-02-29T00:00:00Z", "b"},
		{daily, "2028-03-01T00:00:00Z", "c"},
		{daily, "2028-03-02T00:00:00Z", "a"},
		// The turn changes at half past two, which in the night of 2026-10-25 comes twice: it changes at one of them.
		{berlin, "2026-10-25T00:29:59Z", "a"},
		{berlin, "2026-10-25T01:30:00Z", "b"}, // 02:30 in winter time
		{berlin, "2026-10-26T01:29:59Z", "b"},
		{berlin, "2026-10-26T01:30:00Z", "c"},
	} {
		if diff := cmp.Diff([]string{test.want}, newRota(t, Schedule{Layer: test.layer}).OnCall(at(test.at))); diff != "" {
			t.Errorf("%s %q: (-want +got)\n%s", test.at, test.layer.Location, diff)
		}
	}
}

// handovers are the first changes of a rota, as "time names".
func handovers(r *Rota, from string, most int) []string {
	t := at(from)
	out := []string{fmt.Sprint(r.OnCall(t))}
	for range most {
		if t = r.Change(t); t.IsZero() {
			return append(out, "no more")
		}
		out = append(out, fmt.Sprint(t.UTC().Format("01-02T15:04 "), r.OnCall(t)))
	}
	return out
}

func TestLayersAndOverrides(t *testing.T) {
	working := rotation(days(7), "2026-11-23T00:00:00-08:00", "America/Los_Angeles", "a", "b")
	working.During = []string{"working-hours"}
	base := rotation(days(7), "2026-11-23T00:00:00Z", "UTC", "first")
	xmas := Override{Who: "c", From: at("2026-11-24T00:00:00Z"), To: at("2026-11-25T00:00:00Z")}
	later := Override{Who: "b", From: at("2026-11-24T12:00:00Z"), To: at("2026-11-24T18:00:00Z")}
	for _, test := range []struct {
		name     string
		schedule Schedule
		from     string
		want     []string
	}{
		{"working hours alone leave gaps, over the weekend too", Schedule{Layer: working}, "2026-11-27T12:00:00Z", []string{
			"[]", "11-27T17:00 [a]", "11-28T01:00 []", "11-30T17:00 [b]", "12-01T01:00 []",
		}},
		{"a layer lies above the rotation while it is open", Schedule{Layer: base, Layers: []Layer{working}}, "2026-11-27T12:00:00Z", []string{
			"[first]", "11-27T17:00 [a]", "11-28T01:00 [first]", "11-30T17:00 [b]",
		}},
		{"the later of two overrides decides, and then the earlier again", Schedule{Layer: base, Overrides: []Override{xmas, later}}, "2026-11-23T00:00:00Z", []string{
			"[first]", "11-24T00:00 [c]", "11-24T12:00 [b]", "11-24T18:00 [c]", "11-25T00:00 [first]", "no more",
		}},
		{"one person's turns never change", Schedule{Layer: base}, "2026-11-23T00:00:00Z", []string{"[first]", "no more"}},
	} {
		if diff := cmp.Diff(test.want, handovers(newRota(t, test.schedule), test.from, len(test.want)-1)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", test.name, diff)
		}
	}
	gap := newRota(t, Schedule{Layer: working})
	if next := gap.Next(at("2026-11-28T01:00:00Z")); !next.Equal(at("2026-11-30T17:00:00Z")) {
		t.Errorf("on Friday evening the next on call begins at %s, want Monday at nine", next)
	}
	with := gap.Over([]Override{{Who: "b", From: at("2026-11-28T00:00:00Z"), To: at("2026-11-28T04:00:00Z")}, {Who: "gone", From: at("2026-11-28T00:00:00Z"), To: at("2026-11-28T04:00:00Z")}})
	if diff := cmp.Diff([]string{"b"}, with.OnCall(at("2026-11-28T03:00:00Z"))); diff != "" {
		t.Errorf("an override in a gap, beside one of somebody who is gone: %s", diff)
	}
}

func TestScheduleMistakes(t *testing.T) {
	for _, test := range []struct {
		want   string
		change func(*Schedule)
	}{
		{"rotation: is empty", func(s *Schedule) { s.Rotation = nil }},
		{`rotation.0: unknown person "frist": did you mean "first"?`, func(s *Schedule) { s.Rotation = []string{"frist"} }},
		{"every: is missing", func(s *Schedule) { s.Every = 0 }},
		{"every: 1m0s is less than an hour", func(s *Schedule) { s.Every = minutes(1) }},
		{"every: 36h0m0s is not whole days", func(s *Schedule) { s.Every, s.Location = minutes(36*60), "Europe/Berlin" }},
		{"starts: is missing", func(s *Schedule) { s.Starts = time.Time{} }},
		{`location: "Berlin" is no time zone`, func(s *Schedule) { s.Location = "Berlin" }},
		{`location: "Local" is another zone`, func(s *Schedule) { s.Location = "Local" }},
		{`during.0: unknown time interval "workin-hours": did you mean "working-hours"?`, func(s *Schedule) { s.During = []string{"workin-hours"} }},
		{"layers.0.every: is missing", func(s *Schedule) { s.Layers = []Layer{{Rotation: []string{"a"}, Starts: s.Starts}} }},
		{`layers.0.rotation.1: unknown person "z"`, func(s *Schedule) { l := s.Layer; l.Rotation = []string{"a", "z"}; s.Layers = []Layer{l} }},
		{"overrides.0.to: is not after from", func(s *Schedule) { s.Overrides = []Override{{Who: "a", From: s.Starts, To: s.Starts}} }},
		{"overrides.0.to: is more than a year", func(s *Schedule) { s.Overrides = []Override{{Who: "a", From: s.Starts, To: s.Starts.Add(367 * day)}} }},
		{`overrides.0.who: unknown person "z"`, func(s *Schedule) { s.Overrides = []Override{{Who: "z", From: s.Starts, To: s.Starts.Add(day)}} }},
		{`gap: "hold" is not known: write fallback`, func(s *Schedule) { s.Gap = "hold" }},
		{"ical.url: needs one of file, url and url_file", func(s *Schedule) { s.ICal = &ICal{} }},
		{"ical.url: needs one of", func(s *Schedule) { s.ICal = &ICal{File: "x.ics", URL: "https://x/"} }},
		{"ical.url: is no address", func(s *Schedule) { s.ICal = &ICal{URL: "x.ics"} }},
		{"ical.every: 1s is not between 1m0s and 24h", func(s *Schedule) { s.ICal = &ICal{File: "x.ics", Every: setting.Duration(time.Second)} }},
		{"prow_oncall.url: is missing", func(s *Schedule) { s.ProwOncall = &ProwOncall{} }},
		{"prow_oncall: stands beside ical", func(s *Schedule) { s.ProwOncall, s.ICal = &ProwOncall{URL: "https://x/"}, &ICal{File: "x.ics"} }},
	} {
		s := Schedule{Layer: rotation(days(7), "2026-11-23T09:00:00-08:00", "", "first")}
		test.change(&s)
		rota, errs := NewRota(s, crew, workingHours(t))
		if rota != nil || len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), test.want) {
			t.Errorf("errors %v, want one that begins with %q", errs, test.want)
		}
	}
	for _, s := range []Schedule{
		{ICal: &ICal{File: "x.ics"}, Layer: Layer{Location: "Europe/Berlin"}},
		{ProwOncall: &ProwOncall{URL: "https://x/"}},
		{Layers: []Layer{rotation(days(7), "2026-11-23T09:00:00-08:00", "", "first")}},
	} {
		if _, errs := NewRota(s, crew, map[string]routing.Intervals{}); len(errs) > 0 {
			t.Errorf("a schedule without a rotation of its own: %v", errs)
		}
	}
}
