package escalation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tocsin/internal/routing"
	"tocsin/internal/setting"
)

// Known holds what a policy may name.
type Known struct {
	Receivers []string
	Schedules []string
	Intervals map[string]routing.Intervals
	// Pagers are those of the receivers that ring until somebody answers.
	Pagers []string
	// People are those who may be told directly, with why they cannot be; "" says that they can.
	People map[string]string
	// Crews are the people whom each schedule may have on call, as far as its settings say.
	Crews map[string][]string
}

// notified says what is wrong with a name in notify; "" if nothing is.
func (k *Known) notified(name string) string {
	if schedule, ok := strings.CutPrefix(name, schedulePrefix); ok {
		if !slices.Contains(k.Schedules, schedule) {
			return setting.Unknown("schedule", schedule, k.Schedules)
		}
		for _, person := range k.Crews[schedule] {
			if why := k.People[person]; why != "" {
				return fmt.Sprintf("%s, of schedule %s, cannot be called: %s", person, schedule, why)
			}
		}
		return ""
	}
	if person, ok := strings.CutPrefix(name, personPrefix); ok {
		why, ok := k.People[person]
		switch {
		case !ok:
			return setting.Unknown("person", person, slices.Collect(maps.Keys(k.People)))
		case why != "":
			return fmt.Sprintf("%s cannot be called: %s", person, why)
		}
		return ""
	}
	if !slices.Contains(k.Receivers, name) {
		return setting.Unknown("receiver", name, k.Receivers)
	}
	return ""
}
