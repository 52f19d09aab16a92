package app

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/lql"
	"tocsin/internal/words"
)

// Bounds of a case that is made of an alert: characters in all, lines, and characters of each text in them.
const (
	mostProof      = 2000
	mostProofLines = 3
	mostProofText  = 200
)

// proof writes an alert's lines as a case of its rule that stays silent, to be put beside the rule's others: it does not hold until the rule
// is mended. An alert keeps what a line says and not the whole entry, so where it is from is taken from the rule's filter.
func (p *Plan) proof(al *incident.Alert, by string, now time.Time) string {
	var filter *lql.Filter
	where := ""
	if r := p.Rules.Rule(al.Rule); r != nil {
		filter, where = r.Filter, fmt.Sprintf(" (%s:%d)", r.Position.File, r.Position.Line)
	}
	lines := append([]incident.Line{al.FirstLine}, al.Lines...)
	slices.SortStableFunc(lines, func(a, b incident.Line) int { return a.Time.Compare(b.Time) })
	lines = slices.Compact(slices.DeleteFunc(lines, func(l incident.Line) bool { return l.Text == "" }))
	var b strings.Builder
	fmt.Fprintf(&b, "# Among the cases of the rule %s%s:\n", words.Clean(al.Rule, 100), words.Clean(where, 200))
	fmt.Fprintf(&b, "- name: '%s'\n  entries:\n", inYAML(words.Clean(fmt.Sprintf("not useful, said %s on %s", by, now.UTC().Format(time.DateOnly)), 120)))
	whole, written := true, 0
	for _, l := range lines[max(0, len(lines)-mostProofLines):] {
		entry, matches := likeEntry(l, filter)
		if text := "    - '" + inYAML(entry) + "'\n"; b.Len()+len(text) <= mostProof {
			b.WriteString(text)
			whole, written = whole && matches, written+1
		}
	}
	if written == 0 {
		return fmt.Sprintf("# The rule %s keeps no line of which a case could be made.", words.Clean(al.Rule, 100))
	}
	b.WriteString("  fires: []\n")
	if !whole {
		b.WriteString("# What is kept of these lines does not match the filter by itself: complete the entries before you mend the rule.\n")
	}
	return b.String()
}

// likeEntry is an entry that says what a line says, with what the filter asks of where it is from; matches says whether the filter matches it.
func likeEntry(l incident.Line, filter *lql.Filter) (text string, matches bool) {
	payload := map[string]any{}
	root := map[string]any{"timestamp": l.Time.UTC().Format(time.RFC3339Nano)}
	if json.Unmarshal([]byte(l.Text), &payload) == nil && len(payload) > 0 {
		root["jsonPayload"] = proofValue(payload)
	} else {
		root["textPayload"] = words.Clean(l.Text, 3*mostProofText)
	}
	best := encoded(root)
	if filter == nil {
		return best, false
	}
	branches, err := filter.Branches()
	if err != nil {
		return best, false
	}
	for _, branch := range branches {
		filled := cloned(root)
		for _, term := range branch {
			if term.Op == "=" && !term.Negated && !term.Converted {
				fill(filled, term.Path, term.Value)
			}
		}
		if entry := encoded(filled); filter.Match(logs.ParseLine([]byte(entry))) {
			return entry, true
		}
	}
	return best, false
}

// proofValue is a value with its texts redacted and cut.
func proofValue(v any) any {
	switch v := v.(type) {
	case string:
		return words.Clean(v, mostProofText)
	case map[string]any:
		out := map[string]any{}
		for name, each := range v {
			out[words.Clean(name, 60)] = proofValue(each)
		}
		return out
	case []any:
		var out []any
		for _, each := range v[:min(len(v), 10)] {
			out = append(out, proofValue(each))
		}
		return out
	}
	return v
}

func encoded(v map[string]any) string {
	text, err := json.Marshal(v)
	if err != nil { // what JSON was made of, and texts, always marshal
		return "{}"
	}
	return string(visible(text))
}

func cloned(v map[string]any) map[string]any {
	out := map[string]any{}
	for name, each := range v {
		if inner, ok := each.(map[string]any); ok {
			each = cloned(inner)
		}
		out[name] = each
	}
	return out
}

// fill puts a value at a path, unless there is one.
func fill(root map[string]any, path, value string) {
	parsed, err := lql.ParsePath(path)
	names := parsed.Names()
	if err != nil || len(names) == 0 {
		return
	}
	for _, name := range names[:len(names)-1] {
		inner, ok := root[name].(map[string]any)
		if !ok {
			if root[name] != nil {
				return
			}
			inner = map[string]any{}
			root[name] = inner
		}
		root = inner
	}
	if last := names[len(names)-1]; root[last] == nil {
		root[last] = value
	}
}
