package rules

import (
	"os"
	"strings"
	"testing"
)

// Every shipped rule says what to do when it calls, at a heading that is there; those for Prow are listed in docs/prow.md as they are.
func TestShippedRulesAreDocumented(t *testing.T) {
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	runbooks, list := read("../docs/runbooks.md"), read("../docs/prow.md")
	for _, r := range shipped(t) {
		a := r.annotations["runbook_url"]
		if a == nil {
			t.Errorf("%s: no runbook_url", r.Name)
		}
		if !strings.Contains(runbooks, "\n## "+r.Name+"\n") {
			t.Errorf("%s: docs/runbooks.md has no heading for it", r.Name)
		}
		if !strings.HasPrefix(r.Name, "prow-") {
			continue
		}
		_, row, listed := strings.Cut(list, "\n| `"+r.Name+"` | ")
		if !listed {
			t.Errorf("%s: docs/prow.md does not list it", r.Name)
			continue
		}
		row, _, _ = strings.Cut(row, "\n")
		want := r.Severity.String()
		if r.Impact != "" {
			want += ", " + r.Impact
		}
		if want += ", " + string(r.Mode) + " |"; !strings.HasSuffix(row, "| "+want) {
			t.Errorf("%s: docs/prow.md says %q, it is %q", r.Name, row, want)
		}
	}
}
