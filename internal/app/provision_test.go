package app

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The alert policy asks for metrics that there are.
func TestSilenceAsksForWhatThereIs(t *testing.T) {
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`tocsin_\w+`).FindAllString(silence, -1)
	for _, name := range names {
		if !strings.Contains(string(page), "| `"+name+"` |") {
			t.Errorf("there is no metric %s", name)
		}
	}
	if len(names) == 0 {
		t.Error("it asks for nothing of tocsin's")
	}
}
