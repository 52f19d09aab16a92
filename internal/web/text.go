package web

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// How much of a text a page shows, in characters.
const (
	titleLength = 300   // a title, a summary, a name
	cardTitle   = 180   // a title on the overview
	cardLength  = 500   // the line of evidence on the overview
	lineLength  = 4_000 // a line of evidence on the incident's page
	noteLength  = 2_000 // a note
)

// clean makes text from anywhere fit to be looked at, on one line: what cannot be printed is shown as a sign for it or left
// out, so that a log line can neither reorder the page nor hide in it; what is longer than most characters is cut, and says so.
func clean(text string, most int) string {
	return strings.Join(strings.Fields(cleanLines(text, most)), " ")
}

// cleanLines is clean for text whose lines are kept, such as a stack trace.
func cleanLines(text string, most int) string {
	text, cut := clip(text, most)
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ':
			return r + '\u2400' // the Unicode pictures of control characters: ESC shows as ␛
		case r == 0x7f:
			return '\u2421'
		case r == '\u2028' || r == '\u2029' || r == '\u0085':
			return '\n'
		case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cs, r), unicode.Is(unicode.Co, r):
			return utf8.RuneError
		case unicode.Is(unicode.Cf, r): // turns of direction, zero width, tags: they change what is read and are not seen
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
	if cut > 0 {
		text += fmt.Sprintf(" … (%s more)", plural(int64(cut), "character"))
	}
	return text
}

// clip cuts text to at most so many characters and says how many it cut.
func clip(text string, most int) (string, int) {
	if len(text) <= most {
		return text, 0
	}
	n := 0
	for i := range text {
		if n == most {
			return text[:i], utf8.RuneCountInString(text[i:])
		}
		n++
	}
	return text, 0
}

// plural is "1 line", "9,689 lines".
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// tries is how often something was tried, in words.
func tries(n int) string {
	switch n {
	case 0:
		return "not tried yet"
	case 1:
		return "1 try"
	}
	return number(int64(n)) + " tries"
}

// number writes 9689 as 9,689.
func number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	first := len(digits)
	if n < 0 {
		first--
	}
	for at := len(digits) - 3; first > 3; at, first = at-3, first-3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// span is a length of time as a person says it: two units at most, nothing below a second.
func span(d time.Duration) string {
	d = max(d, 0)
	two := func(big time.Duration, bigName string, small time.Duration, smallName string) string {
		text := fmt.Sprintf("%d %s", d/big, bigName)
		if rest := d % big / small; rest > 0 {
			text += fmt.Sprintf(" %d %s", rest, smallName)
		}
		return text
	}
	switch {
	case d < 90*time.Second:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 24*time.Hour:
		return two(time.Hour, "h", time.Minute, "min")
	}
	return two(24*time.Hour, "d", time.Hour, "h")
}

// moment is a time as the pages show it, always UTC.
type moment struct {
	// ISO is for machines, Text as short as it can be beside now, Ago how long it is since.
	ISO, Text, Ago string
}

// at makes a moment of t, to the minute.
func at(t, now time.Time) moment { return momentOf(t, now, "15:04") }

// exactly makes a moment of t, to the second.
func exactly(t, now time.Time) moment { return momentOf(t, now, "15:04:05") }

func momentOf(t, now time.Time, clock string) moment {
	if t.IsZero() {
		return moment{}
	}
	t, now = t.UTC(), now.UTC()
	layout := clock
	switch {
	case t.Year() != now.Year():
		layout = "2006-01-02 " + clock
	case t.YearDay() != now.YearDay():
		layout = "Jan 2, " + clock
	}
	m := moment{ISO: t.Format(time.RFC3339), Text: t.Format(layout)}
	switch age := now.Sub(t); {
	case age < 0:
		m.Ago = "in " + span(-age)
	case age < time.Second:
		m.Ago = "just now"
	default:
		m.Ago = span(age) + " ago"
	}
	return m
}

// list names up to most of names and counts the rest: "hook, deck and 6 more".
func list(names []string, most int) string {
	rest := len(names) - most
	if rest > 1 {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", rest)
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// webAddress says whether a text that a rule gives as an address may be made a link.
func webAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && clean(text, len(text)) == text
}
