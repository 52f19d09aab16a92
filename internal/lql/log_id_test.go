package lql

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/internal/logs"
)

// TestLogNames asks for logs by their ids in lines that write names in every way that means the same: any character of an id may stand as
// %XX, and no line may be passed over for it.
func TestLogNames(t *testing.T) {
	ids := []string{"tocsin/self", "stderr", "a/b/c", "Übung", "x_y-z.w", "100%"}
	var filters []*Filter
	for _, id := range ids {
		f, err := Parse(fmt.Sprintf("log_id(%q) jsonPayload.k=\"storm\"", id))
		if err != nil {
			t.Fatal(err)
		}
		filters = append(filters, f)
	}
	sets := []*Set{Compile(filters), Compile(filters[:1])}
	rapid.Check(t, func(t *rapid.T) {
		var data strings.Builder
		for range rapid.IntRange(1, 20).Draw(t, "lines") {
			var name strings.Builder
			for i, c := range []byte(rapid.SampledFrom(ids).Draw(t, "id")) {
				switch rapid.IntRange(0, 9).Draw(t, "as") {
				case 0:
					fmt.Fprintf(&name, "%%%02x", c)
				case 1:
					fmt.Fprintf(&name, "%%%02X", c)
				case 2:
					if c < 0x80 {
						fmt.Fprintf(&name, "\\u%04x", c)
						continue
					}
					name.WriteByte(c)
				default:
					if c == '/' && i%2 == 0 {
						name.WriteString("%2F")
						continue
					}
					name.WriteByte(c)
				}
			}
			more := rapid.SampledFrom([]string{"", `,"u":"/logs/100%"`, `,"u":"é%20"`, `,"u":"%2f\"%41"`}).Draw(t, "more")
			fmt.Fprintf(&data, `{"logName":"projects/p/logs/%s","jsonPayload":{"k":"storm"%s}}`+"\n", name.String(), more)
		}
		b := logs.Batch{Data: []byte(data.String())}
		for _, s := range sets {
			var want, scanned, found []string
			b.Entries(time.Time{}, func(e *logs.Entry) bool {
				for i := range s.roots {
					if filters[i].Match(e) {
						want = append(want, fmt.Sprint(i, string(e.Raw)))
					}
				}
				return true
			})
			note := func(into *[]string) func(raw []byte, matched []int) {
				return func(raw []byte, matched []int) {
					for _, i := range matched {
						*into = append(*into, fmt.Sprint(i, string(raw)))
					}
				}
			}
			if _, err := s.Scan(b, time.Time{}, func(e *logs.Entry, matched []int) { note(&scanned)(e.Raw, matched) }); err != nil {
				t.Fatal(err)
			}
			s.Find(b, note(&found))
			if fmt.Sprint(scanned) != fmt.Sprint(want) || fmt.Sprint(found) != fmt.Sprint(want) {
				t.Fatalf("Scan found\n%q\nFind\n%q\nwant\n%q\nin\n%s", scanned, found, want, data.String())
			}
		}
	})
}
