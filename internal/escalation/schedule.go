package escalation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/setting"
)

// Schedule is the settings of who is on call when: the people of the rotation take turns.
type Schedule struct {
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
}

const day = 24 * time.Hour

// Validate says what is wrong with the schedule by itself.
func (s *Schedule) Validate() []setting.FieldError {
	var errs []setting.FieldError
	wrong := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	if len(s.Rotation) == 0 {
		wrong("rotation", "is empty: name the people who take turns, such as [first, second]")
	}
	for i, name := range s.Rotation {
		if name == "" {
			wrong(fmt.Sprintf("rotation.%d", i), "is empty: name one of people")
		}
	}
	switch every := s.Every.Std(); {
	case every == 0:
		wrong("every", "is missing: write how long a turn lasts, such as 7d")
	case every < time.Hour:
		wrong("every", "%s is less than an hour", s.Every)
	case s.Location != "" && every%day != 0:
		wrong("every", "%s is not whole days, as it must be with a location: write 1d, 7d, or leave the location out", s.Every)
	}
	if s.Starts.IsZero() {
		wrong("starts", "is missing: write when the first of the rotation begins, such as 2026-11-23T09:00:00-08:00")
	}
	if _, err := s.location(); err != nil {
		wrong("location", "%v", err)
	}
	return errs
}

func (s *Schedule) location() (*time.Location, error) {
	if s.Location == "Local" {
		return nil, errors.New("\"Local\" is another zone on each machine: write a name such as Europe/Berlin")
	}
	location, err := time.LoadLocation(s.Location)
	if err != nil {
		return nil, fmt.Errorf("%q is no time zone: write a name such as Europe/Berlin or UTC", s.Location)
	}
	return location, nil
}

// Rota is a schedule that is ready to be asked. It does not change.
type Rota struct {
	schedule Schedule
	location *time.Location // nil: turns are exact durations
}

// NewRota makes the rota of a schedule, which it validates. people are the names that the rotation may use. With errors the rota
// is nil.
func NewRota(s Schedule, people []string) (*Rota, []setting.FieldError) {
	errs := s.Validate()
	for i, name := range s.Rotation {
		if name != "" && !slices.Contains(people, name) {
			errs = append(errs, setting.FieldError{Path: fmt.Sprintf("rotation.%d", i), Text: setting.Unknown("person", name, people)})
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	r := &Rota{schedule: s}
	if s.Location != "" {
		r.location, _ = s.location() // Validate has read it
	}
	return r, nil
}

// OnCall are the names of the people who are on call at that time: always one, as long as there are no overrides.
func (r *Rota) OnCall(at time.Time) []string {
	every, starts := r.schedule.Every.Std(), r.schedule.Starts
	since := at.Sub(starts)
	if since.Abs() > 200*365*day { // a time that nobody meant, beyond what durations can count
		return r.schedule.Rotation[:1]
	}
	turn := int64(since / every)
	// The quotient is off by one before the start, and where clocks have changed.
	for r.begins(turn).After(at) {
		turn--
	}
	for !r.begins(turn + 1).After(at) {
		turn++
	}
	n := int64(len(r.schedule.Rotation))
	return []string{r.schedule.Rotation[(turn%n+n)%n]}
}

// begins is when a turn begins, counted from Starts.
func (r *Rota) begins(turn int64) time.Time {
	every, starts := r.schedule.Every.Std(), r.schedule.Starts
	if r.location == nil {
		return starts.Add(time.Duration(turn) * every)
	}
	return starts.In(r.location).AddDate(0, 0, int(turn*int64(every/day)))
}
