package routing

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/incident"
)

var noon = at("2026-03-03T12:00:00Z")

func silence(matchers ...string) incident.Silence {
	return incident.Silence{Matchers: matchers, Starts: noon, Ends: noon.Add(time.Hour), Owner: "ana", Reason: "why", UpTo: incident.High}
}

func firing(rule string, change func(a *incident.Alert)) incident.Alert {
	a := incident.Alert{Key: incident.Key{Rule: rule}, State: incident.Firing, Severity: incident.High, Labels: incident.Labels{"cluster": "prow", "service": "hook"}}
	if change != nil {
		change(&a)
	}
	return a
}

// TestMatchersAreNarrow: what would hide nearly everything is refused, whatever else is beside it.
func TestMatchersAreNarrow(t *testing.T) {
	for text, narrow := range map[string]bool{
		`rule="a"`: true, `cluster="b"`: true, `rule=~"a|b"`: true, `service=~"hook.*"`: true, `rule=~"prow-.+"`: true, `severity="warning"`: true,
		`rule=~".*"`: false, `rule=~".+"`: false, `rule=~".*a*"`: false, `rule=~"[a-z-]*"`: false, `rule=~"[a-z]+"`: false, `rule=~"(?i)[A-Z0-9]+"`: false,
		`rule=~"a|.*"`: false, `rule=~""`: false, `rule=""`: false, `rule!="a"`: false, `rule!~"a|b"`: false, `rule=~"(a|b)?"`: false, `rule=~"\\w+"`: false,
		`rule=~"[^ ]+"`: false, `rule=~"\\d+"`: false, `rule=~".*-.*-.*"`: false,
	} {
		_, errs := ParseMatchers([]string{text})
		if len(errs) == 0 != narrow {
			t.Errorf("%s: %v, want narrow %t", text, errs, narrow)
		}
		if _, errs := ParseMatchers([]string{text, `cluster="prow"`}); len(errs) > 0 {
			t.Errorf("%s beside one that is narrow: %v", text, errs)
		}
	}
	for _, text := range []string{`rule`, `rule=~"("`, `="a"`, ``, `{}`, `rule==a`} {
		if _, errs := ParseMatchers([]string{`cluster="prow"`, text}); len(errs) != 1 || errs[0].Path != "1" || !strings.Contains(errs[0].Text, "is no matcher") {
			t.Errorf("%s: %v", text, errs)
		}
	}
}

func TestCheckSilence(t *testing.T) {
	for want, change := range map[string]func(s *incident.Silence){
		"":                          func(*incident.Silence) {},
		"say what it is to hide":    func(s *incident.Silence) { s.Matchers = nil },
		"match nearly everything":   func(s *incident.Silence) { s.Matchers = []string{`a!="b"`} },
		"longer than 4000 bytes":    func(s *incident.Silence) { s.Matchers = []string{`a="` + strings.Repeat("b", 4000) + `"`} },
		"ends before it begins":     func(s *incident.Silence) { s.Ends = s.Starts },
		"has ended already":         func(s *incident.Silence) { s.Starts, s.Ends = noon.Add(-time.Hour), noon },
		"within 30 days":            func(s *incident.Silence) { s.Ends = s.Starts.Add(MostHeld + time.Second) },
		"more than 30 days ahead":   func(s *incident.Silence) { s.Starts, s.Ends = noon.Add(MostHeld+1), noon.Add(MostHeld+time.Hour) },
		"say who you are":           func(s *incident.Silence) { s.Owner = " " },
		"say why":                   func(s *incident.Silence) { s.Reason = "\t" },
		"at most 500 characters":    func(s *incident.Silence) { s.Reason = strings.Repeat("x", 501) },
		"say who you are, in at mo": func(s *incident.Silence) { s.Owner = strings.Repeat("x", 201) },
	} {
		s := silence(`rule="a"`)
		change(&s)
		err := CheckSilence(&s, noon)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	s := silence(`rule="a"`)
	s.Ends = s.Starts.Add(MostHeld)
	if err := CheckSilence(&s, noon); err != nil {
		t.Errorf("30 days: %v", err)
	}
}

// TestHides: what a silence hides of what it matches.
func TestHides(t *testing.T) {
	worse := func(a *incident.Alert) { a.Severity = incident.Critical }
	down := func(a *incident.Alert) { a.Impact = incident.Down }
	own := func(a *incident.Alert) { a.Labels["service"] = Own }
	for _, c := range []struct {
		matchers []string
		change   func(a *incident.Alert)
		hides    bool
		why      string
	}{
		{[]string{`rule="a"`}, nil, true, ""},
		{[]string{`rule="a"`, `severity="high"`}, nil, true, ""},
		{[]string{`rule="a"`, `cluster="other"`}, nil, false, "it does not match a"},
		{[]string{`rule="a"`, `pod=""`}, nil, true, ""},
		{[]string{`rule="a"`}, worse, false, "a is critical, the silence is made for high at most"},
		{[]string{`rule="a"`}, own, false, "nothing hides tocsin's own troubles"},
		{[]string{`service="hook"`}, down, false, `a says that a service is down: only a silence with rule="a" hides that`},
		{[]string{`rule=~"a"`}, down, false, `a says that a service is down: only a silence with rule="a" hides that`},
		{[]string{`rule="a"`, `service="hook"`}, down, true, ""},
	} {
		a := firing("a", c.change)
		hides, why := NewSilencing(silence(c.matchers...)).Hides(&a)
		if hides != c.hides || why != c.why {
			t.Errorf("%s: %t %q, want %t %q", c.matchers, hides, why, c.hides, c.why)
		}
	}
	a := firing("a", nil)
	if hides, _ := NewSilencing(incident.Silence{Matchers: []string{`rule=~"("`}, UpTo: incident.Critical}).Hides(&a); hides {
		t.Error("one that cannot be read hides")
	}
}

// TestHolders: an incident is held while each of its alerts that fire is hidden, by whatever.
func TestHolders(t *testing.T) {
	intervals := newIntervals(t, map[string][]Interval{"noon": {{Times: []TimeRange{{Start: "12:00", End: "13:00"}}}}, "evening": {{Times: []TimeRange{{Start: "18:00", End: "19:00"}}}}})
	h, errs := NewHolding(map[string]Window{
		"a-noon": {During: []string{"noon"}, Matchers: []string{`rule="a"`}, Reason: "x"}, "b-evening": {During: []string{"evening"}, Matchers: []string{`rule="b"`}, Reason: "y"},
	}, []*Inhibition{{SourceMatchers: []string{`rule="source"`}, TargetMatchers: []string{`rule="t"`}, Equal: []string{"cluster"}}}, intervals)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	s := silence(`rule="b"`)
	s.ID = 7
	told := func() []incident.Alert {
		source := firing("source", nil)
		source.Incident = "S"
		return []incident.Alert{source}
	}
	for name, c := range map[string]struct {
		alerts  []incident.Alert
		at      time.Time
		want    string
		recheck time.Duration
	}{
		"a window":                        {[]incident.Alert{firing("a", nil)}, noon, "maintenance a-noon until 13:00", 0},
		"before the window":               {[]incident.Alert{firing("a", nil)}, noon.Add(-time.Hour), "", time.Hour},
		"two, each hidden by its own":     {[]incident.Alert{firing("a", nil), firing("b", nil)}, noon, "maintenance a-noon until 13:00, silence 7 until 13:00", 6 * time.Hour},
		"two, one of which is not hidden": {[]incident.Alert{firing("a", nil), firing("c", nil)}, noon, "", 0},
		"two, one of which is over":       {[]incident.Alert{firing("a", nil), firing("c", func(a *incident.Alert) { a.State = incident.AlertResolved })}, noon, "maintenance a-noon until 13:00", 0},
		"none that fires":                 {[]incident.Alert{firing("a", func(a *incident.Alert) { a.State = incident.AlertResolved })}, noon, "", 0},
		"down, in a window":               {[]incident.Alert{firing("a", func(a *incident.Alert) { a.Impact = incident.Down })}, noon, "", 0},
		"our own, in a window":            {[]incident.Alert{firing("a", func(a *incident.Alert) { a.Labels["service"] = Own })}, noon, "", 0},
		"inhibited":                       {[]incident.Alert{firing("t", nil)}, noon, "incident S", 0},
		"inhibited elsewhere":             {[]incident.Alert{firing("t", func(a *incident.Alert) { a.Labels["cluster"] = "other" })}, noon, "", 0},
		"worse than the source":           {[]incident.Alert{firing("t", func(a *incident.Alert) { a.Severity = incident.Critical })}, noon, "", 0},
		"down, inhibited":                 {[]incident.Alert{firing("t", func(a *incident.Alert) { a.Impact = incident.Down })}, noon, "", 0},
	} {
		held := h.Holders(&incident.Incident{ID: "I", Alerts: c.alerts}, incident.Around{At: c.at, Silences: []incident.Silence{s}, Told: told})
		var got []string
		for _, by := range held.By {
			text := by.By
			if !by.Until.IsZero() {
				text += " until " + by.Until.Format("15:04")
			}
			got = append(got, text)
		}
		var recheck time.Duration
		if !held.Recheck.IsZero() {
			recheck = held.Recheck.Sub(c.at)
		}
		if strings.Join(got, ", ") != c.want || recheck != c.recheck {
			t.Errorf("%s: held by %q, looked at again in %s; want %q in %s", name, got, recheck, c.want, c.recheck)
		}
	}
	self := firing("source", nil)
	self.Incident = "S"
	target := firing("t", nil)
	if held := h.Holders(&incident.Incident{ID: "S", Alerts: []incident.Alert{self, target}}, incident.Around{At: noon, Told: told}); len(held.By) > 0 {
		t.Errorf("an incident is held by itself: %v", held.By)
	}
}

// TestHoldingMistakes: each has its place.
func TestHoldingMistakes(t *testing.T) {
	intervals := newIntervals(t, map[string][]Interval{
		"noon": {{Times: []TimeRange{{Start: "12:00", End: "13:00"}}}}, "always": {{}}, "december": {{Months: []string{"december"}, Years: []string{"2031"}}},
		"weekend": {{Weekdays: []string{"saturday", "sunday"}}}, "friday": {{Weekdays: []string{"friday"}}}, "monday": {{Weekdays: []string{"monday"}}},
		"nights": {{Times: []TimeRange{{Start: "00:00", End: "06:30"}, {Start: "12:00", End: "12:30"}, {Start: "18:00", End: "24:00"}}}},
	})
	_, errs := NewHolding(map[string]Window{
		"a": {During: []string{"none"}, Matchers: []string{`rule="a"`, "rule"}, Reason: " "},
		"b": {Matchers: []string{`rule=~".*"`}, Reason: "x"},
		"c": {During: []string{"always"}, Matchers: []string{`rule="a"`}, Reason: "x"},
		"d": {During: []string{"december"}, Matchers: []string{`rule="a"`}, Reason: "x"},
		"e": {During: []string{"friday", "weekend", "monday"}, Matchers: []string{`rule="a"`}, Reason: "x"},
		"f": {During: []string{"friday", "weekend"}, Matchers: []string{`rule="a"`}, Reason: "three days are well"},
		"g": {During: []string{"nights"}, Matchers: []string{`rule="a"`}, Reason: "and so are many short ones"},
	}, []*Inhibition{nil, {SourceMatchers: []string{`a="b"`}, TargetMatchers: []string{`a!="b"`}, Equal: []string{"x", ""}, SourceMatchRE: 1}}, intervals)
	var got []string
	for _, e := range errs {
		got = append(got, e.Path+": "+e.Text[:min(len(e.Text), 42)])
	}
	want := []string{
		`maintenance.a.matchers.1: "rule" is no matcher: end of input: expect`,
		"maintenance.a.reason: is missing: say why nothing is told then, ",
		`maintenance.a.during.0: unknown time interval "none": known: alway`,
		"maintenance.b.matchers: the matchers match nearly everything: give",
		"maintenance.b.during: is missing: name the time intervals in whi",
		"maintenance.c.during: it is in force for more than 3 days from 2",
		"maintenance.d.during: it is in force for more than 3 days from 2",
		"maintenance.e.during: it is in force for more than 3 days from 2",
		"inhibit_rules.1.source_match_re: source_match_re is not known here: write s",
		"inhibit_rules.1.target_matchers: the matchers match nearly everything: give",
		"inhibit_rules.1.equal.1: is empty: write a label's name",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
