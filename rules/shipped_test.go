package rules

import (
	"io/fs"
	"strings"
	"testing"

	"tocsin/internal/incident"
)

func shipped(t *testing.T) []*Rule {
	t.Helper()
	var all []*Rule
	err := fs.WalkDir(Builtin, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(Builtin, path)
		if err != nil {
			return err
		}
		list, errs := Read(path, data)
		for _, e := range errs {
			t.Error(e)
		}
		all = append(all, list...)
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d rules: %v", len(all), err)
	}
	for _, e := range Together(all) {
		t.Error(e)
	}
	return all
}

// Every shipped rule is proved by its cases: one at least that fires, one that stays silent, and where it pages one of the same line
// from a place that is not its own.
func TestShippedRulesAreProved(t *testing.T) {
	for _, r := range shipped(t) {
		t.Run(r.Name, func(t *testing.T) {
			var fires, silent, elsewhere bool
			for _, c := range r.Cases {
				fires, silent = fires || len(c.Fires) > 0, silent || len(c.Fires) == 0
				elsewhere = elsewhere || len(c.Fires) == 0 && strings.Contains(c.Name, "the same ")
				diff, err := r.Prove(c)
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				for _, d := range diff {
					t.Errorf("%s: %s: %s", c.Position, c.Name, d)
				}
			}
			if !fires || !silent {
				t.Errorf("it has a case that fires: %v, one that stays silent: %v", fires, silent)
			}
			if r.Mode == incident.Page && !elsewhere {
				t.Error("it may page, and no silent case shows the same line from another place")
			}
		})
	}
}
