package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"tocsin/internal/config"
	"tocsin/internal/incident"
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

// maxGroup bounds a group's text in bytes: it is a key of the database, and PostgreSQL's index takes 2,704 bytes of all keys of a row
// together. A longer one would keep the whole batch from being committed, again and again.
const maxGroup = 1600

// fitted is a group whose text is no longer than that: if its values make it so they are cut, and end in a hash of what they were.
func fitted(group incident.Labels) incident.Labels {
	raw := 0
	for name, v := range group {
		raw += len(name) + len(v)
	}
	const escaped = len(`\u0001`) // what a byte becomes in JSON at the worst
	if escaped*raw <= maxGroup || len(group.Text()) <= maxGroup {
		return group
	}
	names, hash := 0, len("~0123456789abcdef")
	for name := range group {
		names += len(`"":"",`) + len(name)
	}
	most := max(0, (maxGroup-names)/len(group)-hash) / escaped
	for name, v := range group {
		if len(v) > most+hash {
			h := fnv.New64a()
			h.Write([]byte(v))
			group[name] = bound(v, max(most, len("…"))) + "~" + strconv.FormatUint(h.Sum64(), 16)
		}
	}
	return group
}

// identity names an entry: (project, logName, timestamp, insertId), without an insertId the place that it was read from.
func identity(e *logs.Entry) string { return string(appendIdentity(nil, e)) }

// appendIdentity appends an entry's identity.
func appendIdentity(b []byte, e *logs.Entry) []byte {
	if id := e.Root.Get("insertId").Text(); id != "" {
		b = append(append(b, e.Project()...), 0)
		b = append(append(b, e.LogName()...), 0)
		b = append(strconv.AppendInt(b, e.Timestamp.UnixNano(), 36), 0)
		return append(b, id...)
	}
	b = append(append(b, e.Source...), 0)
	b = append(append(b, e.File...), 0)
	return strconv.AppendInt(b, e.Offset, 36)
}

func groupText(g map[string]config.Node) string {
	text := ""
	for _, name := range sortedKeys(g) {
		text += name + "=" + string(g[name].JSON()) + ";"
	}
	return text
}

func hash(parts ...string) string {
	b, _ := json.Marshal(parts) // strings always marshal
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
