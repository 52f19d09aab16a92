package detectors

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"tocsin/internal/setting"
)

// Whatever comes, and however much of it, the state of a group has an end, and can be read again.
func TestStatesHaveAnEnd(t *testing.T) {
	const window = setting.Duration(10 * time.Minute)
	one := 1.0
	word := func(i int) string { return strings.Map(func(r rune) rune { return r - '0' + 'a' }, fmt.Sprint(i)) }
	for name, c := range map[string]struct {
		spec   Spec
		values func(i int) map[string]string
		most   int
	}{
		"clear_below": {&Threshold{Count: 100, Window: window, ClearBelow: &one}, nil, 8 << 10},
		"percentile": {&Threshold{Count: 1, Window: window, Percentile: &Percentile{Of: "a", P: 99}, Above: &one}, func(i int) map[string]string {
			return map[string]string{"percentile.of": fmt.Sprint(math.Pow(-1, float64(i)) * math.Pow(10, float64(i%40-20)) * float64(1+i%9))}
		}, 80 << 10},
		"ratio":   {&Ratio{Match: "a", Window: window, Above: 0.5, Floor: 1}, nil, 4 << 10},
		"rate":    {&Rate{Window: window, Past: usualPast, Spike: 2, Floor: 1}, nil, 8 << 10},
		"missing": {&Sequence{Then: "a", Within: setting.Duration(24 * time.Hour), Missing: true}, nil, 600 << 10},
		"change": {&Change{Of: "a", Forget: usualForget}, func(i int) map[string]string {
			return map[string]string{"of": strings.Repeat("x", i%250) + fmt.Sprint(i)}
		}, 16 << 10},
		"value": {&NewValue{Of: "a", Forget: usualForget}, func(i int) map[string]string { return map[string]string{"of": fmt.Sprint(i)} }, 64 << 10},
		"pattern": {&NewValue{Pattern: "a", Forget: usualForget}, func(i int) map[string]string {
			return map[string]string{"pattern": strings.Repeat(word(i)+" ", 40)}
		}, 200 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := c.spec.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3500 {
				m := Match{Time: day.Add(time.Duration(i) * 7 * time.Second), Evidence: []byte(`"` + strings.Repeat("e", 1000) + `"`)}
				if c.values != nil {
					m.Values = c.values(i)
				}
				d.Observe(m)
				if i%100 == 99 {
					d.Advance(m.Time.Add(-time.Minute))
				}
				if f, ok := d.(Finder); ok {
					f.Found()
				}
			}
			state, err := d.State()
			if err != nil {
				t.Fatal(err)
			}
			if len(state) > c.most {
				t.Errorf("the state has %d bytes, more than %d", len(state), c.most)
			}
			again, err := c.spec.New(state)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := again.State(); err != nil || string(text) != string(state) {
				t.Errorf("read again, it is another: %v\n%.500s\n%.500s", err, state, text)
			}
			if _, err := c.spec.New([]byte(`[1`)); err == nil {
				t.Error("a state that is none is read")
			}
		})
	}
}

// A message joins the pattern that it has half of its words in common with; words with digits, and those that vary, are no news.
func TestPatterns(t *testing.T) {
	d := &newValue{spec: &NewValue{}, values: map[uint64]int64{}}
	for _, c := range []struct {
		message string
		news    bool
		pattern string
	}{
		{"cannot open file a.yaml: no such file", true, "cannot open file a.yaml: no such file"},
		{"cannot open file b.yaml: no such file", false, "cannot open file <*> no such file"},
		{"cannot read page 7 of 9 in time", true, "cannot read page <*> of <*> in time"},
		{"cannot open file c.yaml: no permission here", false, "cannot open file <*> no <*> <*>"},
		{"cannot open door c.yaml: not a door", true, "cannot open door c.yaml: not a door"},
		{"open file b.yaml: no such file anywhere", true, "open file b.yaml: no such file anywhere"},
		{"cannot open file", true, "cannot open file"},
		{"", false, ""},
		{"502", true, "<*>"},
		{"503", false, "<*>"},
	} {
		_, news := d.remember(Match{Time: day, Values: map[string]string{"pattern": c.message}})
		if news != c.news {
			t.Errorf("%q: new %v", c.message, news)
		}
		p, whole := d.drain.find(wordsOf(c.message))
		if c.pattern == "" {
			continue
		}
		if p == nil || !whole || p.String() != c.pattern {
			t.Errorf("%q: pattern %v, want %s", c.message, p, c.pattern)
		}
	}
}
