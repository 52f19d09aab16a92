package setting

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour, "2w": 336 * time.Hour, "1w": 168 * time.Hour, "1d12h": 36 * time.Hour,
		"1w1d": 192 * time.Hour, "1w2d3h4m": 219*time.Hour + 4*time.Minute, "0d": 0, "0s": 0, "-7d": -168 * time.Hour, "-1d12h": -36 * time.Hour, "-5m": -5 * time.Minute,
		"1.5h": 90 * time.Minute, "106751d": 106751 * 24 * time.Hour,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s is %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "7", "d", "w", "1.5d", "7D", "7 d", "1d1w", "1d-1h", "--1d", "-", "1h1d", "106752d", "99999999999w", "1d1d", "-1d-1h", "+1d", "1d+1h", "seven days"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q is read as %s", text, got)
		}
	}
	for d, want := range map[time.Duration]string{168 * time.Hour: "7d", 24 * time.Hour: "1d", 36 * time.Hour: "36h0m0s", 2 * time.Hour: "2h0m0s", 0: "0s", -48 * time.Hour: "-2d"} {
		if got := Duration(d).String(); got != want {
			t.Errorf("%s is written %s, want %s", d, got, want)
		}
	}
}

// TestDurationComesBack: what is written is read as the same.
func TestDurationComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Duration(rapid.Int64Min(-1<<62).Draw(t, "d"))
		if rapid.Bool().Draw(t, "whole") {
			d = d / Duration(day) * Duration(day)
		}
		text, err := d.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var again Duration
		if err := again.UnmarshalText(text); err != nil || again != d {
			t.Fatalf("%s is read as %s, %v", text, again, err)
		}
	})
}
