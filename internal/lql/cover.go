package lql

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Cover is one filter for a server that matches whatever any of the filters matches, in at most limit characters: all of
// them joined by OR if that fits, else some of them by their own terms on resource and logName only, those that save most
// first; "" (everything) where nothing narrower is sure to lose no entry. No filters at all are covered by "" too.
func Cover(filters []*Filter, limit int) string {
	groups, length := byOwnTerms(filters)
	order := slices.Clone(groups)
	slices.SortStableFunc(order, func(a, b *ownGroup) int { return b.saves - a.saves })
	for _, g := range order {
		if length <= limit {
			break
		}
		if g.own == "" {
			return ""
		}
		g.full = []string{g.own}
		length -= g.saves
	}
	if length > limit {
		return ""
	}
	var parts []string
	for _, g := range groups {
		parts = append(parts, g.full...)
	}
	slices.Sort(parts)
	parts = slices.Compact(parts)
	if len(parts) == 1 {
		return parts[0]
	}
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteString(" OR ")
		}
		b.WriteString("(" + p + ")")
	}
	return b.String()
}

// ownGroup is filters with the same own terms. They are widened together: the terms then stand there once.
type ownGroup struct {
	own   string
	full  []string
	saves int // how many characters the own terms are shorter than the filters
}

// byOwnTerms groups filters, each once, and says how long all of them are. A filter that matches everything is a group that
// cannot be widened.
func byOwnTerms(filters []*Filter) (groups []*ownGroup, length int) {
	byOwn := map[string]*ownGroup{}
	seen := map[string]bool{}
	for _, f := range filters {
		if f == nil {
			continue
		}
		full := f.String()
		if full == "" {
			return []*ownGroup{{full: []string{""}}}, 0
		}
		if seen[full] {
			continue
		}
		seen[full] = true
		own := f.Own().String()
		g := byOwn[own]
		if g == nil {
			g = &ownGroup{own: own, saves: -partLength(own)}
			byOwn[own] = g
			groups = append(groups, g)
		}
		g.full = append(g.full, full)
		g.saves += partLength(full)
		length += partLength(full)
	}
	return groups, length - len(" OR ")
}

// partLength is how many characters a filter takes among others: itself, its parentheses and an OR.
func partLength(filter string) int { return utf8.RuneCountInString(filter) + len("() OR ") }
