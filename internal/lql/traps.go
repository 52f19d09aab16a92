package lql

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"tocsin/internal/logs"
)

// typo looks at a text to search for that was probably meant as something else; after are the terms behind it.
func (l *linter) typo(g *Global, after []Node) {
	lit := g.Value
	if lit.Quoted || l.word(g.At, g, lit) {
		return
	}
	switch {
	case strings.ContainsAny(lit.Text, "≥≤≠"):
		fixed := strings.NewReplacer("≥", ">=", "≤", "<=", "≠", "!=").Replace(lit.Text)
		mend := ""
		if f, err := Parse(fixed); err == nil {
			mend = f.String()
		}
		l.add(g.At, g, "is text to look for: the operators are written >=, <= and !=; quote the text if it is meant", mend)
	case strings.HasPrefix(lit.Text, "–") || strings.HasPrefix(lit.Text, "—"):
		l.add(g.At, g, "is text to look for: a comment begins with two hyphens, --; quote the text if it is meant", "")
	case g.At.Column == 1 && (strings.HasPrefix(lit.Text, "#") || strings.HasPrefix(lit.Text, "//")):
		l.add(g.At, g, "is text to look for: a comment begins with --; quote the text if it is meant", "")
	default:
		l.fieldName(g, after)
	}
}

// fieldName looks for the name of a LogEntry's field where a comparison was probably meant: textPayload contains "x".
func (l *linter) fieldName(g *Global, after []Node) {
	f := logs.EntrySchema().Field(g.Value.Text)
	if f == nil {
		return
	}
	if len(after) > 1 {
		op, opOK := after[0].(*Global)
		value, valueOK := after[1].(*Global)
		if opOK && !op.Value.Quoted {
			if known, ok := wordOperators[strings.ToLower(op.Value.Text)]; ok && valueOK {
				if known == Matches {
					value = &Global{Value: Literal{Text: strings.Trim(value.Value.Text, "%"), Quoted: true}}
				}
				mend := f.Name + string(known) + literalText(value.Value)
				if _, err := Parse(mend); err != nil {
					mend = ""
				}
				l.add(g.At, g, fmt.Sprintf("is a word to look for, and %s another: the operator is written %s", op.Value.Text, known), mend)
				return
			}
			if strings.EqualFold(op.Value.Text, "in") {
				l.add(g.At, g, fmt.Sprintf("is a word to look for, and %s another: a list of values is written %s=(\"a\" OR \"b\")", op.Value.Text, f.Name), "")
				return
			}
		}
	}
	// The other names are words of their own, which people look for.
	if strings.ToLower(f.Name) != f.Name || f.Name == "severity" || f.Name == "timestamp" {
		l.add(g.At, g, "is a word to look for: to ask whether the field is there write "+f.Name+":*; quote the word if it is meant", "")
	}
}

// trap looks for what was probably not meant in a comparison with a constant, and says whether there is any.
func (l *linter) trap(c *Compare) bool {
	switch {
	case l.index(c), l.null(c), l.stars(c), l.slashes(c):
		return true
	}
	f, ok := c.Left.(*Field)
	return ok && len(f.Path) == 1 && f.Path[0] == "logName" && l.logName(c)
}

var indexed = regexp.MustCompile(`\[[0-9*]*\]$`)

// index is a path with a place in an array: items[0].name.
func (l *linter) index(c *Compare) bool {
	f, ok := c.Left.(*Field)
	if !ok || !slices.ContainsFunc(f.Path[f.known:], indexed.MatchString) {
		return false
	}
	without := *f
	without.Path = slices.Clone(f.Path)
	for i := f.known; i < len(without.Path); i++ {
		without.Path[i] = indexed.ReplaceAllString(without.Path[i], "")
	}
	if slices.Contains(without.Path, "") {
		return false
	}
	better := *c
	better.Left = &without
	l.add(c.At, c, "looks for a field whose name holds the brackets: a path has no index, any element of an array will do", printed(&better))
	return true
}

// null is x=null.
func (l *linter) null(c *Compare) bool {
	if c.Value.Quoted || !strings.EqualFold(c.Value.Text, "null") || c.Op != Equal && c.Op != NotEqual {
		return false
	}
	typ, typed := typeOf(c.Left)
	better := *c
	if better.Value = (Literal{Text: "NULL_VALUE"}); typed {
		better = Compare{At: c.At, Left: c.Left, Op: Has, Any: true}
	}
	mend := printed(&better)
	if typed && c.Op == Equal {
		mend = "NOT " + mend
	}
	what := "the text null"
	if typed && typ != logs.StringType {
		what = "null, which is no value here"
	}
	l.add(c.At, c, "compares with "+what, mend)
	return true
}

// stars are wildcards, which the language does not have. One beside a space is text, as in SELECT *.
func (l *linter) stars(c *Compare) bool {
	s := c.Value.Text
	first, last := strings.HasPrefix(s, "*"), strings.HasSuffix(s, "*")
	switch {
	case c.Op == Equal && (first != last || len(s) > 1 && first):
	case c.Op == Has && (first && !strings.HasPrefix(s, "* ") || last && !strings.HasSuffix(s, " *")):
	default:
		return false
	}
	has := *c
	has.Op, has.Value = Has, Literal{Text: strings.Trim(s, "*"), Quoted: true}
	has.Any = has.Value.Text == ""
	l.add(c.At, c, "looks for the star itself: there are no wildcards", printed(&has))
	return true
}

// slashed is a regular expression as other languages quote it, with flags behind it that are no name of a path.
var slashed = regexp.MustCompile(`^/(.+)/(i|g|gi|ig|m|gm|mg)$`)

// slashes is =~"/foo/i".
func (l *linter) slashes(c *Compare) bool {
	if c.Op != Matches && c.Op != MatchesNot {
		return false
	}
	m := slashed.FindStringSubmatch(c.Value.Text)
	if m == nil {
		return false
	}
	flags := ""
	if f := strings.ReplaceAll(m[2], "g", ""); f != "" {
		flags = "(?" + f + ")"
	}
	better := *c
	better.Value = Literal{Text: flags + m[1], Quoted: true}
	l.add(c.At, c, "looks for the slashes too: a regular expression stands between the quotes alone, its flags before it, as in (?i)", printed(&better))
	return true
}

// logName is a name that no log has.
func (l *linter) logName(c *Compare) bool {
	s := c.Value.Text
	if s == "" || c.Op != Equal && c.Op != NotEqual && c.Op != Has {
		return false
	}
	not := ""
	if c.Op == NotEqual {
		not = "NOT "
	}
	if !strings.Contains(s, "/") && c.Op != Has {
		id := &Call{Name: "log_id", Value: Literal{Text: s, Quoted: true}}
		l.add(c.At, c, "names no log: a logName is projects/PROJECT/logs/LOG", not+printed(id))
		return true
	}
	before, id, ok := strings.Cut("/"+s, "/logs/")
	if !ok || !strings.Contains(strings.TrimSuffix(id, "/"), "/") {
		return false
	}
	better := *c
	better.Value = Literal{Text: strings.TrimPrefix(before+"/logs/"+strings.ReplaceAll(id, "/", "%2F"), "/"), Quoted: true}
	l.add(c.At, c, "names no log: within a logName the log's id is encoded, a slash is %2F", printed(&better))
	return true
}

// logID is log_id of what is no id.
func (l *linter) logID(c *Call) {
	id := c.Value.Text
	_, after, named := strings.Cut(id, "/logs/")
	switch decoded, err := url.PathUnescape(after); {
	case id == "":
		l.add(c.At, c, "matches only what has no logName", "")
		return
	case named && after != "" && err == nil:
		better := Call{Name: c.Name, Value: Literal{Text: decoded, Quoted: true}}
		l.add(c.At, c, "names no log: log_id takes what stands behind /logs/ alone", printed(&better))
		return
	}
	if decoded, err := url.PathUnescape(id); err == nil && decoded != id {
		better := Call{Name: c.Name, Value: Literal{Text: decoded, Quoted: true}}
		l.add(c.At, c, "names no log: log_id takes the id decoded, %2F is a slash", printed(&better))
	}
}

// mendedTime is a time that was written almost as RFC 3339, in UTC where it says no zone; "" if it is none.
func mendedTime(s string) string {
	for _, layout := range [...]string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04",
		"2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00", "2006/01/02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Format(time.RFC3339Nano)
		}
	}
	return ""
}

var spacedDuration = regexp.MustCompile(`^([+-]?[0-9.]+) *(ns|us|µs|μs|ms|s|m|h|d|[a-z]+)$`)

// longUnits are units as people write them.
var longUnits = map[string]string{"d": "d", "day": "d", "days": "d", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "min": "m", "mins": "m", "minute": "m",
	"minutes": "m", "hr": "h", "hour": "h", "hours": "h", "msec": "ms", "millis": "ms"}

// mendedDuration is a duration that was written almost as the language has it; "" if it is none.
func mendedDuration(s string) string {
	m := spacedDuration.FindStringSubmatch(strings.ToLower(s))
	if m == nil {
		if d, err := time.ParseDuration(s); err == nil {
			return durationText(d)
		}
		return ""
	}
	unit := m[2]
	if long := longUnits[unit]; long != "" {
		unit = long
	}
	if unit == "µs" || unit == "μs" {
		unit = "us"
	}
	if unit == "d" {
		d, err := time.ParseDuration(m[1] + "h")
		if err != nil || d.Abs() > 1<<62/24 {
			return ""
		}
		return durationText(24 * d)
	}
	if _, ok := parseDuration(m[1] + unit); !ok {
		return ""
	}
	return m[1] + unit
}
