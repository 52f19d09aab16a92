package lql

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tocsin/internal/logs"
)

// testCase is a line of testdata/*.jsonl: a filter, an entry, and what is to come of it: true, false or "error".
type testCase struct {
	ID     string          `json:"id"`
	Filter string          `json:"filter"`
	Entry  json.RawMessage `json:"entry"`
	Expect any             `json:"expect"`
	Source string          `json:"source"`
	Rule   string          `json:"rule"` // the sentence that the expectation was written from
	Note   string          `json:"note"`
}

func readCases(t testing.TB) []testCase {
	t.Helper()
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	var out []testCase
	seen := map[string]bool{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(bytes.NewReader(data))
		lines.Buffer(nil, 1<<20)
		for n := 1; lines.Scan(); n++ {
			var c testCase
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				t.Fatalf("%s:%d: %v", file, n, err)
			}
			if seen[c.ID] || c.Source == "" {
				t.Errorf("%s:%d: %s: twice, or without a source", file, n, c.ID)
			}
			seen[c.ID] = true
			out = append(out, c)
		}
	}
	return out
}

// logEntry makes an entry of a case, which is a LogEntry even if it has no logName.
func logEntry(t testing.TB, raw []byte) *logs.Entry {
	t.Helper()
	e := logs.ParseLine(raw)
	if e.Broken {
		t.Fatalf("the case's entry is broken: %s", raw)
	}
	return e
}

func TestCases(t *testing.T) {
	for _, c := range readCases(t) {
		t.Run(c.ID, func(t *testing.T) {
			f, err := Parse(c.Filter)
			if c.Expect == "error" {
				if err == nil {
					t.Errorf("Parse(%q) gave no error (%s)", c.Filter, c.Note)
				}
				return
			}
			if err != nil {
				t.Fatalf("Parse(%q): %v", c.Filter, err)
			}
			want, ok := c.Expect.(bool)
			if !ok {
				t.Fatalf("expect is %v", c.Expect)
			}
			e := logEntry(t, c.Entry)
			if got := f.Match(e); got != want {
				t.Errorf("%s\non %s\nmatches %v, want %v (%s: %s)", c.Filter, c.Entry, got, want, c.Source, c.Note)
			}
			found := false
			if _, err := Compile([]*Filter{f, nil}).Scan(logs.Batch{Data: e.Raw}, time.Time{}, func(*logs.Entry, []int) { found = true }); err != nil || found != want {
				t.Errorf("%s\non %s\nis found in a set: %v, want %v: %v", c.Filter, c.Entry, found, want, err)
			}
			again, err := Parse(f.String())
			if err != nil {
				t.Fatalf("String() is %q: %v", f.String(), err)
			}
			if again.Match(e) != want {
				t.Errorf("after String(), %q, the outcome is another", f.String())
			}
		})
	}
}
