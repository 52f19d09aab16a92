package rules

import (
	"os"
	"strings"
	"testing"

	"tocsin/internal/incident"
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
	runbooks, generic, list := read("../docs/runbooks.md"), read("../docs/gke.md"), read("../docs/prow.md")
	for _, r := range shipped(t) {
		told := r.Mode != incident.Shadow
		if told && r.annotations["runbook_url"] == nil {
			t.Errorf("%s: no runbook_url", r.Name)
		}
		page := runbooks
		if strings.HasPrefix(r.Name, "gke-") {
			page = generic
		}
		if told && !strings.Contains(page, "\n## "+r.Name+"\n") {
			t.Errorf("%s: it has no heading in docs/runbooks.md or docs/gke.md", r.Name)
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

// Each alert that Prow had is mapped to rules that there are, or refused.
func TestFormerAlertsAreMapped(t *testing.T) {
	text, err := os.ReadFile("../docs/prow.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "\n| alert | rule, or why not |\n|---|---|\n")
	if !ok {
		t.Fatal("docs/prow.md has no table of the former alerts")
	}
	known := map[string]bool{}
	for _, r := range shipped(t) {
		known[r.Name] = true
	}
	rows := 0
	for row := range strings.Lines(table) {
		cells := strings.SplitN(strings.TrimSpace(row), " | ", 2)
		if len(cells) != 2 {
			break
		}
		rows++
		named := 0
		for i, part := range strings.Split(cells[1], "`") {
			if i%2 == 0 {
				continue
			}
			if named++; !known[part] {
				t.Errorf("%s: there is no rule %s", cells[0], part)
			}
		}
		if named == 0 && !strings.Contains(cells[1], "refused") {
			t.Errorf("%s: no rule, and not refused: %s", cells[0], cells[1])
		}
	}
	const former = 46
	if rows != former {
		t.Errorf("%d alerts are mapped, Prow had %d", rows, former)
	}
}
