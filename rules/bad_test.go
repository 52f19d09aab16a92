package rules

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the messages that came beside the bad rule files")

// Every file under testdata/bad has one fault, and beside it what is said of it: the place, what is wrong, and the mend.
func TestBadRulesAreTold(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			list, errs := Read(filepath.Base(f), data)
			if len(errs) == 0 {
				errs = Together(list)
			}
			var lines []string
			for _, e := range errs {
				lines = append(lines, e.Error()+"\n")
			}
			got := strings.Join(lines, "")
			beside := strings.TrimSuffix(f, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(beside, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(beside)
			if err != nil {
				t.Fatal(err)
			}
			if got == "" {
				t.Error("nothing is said of it")
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
