package lql

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestJSONNumber holds numbers against strconv, which is right and slow.
func TestJSONNumber(t *testing.T) {
	check := func(t interface{ Errorf(string, ...any) }, s string) {
		want, _ := strconv.ParseFloat(s, 64)
		if got := jsonNumber(s); got != want {
			t.Errorf("%.60s is %v, want %v", s, got, want)
		}
	}
	for _, s := range []string{"0", "-0", "1e400", "-1e400", "1E+400", "1e-400", "1e308", "1e309", "9.9e309", "1e310", "0e999", "0.0e999", "1e0000000001", "1e+0", "1e00310", "-1.5e00000",
		strings.Repeat("9", 308), strings.Repeat("9", 311), strings.Repeat("9", 400) + "e-300", strings.Repeat("9", 400) + ".5", "0." + strings.Repeat("0", 400) + "1e500", "1.7976931348623157e308"} {
		check(t, s)
	}
	if !math.IsInf(jsonNumber("1e"+strings.Repeat("9", 1000)), 1) || !math.IsInf(jsonNumber("-"+strings.Repeat("9", 100000)), -1) {
		t.Error("huge numbers are infinite")
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?`).Draw(t, "number"))
	})
}
