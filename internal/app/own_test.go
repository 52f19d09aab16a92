package app

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tocsin/internal/incident"
)

// Of a trouble of tocsin's own somebody always hears: the routes decide, and where they tell nobody the fallback does.
func TestOwnTroublesAreHeard(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	text := `
project: p
receivers: {screen: {console: {}}, second: {console: {}}}
fallback: second
route:
  receiver: none
  routes: [{matchers: ['severity="critical"'], receiver: screen}]
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	plan, errs := Load(path)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, test := range []struct {
		service, severity string
		want              []string
	}{
		{"tocsin", "critical", []string{"screen"}},
		{"tocsin", "high", []string{"second"}},
		{"hook", "high", []string{"none"}},
	} {
		got := plan.direct(&incident.Incident{Labels: incident.Labels{"service": test.service, "severity": test.severity}}, time.Now())
		if !slices.Equal(got.Receivers, test.want) && (len(got.Receivers) > 0 || test.want[0] != "none") {
			t.Errorf("%s %s goes to %q, want %q", test.service, test.severity, got.Receivers, test.want)
		}
	}
}
