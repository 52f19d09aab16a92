package lql

import (
	"os"
	"strings"
	"testing"
)

// TestLints reads blocks of a filter and what is said of it, a line each; none is said of a filter without lines.
func TestLints(t *testing.T) {
	data, err := os.ReadFile("testdata/lints.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(strings.TrimSpace(string(data)), "\n\n")[1:] {
		src, want, _ := strings.Cut(block, "\n")
		src = strings.ReplaceAll(src, `\n`, "\n")
		want = strings.ReplaceAll("\n"+want, "\n\t", "\n")[1:]
		var lines []string
		for _, l := range mustParse(t, src).Lints() {
			lines = append(lines, l.String())
			if _, err := Parse(l.Mend); err != nil {
				t.Errorf("%s: the mend %q: %v", src, l.Mend, err)
			}
		}
		if got := strings.Join(lines, "\n"); got != want {
			t.Errorf("%s\ngot\n%s\nwant\n%s", src, got, want)
		}
	}
}
