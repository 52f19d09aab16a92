package detectors

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/internal/setting"
)

var day = time.Date(2019, 1, 23, 12, 0, 0, 0, time.UTC)

// A threshold holds once some window holds enough, in whatever order its entries come, and whatever is stored in between.
func TestThresholdInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := &Threshold{Count: rapid.IntRange(1, 5).Draw(t, "count"), Window: setting.Duration(10 * time.Minute)}
		if rapid.Bool().Draw(t, "distinct") {
			spec.Distinct = "v"
		}
		type one struct {
			at    int
			value string
		}
		entries := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) one {
			return one{rapid.IntRange(0, 50).Draw(t, "minute") / 2, rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "value")}
		}), 0, 14).Draw(t, "entries")
		want := false
		for _, from := range entries {
			n, values := 0, map[string]bool{}
			for _, e := range entries {
				if e.at >= from.at && e.at-from.at <= 10 {
					n++
					values[e.value] = true
				}
			}
			if spec.Distinct != "" {
				n = len(values)
			}
			want = want || n >= spec.Count
		}
		got := false
		d, err := spec.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			d.Observe(Match{Time: day.Add(time.Duration(e.at) * time.Minute), Values: map[string]string{"distinct": e.value}})
			got = got || d.Holds()
			state, err := d.State()
			if err != nil {
				t.Fatal(err)
			}
			if d, err = spec.New(state); err != nil {
				t.Fatal(err)
			}
		}
		if got != want {
			t.Fatalf("%d within 10m (distinct %q) of %v: %v, want %v", spec.Count, spec.Distinct, entries, got, want)
		}
	})
}

// What never reaches the count is forgotten all the same: by its age, and one value is not kept a thousand times.
func TestThresholdForgets(t *testing.T) {
	for _, distinct := range []string{"", "v"} {
		spec := &Threshold{Count: 500, Window: setting.Duration(10 * time.Minute), Distinct: distinct}
		if distinct != "" {
			spec.Count = 2
		}
		d, err := spec.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20000 {
			at := day.Add(time.Duration(i) * 5 * time.Second)
			d.Observe(Match{Time: at, Values: map[string]string{"distinct": "same"}})
		}
		if n := len(d.(*threshold).saved.Times); n > 400 {
			t.Errorf("distinct %q: %d times are remembered", distinct, n)
		}
	}
}

func TestAbsence(t *testing.T) {
	spec := &Absence{After: setting.Duration(10 * time.Minute)}
	for _, c := range []struct {
		seen  []int
		now   int
		holds bool
	}{
		{nil, 0, false}, {[]int{0}, 9, false}, {[]int{0}, 10, true}, {[]int{0, 5}, 14, false}, {[]int{5, 0}, 14, false}, {[]int{0, 5}, 15, true},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			d, err := spec.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range c.seen {
				d.Observe(Match{Time: day.Add(time.Duration(m) * time.Minute)})
			}
			d.Advance(day.Add(time.Duration(c.now) * time.Minute))
			if d.Holds() != c.holds {
				t.Errorf("holds %v", d.Holds())
			}
			if !c.holds {
				return
			}
			d.Observe(Match{Time: day.Add(-time.Minute)})
			if !d.Holds() {
				t.Error("an entry of before the silence ended it")
			}
			if d.Observe(Match{Time: day.Add(time.Hour)}); d.Holds() {
				t.Error("an entry did not end it")
			}
		})
	}
}
