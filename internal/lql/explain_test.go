package lql

import (
	"testing"
	"time"

	"tocsin/internal/logs"
)

// entryOf is an entry of its JSON.
func entryOf(t *testing.T, text string) *logs.Entry {
	t.Helper()
	var found *logs.Entry
	logs.Batch{Data: []byte(text)}.Entries(time.Time{}, func(e *logs.Entry) bool { found = e; return false })
	return found
}

// A clause holds exactly where the filter matches, and misses nothing exactly then; what refuses is what would have to answer otherwise.
func TestExplain(t *testing.T) {
	e := entryOf(t, `{"logName": "projects/p/logs/x", "severity": "ERROR", "jsonPayload": {"level": "fatal", "codes": [1, 2], "none": null}}`)
	for _, c := range []struct {
		filter  string
		misses  int
		refused []string
	}{
		{``, 0, nil},
		{`severity>=ERROR jsonPayload.level="fatal"`, 0, nil},
		{`severity=INFO jsonPayload.level="fatal" jsonPayload.x="y"`, 2, []string{`severity=INFO`, `jsonPayload.x="y"`}},
		{`severity=INFO AND jsonPayload.x="y" OR jsonPayload.codes=3`, 2, []string{`severity=INFO`, `jsonPayload.x="y"`}},
		{`(severity=INFO AND jsonPayload.x="y") OR jsonPayload.codes=3`, 1, []string{`jsonPayload.codes=3`}},
		{`NOT severity=ERROR`, 1, []string{`NOT severity=ERROR`}},
		{`NOT (severity=ERROR jsonPayload.level="fatal")`, 1, []string{`NOT (severity=ERROR AND jsonPayload.level="fatal")`}},
		{`NOT (severity=ERROR OR jsonPayload.level="fatal")`, 2, []string{`NOT (severity=ERROR OR jsonPayload.level="fatal")`}},
		{`log_id("y")`, 1, []string{`log_id("y")`}},
	} {
		f, err := Parse(c.filter)
		if err != nil {
			t.Fatalf("%s: %v", c.filter, err)
		}
		got := f.Explain(e)
		if got.Holds != f.Match(e) || got.Misses != c.misses {
			t.Errorf("%s: holds %v, misses %d; want %v, %d", c.filter, got.Holds, got.Misses, f.Match(e), c.misses)
		}
		var refused []string
		for _, r := range got.Refused() {
			refused = append(refused, r.Line())
		}
		if len(refused) != len(c.refused) {
			t.Errorf("%s: refused by %q, want %q", c.filter, refused, c.refused)
			continue
		}
		for i := range refused {
			if refused[i] != c.refused[i] {
				t.Errorf("%s: refused by %q, want %q", c.filter, refused, c.refused)
			}
		}
	}
}

// A term says what it saw: each value of an array, that a field is not there, null where it is null.
func TestExplainSees(t *testing.T) {
	e := entryOf(t, `{"logName": "projects/p/logs/x", "jsonPayload": {"codes": [1, 2], "none": null, "deep": {"a": "b"}}}`)
	for filter, want := range map[string]string{
		`jsonPayload.codes=3`: "1 2 ", `jsonPayload.none="x"`: "null ", `jsonPayload.gone="x"`: "absent", `severity=ERROR`: "absent",
		`log_id("y")`: `"projects/p/logs/x" `, `jsonPayload.deep.a="c"`: `"b" `, `labels.x="y"`: "absent",
	} {
		f, err := Parse(filter)
		if err != nil {
			t.Fatalf("%s: %v", filter, err)
		}
		got := ""
		c := f.Explain(e)
		for _, v := range c.Saw {
			got += v + " "
		}
		if c.Absent {
			got += "absent"
		}
		if got != want {
			t.Errorf("%s: saw %q, want %q", filter, got, want)
		}
	}
}
