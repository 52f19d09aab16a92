package web

import (
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain text stays", "hook: 502 from GitHub’s side", "hook: 502 from GitHub’s side"},
		{"a title is one line", "one\r\n two\tthree\n", "one two three"},
		{"an escape sequence is seen", "\x1b[31mred\x1b[0m", "␛[31mred␛[0m"},
		{"NUL and DEL are seen", "a\x00b\x7fc", "a␀b␡c"},
		{"C1 controls are replaced", "a\u009bb", "a\ufffdb"},
		{"nothing turns the direction", "exe.\u202egnp \u2066x\u2069", "exe.gnp x"},
		{"nothing hides without width", "a\u200bb\u2060c\ufeffd\u00ade\U000e0041", "abcde"},
		{"what is not UTF-8 is replaced", "a\xff\xfeb", "a\ufffdb"},
		{"a line separator is white space", "a\u2028b\u0085c", "a b c"},
		{"markup is left to the template", "<b>&amp;", "<b>&amp;"},
	} {
		if got := clean(c.in, 100); got != c.want {
			t.Errorf("%s: clean(%q) = %q, want %q", c.name, c.in, got, c.want)
		}
	}
	if got, want := clean("äöüßé", 3), "äöü … (2 characters more)"; got != want {
		t.Errorf("cut in the middle: %q, want %q", got, want)
	}
	if got, want := clean("äöü", 3), "äöü"; got != want {
		t.Errorf("just fits: %q, want %q", got, want)
	}
	if got, want := cleanLines("a\r\n\tb\n", 100), "a\n\tb\n"; got != want {
		t.Errorf("lines are kept: %q, want %q", got, want)
	}
}

// FuzzClean holds that nothing that cannot be seen gets onto a page, and never more than was allowed.
func FuzzClean(f *testing.F) {
	f.Add("\x1b]8;;https://evil.example\x07ok\x1b]8;;\x07 \u202e\xff")
	f.Fuzz(func(t *testing.T, text string) {
		got := cleanLines(text, 50)
		if !utf8.ValidString(got) {
			t.Fatalf("not UTF-8: %q", got)
		}
		for _, r := range got {
			if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
				t.Fatalf("%q holds %U", got, r)
			}
		}
		if n := utf8.RuneCountInString(got); n > 50+40 {
			t.Fatalf("%d characters of 50", n)
		}
	})
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second:                    "0 s",
		1900 * time.Millisecond:         "1 s",
		89 * time.Second:                "89 s",
		90 * time.Second:                "1 min",
		59*time.Minute + 59*time.Second: "59 min",
		time.Hour:                       "1 h",
		13*time.Hour + 20*time.Minute:   "13 h 20 min",
		24 * time.Hour:                  "1 d",
		75 * time.Hour:                  "3 d 3 h",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 9689: "9,689", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestList(t *testing.T) {
	for _, c := range []struct {
		names []string
		want  string
	}{
		{nil, ""},
		{[]string{"hook"}, "hook"},
		{[]string{"hook", "deck"}, "hook and deck"},
		{[]string{"hook", "deck", "tide"}, "hook, deck and tide"}, // one more than asked for is named, not counted
		{[]string{"hook", "deck", "tide", "plank"}, "hook, deck and 2 more"},
	} {
		if got := list(c.names, 2); got != c.want {
			t.Errorf("list(%q, 2) = %q, want %q", c.names, got, c.want)
		}
	}
}

func TestMoment(t *testing.T) {
	for _, c := range []struct {
		t                time.Time
		iso, text, since string
	}{
		{time.Time{}, "", "", ""},
		{noon, "2019-01-23T12:05:00Z", "12:05:00", "just now"},
		{clock(23, 0, 0, 1), "2019-01-23T00:00:01Z", "00:00:01", "12 h 4 min ago"},
		{clock(22, 23, 59, 59), "2019-01-22T23:59:59Z", "Jan 22, 23:59:59", "12 h 5 min ago"},
		{time.Date(2018, 1, 23, 12, 5, 0, 0, time.FixedZone("", 3600)), "2018-01-23T11:05:00Z", "2018-01-23 11:05:00", "365 d 1 h ago"},
		{noon.Add(8 * time.Minute), "2019-01-23T12:13:00Z", "12:13:00", "in 8 min"},
	} {
		if got, want := exactly(c.t, noon), (moment{c.iso, c.text, c.since}); got != want {
			t.Errorf("exactly(%v) = %+v, want %+v", c.t, got, want)
		}
	}
}

func TestWebAddress(t *testing.T) {
	for text, want := range map[string]bool{
		"https://prow.example.com/runbook?x=1#y": true,
		"http://10.0.0.1/":                       true,
		"javascript:alert(1)":                    false,
		"data:text/html,x":                       false,
		"//evil.example/x":                       false,
		"https:evil":                             false,
		"/incidents":                             false,
		"see the wiki":                           false,
		"https://a.example/\u202ecod":            false,
		"":                                       false,
	} {
		if got := webAddress(text); got != want {
			t.Errorf("webAddress(%q) = %v, want %v", text, got, want)
		}
	}
}
