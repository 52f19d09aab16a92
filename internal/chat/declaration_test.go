package chat

import (
	"strings"
	"testing"

	"tocsin/internal/incident"
)

// Flags, as the command line has them, are no title: what was typed as critical would be told as high.
func TestADeclarationHasNoFlags(t *testing.T) {
	for _, typed := range []string{"--severity critical hook is down", "—severity critical hook is down", "service=hook --severity=critical hook is down"} {
		d, err := new(turn).declaration(typed)
		if err == nil || !strings.Contains(err.Error(), "no flags") {
			t.Errorf("%q is %q, %s, and %v is said", typed, d.Title, d.Severity, err)
		}
	}
	d, err := new(turn).declaration("critical service=hook hook --dry-run is down")
	if err != nil || d.Severity != incident.Critical || d.Labels["service"] != "hook" || d.Title != "hook --dry-run is down" {
		t.Errorf("%+v, %v", d, err)
	}
}
