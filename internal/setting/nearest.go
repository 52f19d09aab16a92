package setting

import (
	"fmt"
	"slices"
	"strings"
)

// Unknown is the text about a name that is none of the known ones: it names the nearest of them and lists all, in order. what
// says what the name should be one of ("receiver").
func Unknown(what, name string, known []string) string {
	text := fmt.Sprintf("unknown %s %q", what, bounded(name))
	if near := Nearest(name, known); near != "" {
		text += fmt.Sprintf(": did you mean %q?", near)
	} else {
		text += ":"
	}
	if len(known) == 0 {
		return text + " none is configured"
	}
	return text + " known: " + strings.Join(slices.Sorted(slices.Values(known)), ", ")
}

// Nearest is the one of known that name was probably meant to be, or "" if none is near: at most one letter in three is wrong,
// missing, too much or swapped, case, dashes and underscores aside. Of two that are equally near it is the first.
func Nearest(name string, known []string) string {
	if len(name) > 100 {
		return ""
	}
	best, least := "", max(1, len(name)/3)+1
	for _, k := range known {
		if d := distance(fold(name), fold(k)); d < least && d < min(len(k), len(name)) {
			best, least = k, d
		}
	}
	return best
}

func fold(s string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(s))
}

// distance counts the letters that are wrong, missing, too much, or swapped with their neighbour.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}

// bounded cuts what a message quotes.
func bounded(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
