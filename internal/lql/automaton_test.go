package lql

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestAutomatonAsRegexp asks drawn patterns of drawn texts.
func TestAutomatonAsRegexp(t *testing.T) {
	atoms := []string{"a", "b", "ab", "[0-9]", "[^a]", ".", `\w`, `\W`, `\s`, `\b`, `\B`, "^", "$", `\A`, `\z`, "(?i:kS)", "(?m:^b)", "(?m:a$)", "(?s:.)", "é", `\pL`, "-", `\n`, "", "(?:)"}
	repeats := []string{"", "", "", "*", "+", "?", "{2,3}", "*?", "+?", "{0}"}
	texts := []string{"a", "b", "ab", "A", "k", "K", "s", "\u017f", "\u212a", "0", "12", " ", "\n", "-", "_", "é", "z"}
	small := 0
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		open := 0
		for range rapid.IntRange(1, 8).Draw(t, "atoms") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				b.WriteByte('(')
				open++
			case 1:
				if open > 0 {
					b.WriteByte(')')
					open--
					b.WriteString(rapid.SampledFrom(repeats).Draw(t, "repeat"))
				}
			case 2:
				b.WriteByte('|')
			default:
				b.WriteString("(?:" + rapid.SampledFrom(atoms).Draw(t, "atom") + ")" + rapid.SampledFrom(repeats).Draw(t, "repeat"))
			}
		}
		b.WriteString(strings.Repeat(")", open))
		re, err := regexp.Compile(b.String())
		if err != nil {
			t.Skip()
		}
		p := &pattern{Regexp: re}
		for range 8 {
			text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(texts), 0, 10).Draw(t, "text"), "")
			if got, want := p.MatchString(text), re.MatchString(text); got != want {
				t.Fatalf("%q matches %q: %v, the regular expression says %v", re, text, got, want)
			}
		}
		if p.auto != nil {
			small++
		}
	})
	if small < 50 {
		t.Errorf("only %d patterns had an automaton", small)
	}
}

// TestAutomatonIsSmall says which patterns of rules are asked in one pass, and that a large one is not made.
func TestAutomatonIsSmall(t *testing.T) {
	for text, want := range map[string]bool{
		`[0-9]{5}$`: true, `^(GET|POST) /hook`: true, `(?i)panic|fatal error`: true, `\bOOM\b`: true, `dial tcp .*: (i/o timeout|connection refused)`: true,
		`(a|b)*a(a|b){12}`: false, `.{900}x`: false,
	} {
		if got := newAutomaton(text) != nil; got != want {
			t.Errorf("%s has an automaton: %v, want %v", text, got, want)
		}
	}
}
