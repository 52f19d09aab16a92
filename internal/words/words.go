// Package words makes what tocsin says: it renders the templates of rules and of receivers within bounds, cleans and redacts
// text from logs, escapes it for where it goes, and words durations, times and counts. It is pure: the time comes in as an
// argument. Text from logs is hostile; what leaves through this package cannot mention anybody, fake a link, drive a
// terminal, or be endless.
package words

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is d as a person would say it: "12 seconds", "41 minutes", "3 h 10 min", "2 days 4 h". A negative one is none at all.
func Duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return "less than a second"
	case d < 90*time.Second:
		return plural(int64(d.Round(time.Second)/time.Second), "second")
	case d < 90*time.Minute:
		return plural(int64(d.Round(time.Minute)/time.Minute), "minute")
	case d < 36*time.Hour:
		minutes := int64(d.Round(time.Minute) / time.Minute)
		if minutes%60 == 0 {
			return fmt.Sprintf("%d h", minutes/60)
		}
		return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
	}
	hours := int64(d.Round(time.Hour) / time.Hour)
	if hours%24 == 0 {
		return plural(hours/24, "day")
	}
	return fmt.Sprintf("%s %d h", plural(hours/24, "day"), hours%24)
}

// Time is t in UTC as one seen at now needs it: "23:28:49 UTC" within twelve hours, else with its date. "" for the zero time.
func Time(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	if age := now.Sub(t); age > 12*time.Hour || age < -12*time.Hour {
		return t.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	return t.UTC().Format("15:04:05 UTC")
}

// Count is n with its thousands parted: "9,689".
func Count(n int64) string {
	if n < 0 {
		return "-" + Count(-n)
	}
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Lines is a count of log lines: "1 line", "9,689 lines", "about 12,000 lines".
func Lines(n int64, about bool) string {
	s := plural(n, "line")
	if about {
		return "about " + s
	}
	return s
}

// plural is n with its thing, in the plural unless n is one.
func plural(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return Count(n) + " " + thing + "s"
}

// Names is a list as a sentence has it: "hook", "hook and deck", "hook, deck, tide and 5 more". Of more than max+1 only max are
// named.
func Names(names []string, max int) string {
	if len(names) > max+1 { // "and 1 more" would say less than the one
		return strings.Join(names[:max], ", ") + " and " + strconv.Itoa(len(names)-max) + " more"
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
