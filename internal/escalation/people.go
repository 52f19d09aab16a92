package escalation

import (
	"maps"
	"slices"
	"strings"

	"tocsin/internal/setting"
)

// UnknownPerson says that there is nobody of that name, and who there is.
func UnknownPerson(name string, people map[string][]string) string {
	return setting.Unknown("person", name, slices.Sorted(maps.Keys(people)))
}

// Named is which of the people goes by a name: their own, or one by which they are known elsewhere, in any case; of "ana (token ci)" it is ana.
// Empty if it is nobody's.
func Named(people map[string][]string, by string) string {
	plain, _, _ := strings.Cut(by, " (")
	for _, try := range []string{by, plain} {
		if _, ok := people[try]; ok {
			return try
		}
		for _, name := range slices.Sorted(maps.Keys(people)) {
			same := func(alias string) bool { return strings.EqualFold(alias, try) }
			if try != "" && (same(name) || slices.ContainsFunc(people[name], same)) {
				return name
			}
		}
	}
	return ""
}
