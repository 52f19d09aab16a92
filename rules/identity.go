package rules

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"tocsin/internal/logs"
)

// maxLabel and maxLine bound what is taken from an entry, in bytes.
const (
	maxLabel = 256
	maxLine  = 2048
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// bound cuts a text to at most max bytes at a rune's edge. Of a line, the beginning is kept and, behind an ellipsis, its last
// quarter: what went wrong often stands at the end.
func bound(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	tail := limit / 4
	head := limit - tail - len("…")
	for head > 0 && !utf8.RuneStart(s[head]) {
		head--
	}
	from := len(s) - tail
	for from < len(s) && !utf8.RuneStart(s[from]) {
		from++
	}
	return s[:head] + "…" + s[from:]
}

// identity names an entry: (project, logName, timestamp, insertId), without an insertId the place that it was read from.
func identity(e *logs.Entry) string {
	var b strings.Builder
	if id := e.Root.Get("insertId").Text(); id != "" {
		b.WriteString(e.Project())
		b.WriteByte(0)
		b.WriteString(e.LogName())
		b.WriteByte(0)
		b.WriteString(strconv.FormatInt(e.Timestamp.UnixNano(), 36))
		b.WriteByte(0)
		b.WriteString(id)
		return b.String()
	}
	b.WriteString(e.Source)
	b.WriteByte(0)
	b.WriteString(e.File)
	b.WriteByte(0)
	b.WriteString(strconv.FormatInt(e.Offset, 36))
	return b.String()
}
