package lql

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawnPatterns are regular expressions to be put together.
var drawnPatterns = []string{"a", "b", "ab", "é", "K", "s", "ſ", "x*", "a+?", "[ab]", "[^a]", "[^\\n]", ".", "(?s:.)", "(?i:ks)", "\\b", "\\B", "^", "$", "(?m:^)", "(?m:$)", "\\A", "\\z",
	"\\d", "\\w+", "\\W", "\\s", "\\pL", "\\x{fffd}", "(a|b)", "a{2,3}", "(?:)", "[[:punct:]]", "\\n", "(?U:a*)", "日", "[a-zé-ü]"}

func drawPattern(t *rapid.T, depth int) string {
	n := rapid.IntRange(0, 5).Draw(t, "what")
	if depth > 3 || n < 2 {
		return rapid.SampledFrom(drawnPatterns).Draw(t, "piece")
	}
	left, right := drawPattern(t, depth+1), drawPattern(t, depth+1)
	switch n {
	case 2:
		return "(?:" + left + "|" + right + ")"
	case 3:
		return "(?:" + left + ")" + rapid.SampledFrom([]string{"*", "+", "?", "{2}", "{0,2}", "*?"}).Draw(t, "times") + right
	}
	return left + right
}

var drawnText = rapid.StringOfN(rapid.SampledFrom([]rune("aabbxks \nKſéüA_.1日\uFFFD")), 0, 12, -1)

// TestAutomatonAsRegexp holds the automaton against the regexp package.
func TestAutomatonAsRegexp(t *testing.T) {
	pairs, matches := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		src := drawPattern(t, 0)
		re, err := regexp.Compile(src)
		if err != nil {
			t.Skip(err)
		}
		a := automatonOf(t, src)
		for i := range 30 {
			if i == 15 {
				a.whole = nil // as one that is not small
			}
			text := drawnText.Draw(t, "text") + rapid.SampledFrom([]string{"", "", "\xff", "\xe6\x97", "\xff\xfea"}).Draw(t, "bytes")
			matched, known := a.match(text)
			if want := re.MatchString(text); !known || matched != want {
				t.Fatalf("%q on %q: %v (known %v), regexp says %v", src, text, matched, known, want)
			}
			if pairs++; matched {
				matches++
			}
		}
	})
	t.Logf("%d pairs, %d match", pairs, matches)
}

func automatonOf(t interface{ Fatal(...any) }, src string) *automaton {
	tree, err := syntax.Parse(src, syntax.Perl)
	if err != nil {
		t.Fatal(err)
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		t.Fatal(err)
	}
	a := newAutomaton(prog)
	if a == nil {
		t.Fatal("no automaton of ", src)
	}
	return a
}

// FuzzAutomaton does what TestAutomatonAsRegexp does.
func FuzzAutomaton(f *testing.F) {
	for _, p := range drawnPatterns {
		f.Add(p, "aab\nké")
	}
	f.Add(`(?i)(error|warn).*\btime(d )?out$`, "An ERROR: it TimeD out")
	f.Fuzz(func(t *testing.T, src, text string) {
		p := parser{}
		c, err := p.compilePattern(src, false)
		if err != nil {
			return
		}
		a := c.auto()
		if a == nil {
			return
		}
		for range 2 {
			if matched, known := a.match(text); known && matched != c.re.MatchString(text) {
				t.Fatalf("%q on %q: %v", src, text, matched)
			}
		}
		if hard, _, _ := a.walk(100); hard != "" {
			if matched, known := a.match(hard); known && matched != c.re.MatchString(hard) {
				t.Fatalf("%q on its own walk %q: %v", src, hard, matched)
			}
		}
	})
}

// TestAutomatonIsSmall says which patterns of rules have a table that is made at once, and that a large one is not.
func TestAutomatonIsSmall(t *testing.T) {
	for text, want := range map[string]bool{
		`[0-9]{5}$`: true, `^(GET|POST) /hook`: true, `(?i)panic|fatal error`: true, `\bOOM\b`: true, `dial tcp .*: (i/o timeout|connection refused)`: true,
		`(a|b)*a(a|b){12}`: false, `.{900}x`: false,
	} {
		if got := automatonOf(t, text).whole != nil; got != want {
			t.Errorf("%s has a small automaton: %v, want %v", text, got, want)
		}
	}
}

// TestHardPatterns says of patterns how they are met: in one step a character, by the regexp package with few threads alive, or
// not at all.
func TestHardPatterns(t *testing.T) {
	tests := []struct {
		src      string
		captures bool
		allowed  bool
		tabled   bool // whatever the text, a table holds its states
	}{
		{`(?:a?){490}b$`, false, true, true},
		{`(?:\pL?){490}1$`, false, true, true},
		{`(?i)(?:k?){490}b$`, false, true, true},
		{`(x+x+)+y`, false, true, true},
		{`(?i)error.*timeout|fatal: .*(refused|reset by peer)`, false, true, true},
		{`(?:a|b)*a(?:a|b){300}c`, false, false, false},
		{`a.{300}b`, false, false, false},
		{`a.{60}b`, false, true, false},
		{`foo.{200}bar`, false, true, false},
		{`(?:[a-q][^u-z]){13}x|(?:.|\n){200}[^a]y$`, false, true, true},
		{`^.{900}x`, false, true, true},
		{`user=(\S+) from (?:\d+\.){3}\d+`, true, true, true},
		{`buckets/([^/]+)/`, true, true, true},
		{`([0-9a-f]{64})`, true, true, true},
		{`(?:a?){110}(b)$`, true, false, true},
		{`a.{300}(b)`, true, false, false},
		{`(?i)(error|warning|critical|fatal|panic|exception|timeout|refused|denied|unavailable|failed|failure|aborted)`, true, true, true},
	}
	for _, tt := range tests {
		p := parser{}
		c, err := p.compilePattern(tt.src, tt.captures)
		if (err == nil) != tt.allowed {
			t.Errorf("%s: %v", tt.src, err)
		}
		a := automatonOf(t, tt.src)
		text, alive, branches := a.walk(walkLength)
		if branches == tt.tabled {
			t.Errorf("%s: branches %v, %d alive", tt.src, branches, alive)
		}
		if c == nil {
			continue
		}
		// The walk repeated to the length of the longest entry takes no more states than a table holds.
		long := strings.Repeat(text, 256<<10/max(1, len(text)))
		if _, known := a.match(long); !known && tt.tabled {
			t.Errorf("%s: the regexp package is asked of %d bytes", tt.src, len(long))
		}
	}
}
