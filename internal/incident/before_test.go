package incident

import (
	"strings"
	"testing"
	"time"
)

func TestBefore(t *testing.T) {
	noon := time.Date(2019, 9, 24, 12, 0, 0, 0, time.UTC)
	change := func(kind, service, cluster, summary string, ago time.Duration) Alert {
		at := noon.Add(-ago)
		return Alert{Key: Key{Rule: kind, Group: service}, Labels: Labels{ChangeLabel: kind, "service": service, "project": "p", "cluster": cluster},
			Annotations: map[string]string{"summary": summary}, First: at, Last: at}
	}
	changes := []Alert{
		change("rollout", "deck", "prow", "rollout of deck", 2*time.Minute),
		change("rollout", "hook", "prow", "rollout of hook", 10*time.Minute),
		change("configuration", "", "prow", "job-config changed", 90*time.Minute),
		change("node", "", "prow", "a node was lost", 2*time.Hour),
		change("rollout", "hook", "other", "rollout elsewhere", time.Minute),
		change("rollout", "hook", "prow", "rollout afterwards", -time.Minute),
		change("configuration", "", "prow", "long ago", 29*time.Hour),
		change("", "hook", "prow", "no change at all", time.Minute),
	}
	for _, c := range []struct {
		name string
		a    Alert
		want string
	}{
		{"its own service's, and the configuration", Alert{Labels: Labels{"project": "p", "cluster": "prow", "service": "hook"}, First: noon},
			"rollout of hook, 10m earlier (11:50 UTC); job-config changed, 1h30m earlier (10:30 UTC)"},
		{"the last, where none is its own", Alert{Labels: Labels{"project": "p", "cluster": "prow", "service": "tide"}, First: noon},
			"rollout of deck, 2m earlier (11:58 UTC); job-config changed, 1h30m earlier (10:30 UTC)"},
		{"another project", Alert{Labels: Labels{"project": "q", "cluster": "prow", "service": "hook"}, First: noon}, ""},
		{"before all of them", Alert{Labels: Labels{"project": "p", "cluster": "prow"}, First: noon.Add(-48 * time.Hour)}, ""},
	} {
		if got := c.a.Before(changes); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	long := []Alert{change("rollout", "hook", "prow", strings.Repeat("é", 5000), time.Minute)}
	if got := (&Alert{Labels: Labels{"project": "p"}, First: noon}).Before(long); len([]rune(got)) > 200 {
		t.Errorf("a change is told in %d characters", len([]rune(got)))
	}
}
