package routing

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/internal/incident"
	"tocsin/internal/setting"
)

// MostHeld is how long a silence, or one run of a maintenance window, may last.
const MostHeld = 30 * 24 * time.Hour

// Own is the service of tocsin's own troubles: nothing holds them.
const Own = "tocsin"

// Matchers are what a silence, a window or an inhibition asks of labels, compiled. All must hold; a label that is missing is empty.
type Matchers struct{ list labels.Matchers }

// ParseMatchers compiles matchers as Alertmanager writes them. They must not match nearly everything: one of them, at least, asks for
// a value (=) or for a narrow pattern (=~). The paths of the mistakes are the indexes of the texts.
func ParseMatchers(texts []string) (Matchers, []setting.FieldError) {
	var m Matchers
	var errs []setting.FieldError
	for i, text := range texts {
		parsed, err := parse.Matchers(text)
		if err != nil || len(parsed) == 0 {
			why := "it is empty"
			if err != nil {
				why = err.Error()
			}
			errs = append(errs, setting.FieldError{Path: fmt.Sprint(i),
				Text: fmt.Sprintf("%q is no matcher: %s; write it as rule=\"prow-config-load-error\", with =, !=, =~ or !~", text, why)})
		}
		m.list = append(m.list, parsed...)
	}
	if len(errs) == 0 && !slices.ContainsFunc(m.list, narrow) {
		errs = append(errs, setting.FieldError{Text: "the matchers match nearly everything: give at least one with = and a value, or =~ and a narrow pattern"})
	}
	return m, errs
}

// strangers are values that no label has: what matches one of them matches anything of its form.
var strangers = []string{"", "qzxv", "qzxv-wkjh-qzxv", "QZ7", "https://qzxv.example/", "7"}

// narrow says whether a matcher asks for something.
func narrow(m *labels.Matcher) bool {
	switch m.Type {
	case labels.MatchEqual:
		return m.Value != ""
	case labels.MatchRegexp:
		return !slices.ContainsFunc(strangers, m.Matches)
	}
	return false
}

// Match says whether all of the matchers hold for the labels.
func (m Matchers) Match(l incident.Labels) bool {
	for _, one := range m.list {
		if !one.Matches(l[one.Name]) {
			return false
		}
	}
	return true
}

// names says whether a matcher asks for that rule by its name.
func (m Matchers) names(rule string) bool {
	return slices.ContainsFunc(m.list, func(one *labels.Matcher) bool {
		return one.Type == labels.MatchEqual && one.Name == "rule" && one.Value == rule
	})
}

// own says whether a matcher asks for tocsin's own service and no other.
func (m Matchers) own() bool {
	return slices.ContainsFunc(m.list, func(one *labels.Matcher) bool {
		return one.Name == "service" && one.Value == Own && (one.Type == labels.MatchEqual || one.Type == labels.MatchRegexp)
	})
}

// LabelsOf are the labels that silences and windows match of an alert: its own, with its rule and its severity.
func LabelsOf(a *incident.Alert) incident.Labels {
	l := a.Labels.Clone()
	l["rule"], l["severity"] = a.Rule, a.Severity.String()
	return l
}

// MatchersFor are those that hide an alert's rule and group, and nothing else; none for what a person has declared, whose group is no label.
func MatchersFor(a *incident.Alert) []string {
	if a.Declared() {
		return nil
	}
	out := []string{(&labels.Matcher{Type: labels.MatchEqual, Name: "rule", Value: a.Rule}).String()}
	group := incident.LabelsFrom(a.Group)
	for _, name := range slices.Sorted(maps.Keys(group)) {
		if a.Labels[name] == group[name] && name != "rule" && name != "severity" {
			out = append(out, (&labels.Matcher{Type: labels.MatchEqual, Name: name, Value: group[name]}).String())
		}
	}
	return out
}

// CheckSilence says all that is wrong with a silence that somebody wants; nil for nothing.
func CheckSilence(s *incident.Silence, now time.Time) error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(s.Matchers) == 0 {
		wrong("say what it is to hide, such as rule=\"prow-config-load-error\"")
	} else if _, mistakes := ParseMatchers(s.Matchers); len(mistakes) > 0 {
		for _, m := range mistakes {
			wrong("%s", m.Text)
		}
	}
	if m, _ := ParseMatchers(s.Matchers); m.own() {
		wrong("it would hide nothing: tocsin's own troubles (service=%q) are never silenced", Own)
	}
	if len(strings.Join(s.Matchers, "")) > 4000 {
		wrong("the matchers are longer than 4000 bytes")
	}
	switch length := s.Ends.Sub(s.Starts); {
	case !s.Ends.After(s.Starts):
		wrong("it ends before it begins")
	case !s.Ends.After(now):
		wrong("it has ended already")
	case length > MostHeld:
		wrong("it lasts %s: a silence ends within %s; make a shorter one, and another if that is needed", days(length), days(MostHeld))
	case s.Starts.Sub(now) > MostHeld:
		wrong("it begins more than %s ahead: make it nearer to its time", days(MostHeld))
	}
	if strings.TrimSpace(s.Owner) == "" || len(s.Owner) > 200 {
		wrong("say who you are, in at most 200 characters")
	}
	if strings.TrimSpace(s.Reason) == "" || len(s.Reason) > 500 {
		wrong("say why, in at most 500 characters: others will ask")
	}
	return errors.Join(errs...)
}

func days(d time.Duration) string {
	d = d.Round(time.Minute) // what was asked for has begun meanwhile
	if whole := d / (24 * time.Hour); whole > 0 && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", whole)
	}
	return d.String()
}

// Silencing is a silence, compiled.
type Silencing struct {
	incident.Silence
	matchers   Matchers
	unreadable bool
}

// NewSilencing compiles a silence that has been checked. One whose matchers cannot be read hides nothing.
func NewSilencing(s incident.Silence) Silencing {
	m, errs := ParseMatchers(s.Matchers)
	return Silencing{Silence: s, matchers: m, unreadable: len(errs) > 0}
}

// Matches says whether its matchers hold for an alert.
func (s Silencing) Matches(a *incident.Alert) bool {
	return !s.unreadable && s.matchers.Match(LabelsOf(a))
}

// Hides says whether the silence hides an alert while it is in force; if not although it matches, why.
func (s Silencing) Hides(a *incident.Alert) (hides bool, why string) {
	switch {
	case !s.Matches(a):
		return false, "it does not match " + a.Rule
	case a.Service() == Own:
		return false, "nothing hides tocsin's own troubles"
	case a.Severity > s.UpTo:
		return false, fmt.Sprintf("%s is %s, the silence is made for %s at most", a.Rule, a.Severity, s.UpTo)
	case a.Impact == incident.Down && !s.matchers.names(a.Rule):
		return false, fmt.Sprintf("%s says that a service is down: only a silence with rule=%q hides that", a.Rule, a.Rule)
	}
	return true, ""
}

// HidesAll says whether the silence alone hides an incident: all of its alerts that fire, or all where none does any more. If not,
// why.
func (s Silencing) HidesAll(inc *incident.Incident) (hides bool, why string) {
	fires := slices.ContainsFunc(inc.Alerts, func(a incident.Alert) bool { return a.State == incident.Firing })
	for i := range inc.Alerts {
		a := &inc.Alerts[i]
		if fires && a.State != incident.Firing {
			continue
		}
		if ok, reason := s.Hides(a); !ok {
			return false, reason
		}
	}
	return len(inc.Alerts) > 0, ""
}

// Severity is the one that its matchers ask for, zero if they leave it open.
func (s Silencing) Severity() incident.Severity {
	var asked incident.Severity
	for _, m := range s.matchers.list {
		if m.Type == labels.MatchEqual && m.Name == "severity" && asked.UnmarshalText([]byte(m.Value)) == nil {
			return asked
		}
	}
	return 0
}

// Holder is the silence as it holds incidents.
func (s Silencing) Holder() incident.Holder {
	return incident.Holder{By: SilenceName(s.ID), Of: s.Owner, Why: s.Reason, Until: s.Ends}
}

// SilenceName is what a silence is called.
func SilenceName(id int64) string { return fmt.Sprintf("silence %d", id) }
