package rules

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"tocsin/internal/logs"
	"tocsin/internal/lql"
)

// breakPath makes a path that panics when it is read: no parsed one is known to.
func breakPath(p *lql.Path) {
	operand := reflect.ValueOf(p).Elem().Field(0)
	reflect.NewAt(operand.Type(), operand.Addr().UnsafePointer()).Elem().Set(reflect.ValueOf((*lql.Field)(nil)))
}

// A rule that makes the scan of a batch panic is put aside, and the others are asked of that batch all the same.
func TestAScanThatPanics(t *testing.T) {
	list, errs := Read("test.yaml", []byte(`
rules:
  - {name: good, filter: 'textPayload:"bad"', detect: {threshold: {count: 1, window: 5m}}, severity: high}
  - {name: evil, filter: 'textPayload:"bad"', detect: {threshold: {count: 1, window: 5m}}, severity: high, group_by: {x: textPayload}}
`))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	set := NewSet(list)
	breakPath(&list[1].groupBy[0].paths[0])
	b := logs.Batch{Source: "s", Data: []byte("all is well\nbad\nbad\n")}
	for range 2 {
		hits, progress, err := set.Scan(b, time.Unix(0, 0), Firing{All: true})
		if err != nil || progress.Entries != 3 {
			t.Fatalf("%d entries: %v", progress.Entries, err)
		}
		for _, h := range hits {
			if h.Rule.Name != "good" {
				t.Errorf("a hit of %s", h.Rule.Name)
			}
		}
		if len(hits) == 0 || !set.IsAside("evil") || set.IsAside("good") || !strings.Contains(set.Aside()["evil"].Stack, "group") {
			t.Fatalf("%d hits; aside: %v", len(hits), set.Aside())
		}
	}
}
