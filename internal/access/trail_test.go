package access

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/internal/store"
)

var began = time.Date(2026, 1, 23, 10, 0, 0, 0, time.UTC)

func openStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), ":memory:", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func update(t *testing.T, s *store.Store, do func(tx *store.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), do); err != nil {
		t.Fatal(err)
	}
}

func verify(t *testing.T, s *store.Store, head string) (v Verdict) {
	t.Helper()
	err := s.View(t.Context(), func(tx *store.Tx) (err error) {
		v, err = Verify(t.Context(), tx, head)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// written are the lines of a trail of so many deeds.
func written(t *testing.T, s *store.Store, n int) (lines []store.Trace) {
	t.Helper()
	update(t, s, func(tx *store.Tx) error {
		for i := range n {
			err := Record(With(t.Context(), Identity{Way: "token ci"}), tx, began.Add(time.Duration(i)*time.Second),
				Deed{Who: "alice", Deed: "acknowledge", About: fmt.Sprintf("incident %d", i), Detail: "\x1b[31m{\"a\":1}"})
			if err != nil {
				return err
			}
		}
		return nil
	})
	err := s.View(t.Context(), func(tx *store.Tx) (err error) {
		lines, err = tx.Traces(t.Context(), 0, n+1)
		return err
	})
	if err != nil || len(lines) != n {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	return lines
}

func TestAWholeTrail(t *testing.T) {
	s := openStore(t)
	if v := verify(t, s, ""); v != (Verdict{}) {
		t.Errorf("an empty trail: %+v", v)
	}
	lines := written(t, s, atOnce+2) // more than are read at once
	v := verify(t, s, fmt.Sprintf("7:%s", lines[6].Hash))
	if want := fmt.Sprintf("%d:%s", atOnce+2, lines[atOnce+1].Hash); v.Broken != "" || v.Lines != atOnce+2 || v.Head != want {
		t.Errorf("it is %+v, want the head %s", v, want)
	}
	if lines[0].Way != "token ci" || lines[0].Who != "alice" {
		t.Errorf("the first line is %+v", lines[0])
	}
}

// TestWhatWasTamperedWith: in every field of every line, a line taken out, one put in, an end cut off, all of it made anew.
func TestWhatWasTamperedWith(t *testing.T) {
	whole := written(t, openStore(t), 4)
	head := fmt.Sprintf("4:%s", whole[3].Hash)
	for name, c := range map[string]struct {
		change func(lines []store.Trace) []store.Trace
		head   string
		broken string
	}{
		"who":    {func(l []store.Trace) []store.Trace { l[1].Who = "bob"; return l }, "", "line 2 is not"},
		"when":   {func(l []store.Trace) []store.Trace { l[1].At = l[1].At.Add(1); return l }, "", "line 2 is not"},
		"way":    {func(l []store.Trace) []store.Trace { l[2].Way = "oidc"; return l }, "", "line 3 is not"},
		"deed":   {func(l []store.Trace) []store.Trace { l[0].Deed = "resolve"; return l }, "", "line 1 is not"},
		"about":  {func(l []store.Trace) []store.Trace { l[3].About = "incident 0"; return l }, "", "line 4 is not"},
		"detail": {func(l []store.Trace) []store.Trace { l[3].Detail = ""; return l }, "", "line 4 is not"},
		"hash":   {func(l []store.Trace) []store.Trace { l[1].Hash = l[2].Hash; return l }, "", "line 2 is not"},
		"shifted": {func(l []store.Trace) []store.Trace { // the same letters, cut elsewhere
			l[1].Deed, l[1].About = l[1].Deed+"i", l[1].About[1:]
			return l
		}, "", "line 2 is not"},
		"gone":        {func(l []store.Trace) []store.Trace { return append(l[:1], l[2:]...) }, "", "behind line 1 comes line 3"},
		"first gone":  {func(l []store.Trace) []store.Trace { return l[1:] }, "", "behind line 0 comes line 2"},
		"end gone":    {func(l []store.Trace) []store.Trace { return l[:3] }, head, "4:" + whole[3].Hash + " is not in it"},
		"all gone":    {func([]store.Trace) []store.Trace { return nil }, head, "is not in it"},
		"made anew":   {remade, head, "is not in it"},
		"numbers":     {func(l []store.Trace) []store.Trace { l[3].ID = 9; return l }, "", "behind line 3 comes line 9"},
		"as it was":   {func(l []store.Trace) []store.Trace { return l }, head, ""},
		"still whole": {func(l []store.Trace) []store.Trace { return l[:3] }, fmt.Sprintf("3:%s", whole[2].Hash), ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			lines := c.change(append([]store.Trace(nil), whole...))
			update(t, s, func(tx *store.Tx) error {
				for i := range lines {
					if err := tx.AddTrace(t.Context(), &lines[i]); err != nil {
						return err
					}
				}
				return nil
			})
			if v := verify(t, s, c.head); !strings.Contains(v.Broken, c.broken) || (c.broken == "") != (v.Broken == "") {
				t.Errorf("%+v, want %q", v, c.broken)
			}
		})
	}
}

// remade changes a line and makes all hashes anew, as somebody could who has the database.
func remade(lines []store.Trace) []store.Trace {
	lines[1].Who = "bob"
	before := ""
	for i := range lines {
		lines[i].Hash, _ = chained(before, lines[i])
		before = lines[i].Hash
	}
	return lines
}

// TestALineIsNeverRewritten: two that want the same number are not both written.
func TestALineIsNeverRewritten(t *testing.T) {
	s := openStore(t)
	lines := written(t, s, 2)
	err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.AddTrace(t.Context(), &lines[1]) })
	if err == nil {
		t.Error("a line was written twice")
	}
	if v := verify(t, s, ""); v.Broken != "" || v.Lines != 2 {
		t.Errorf("the trail is %+v", v)
	}
}
