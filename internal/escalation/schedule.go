package escalation

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin/internal/setting"
)

// Schedule is the settings of who is on call when. Its own rotation is the lowest layer; what is written after it lies above it,
// and the uppermost that names somebody decides: rotation, layers, ical, prow_oncall, overrides, those made by command.
type Schedule struct {
	Layer `yaml:",inline"`
	// Layers are further rotations, each above those before it.
	Layers []Layer `yaml:"layers"`
	// ICal takes turns from a calendar: an event's summary is the name of who is on call while it lasts.
	ICal *ICal `yaml:"ical"`
	// ProwOncall takes who is on call now from the oncall.json that Prow's tools publish.
	ProwOncall *ProwOncall `yaml:"prow_oncall"`
	// Overrides put somebody else on call for a while; of two that overlap the later in the list decides.
	Overrides []Override `yaml:"overrides"`
	// Gap is what happens to a step that calls this schedule while nobody is on call: fallback, if left out, or hold_until_next.
	Gap Gap `yaml:"gap"`
	// Handover is the receiver that is told at a change of shift what is open, who has it, and which silences end; nobody, if left out.
	Handover string `yaml:"handover"`
}

// Layer is people who take turns.
type Layer struct {
	// Rotation names the people in the order of their turns.
	Rotation []string `yaml:"rotation"`
	// Every is how long a turn lasts. Without a location it is that long exactly; with one it is whole days, and turns change at
	// the same hour on the wall there, also where clocks change.
	Every setting.Duration `yaml:"every"`
	// Starts is when a turn of the first of the rotation begins. The rotation has no beginning: before it the turns are counted
	// backwards.
	Starts time.Time `yaml:"starts"`
	// Location is a name of the time zone database: America/Los_Angeles.
	Location string `yaml:"location"`
	// During names time intervals: outside of all of them this layer names nobody. Turns go on meanwhile.
	During []string `yaml:"during"`
}

// Override puts somebody on call in place of whoever it would be.
type Override struct {
	// Who is one of people.
	Who string `yaml:"who"`
	// From and To are when it begins and ends; the end is not included.
	From time.Time `yaml:"from"`
	To   time.Time `yaml:"to"`
}

// ICal is a calendar in the form of RFC 5545 (.ics). Exactly one of File, URL and URLFile is set.
type ICal struct {
	// File is a file, relative to the configuration.
	File string `yaml:"file"`
	// URL is an address. If the address is a secret, as calendars' private ones are, write it into a file and name that as url_file.
	URL string `yaml:"url"`
	// URLFile is the file that holds the address. It is read anew each time.
	URLFile string `yaml:"url_file"`
	// Every is how often it is asked; 5m if not said.
	Every setting.Duration `yaml:"every"`
}

// ProwOncall is the oncall.json of Prow's tools: {"Oncall": {"GROUP": "who, by their name on GitHub"}}.
type ProwOncall struct {
	// URL is its address, such as https://storage.googleapis.com/kubernetes-jenkins/oncall.json.
	URL string `yaml:"url"`
	// Group is the rotation's name in it; testinfra if not said.
	Group string `yaml:"group"`
	// Every is how often it is asked; 5m if not said.
	Every setting.Duration `yaml:"every"`
}

// Gap is what happens to a step that would call a schedule while nobody is on call.
type Gap string

// GapFallback tells the fallback in their place, at once. GapHold holds the step until somebody is on call, and says so in the
// incident's channels at once.
const (
	GapFallback Gap = "fallback"
	GapHold     Gap = "hold_until_next"
)

func (g Gap) check() (string, bool) {
	if g == "" || g == GapFallback || g == GapHold {
		return "", true
	}
	return fmt.Sprintf("%q is not known: write %s, which tells the fallback while nobody is on call, or %s", string(g), GapFallback, GapHold), false
}

const (
	day = 24 * time.Hour
	// longestOverride bounds an override: who is on call for longer belongs into the rotation.
	longestOverride = 366 * day
	// usualEvery is how often what is imported is asked, leastEvery how often at the most.
	usualEvery, leastEvery = 5 * time.Minute, time.Minute
	// usualGroup is the rotation in oncall.json that Kubernetes' own Prow has.
	usualGroup = "testinfra"
)

// Validate says what is wrong with the schedule by itself.
func (s *Schedule) Validate() []setting.FieldError {
	var errs []setting.FieldError
	imported := s.ICal != nil || s.ProwOncall != nil
	if own := s.Layer; len(own.Rotation) > 0 || own.Every != 0 || !own.Starts.IsZero() || len(own.During) > 0 || len(s.Layers) == 0 && !imported {
		errs = own.Validate() // without a rotation of its own, location is that of an import
	} else if _, err := location(own.Location); err != nil {
		errs = append(errs, setting.FieldError{Path: "location", Text: err.Error()})
	}
	if s.ICal != nil && s.ProwOncall != nil {
		errs = append(errs, setting.FieldError{Path: "prow_oncall", Text: "stands beside ical: write one of the two"})
	}
	if text, ok := s.Gap.check(); !ok {
		errs = append(errs, setting.FieldError{Path: "gap", Text: text})
	}
	return errs
}

// Validate says what is wrong with the layer by itself.
func (l *Layer) Validate() []setting.FieldError {
	var errs []setting.FieldError
	wrong := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	if len(l.Rotation) == 0 {
		wrong("rotation", "is empty: name the people who take turns, such as [first, second]")
	}
	for i, name := range l.Rotation {
		if name == "" {
			wrong(fmt.Sprintf("rotation.%d", i), "is empty: name one of people")
		}
	}
	switch every := l.Every.Std(); {
	case every == 0:
		wrong("every", "is missing: write how long a turn lasts, such as 7d")
	case every < time.Hour:
		wrong("every", "%s is less than an hour", l.Every)
	case l.Location != "" && every%day != 0:
		wrong("every", "%s is not whole days, as it must be with a location: write 1d, 7d, or leave the location out", l.Every)
	}
	if l.Starts.IsZero() {
		wrong("starts", "is missing: write when the first of the rotation begins, such as 2026-11-23T09:00:00-08:00")
	}
	if _, err := location(l.Location); err != nil {
		wrong("location", "%v", err)
	}
	return errs
}

// Validate says what is wrong with the override by itself.
func (o *Override) Validate() []setting.FieldError {
	var errs []setting.FieldError
	wrong := func(path, text string) { errs = append(errs, setting.FieldError{Path: path, Text: text}) }
	if o.Who == "" {
		wrong("who", "is missing: name one of people")
	}
	if o.From.IsZero() {
		wrong("from", "is missing: write when it begins, such as 2026-12-24T09:00:00-08:00")
	}
	switch {
	case o.To.IsZero():
		wrong("to", "is missing: write when it ends, such as 2026-12-27T09:00:00-08:00")
	case !o.To.After(o.From):
		wrong("to", "is not after from")
	case o.To.Sub(o.From) > longestOverride:
		wrong("to", "is more than a year after from: change the rotation instead")
	}
	return errs
}

// Validate says what is wrong with the calendar's settings.
func (c *ICal) Validate() []setting.FieldError {
	var errs []setting.FieldError
	given := 0
	for _, where := range []string{c.File, c.URL, c.URLFile} {
		if where != "" {
			given++
		}
	}
	if given != 1 {
		errs = append(errs, setting.FieldError{Path: "url", Text: "needs one of file, url and url_file: where the calendar is"})
	}
	if text := wrongURL(c.URL); text != "" {
		errs = append(errs, setting.FieldError{Path: "url", Text: text})
	}
	return append(errs, wrongEvery(c.Every)...)
}

// Validate says what is wrong with the settings.
func (p *ProwOncall) Validate() []setting.FieldError {
	var errs []setting.FieldError
	if p.URL == "" {
		errs = append(errs, setting.FieldError{Path: "url", Text: "is missing: write where oncall.json is"})
	} else if text := wrongURL(p.URL); text != "" {
		errs = append(errs, setting.FieldError{Path: "url", Text: text})
	}
	return append(errs, wrongEvery(p.Every)...)
}

func wrongURL(address string) string {
	if address == "" || strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "https://") {
		return ""
	}
	return "is no address: write one that begins with https://"
}

func wrongEvery(every setting.Duration) []setting.FieldError {
	if every == 0 || every.Std() >= leastEvery && every.Std() <= day {
		return nil
	}
	return []setting.FieldError{{Path: "every", Text: fmt.Sprintf("%s is not between %s and 24h", every, setting.Duration(leastEvery))}}
}

// location reads a name of the time zone database; nothing is UTC.
func location(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, errors.New("\"Local\" is another zone on each machine: write a name such as Europe/Berlin")
	}
	at, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is no time zone: write a name such as Europe/Berlin or UTC", name)
	}
	return at, nil
}
