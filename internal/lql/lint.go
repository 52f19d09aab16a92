package lql

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/logs"
)

// Lint is something in a filter that is allowed and probably not what was meant.
type Lint struct {
	// At is where the term begins, Term what it is as Filter.String writes it.
	At   Position
	Term string
	// Text says what the term does.
	Text string
	// Mend is what to write in its place, itself a filter; "" where only its author can say.
	Mend string
}

// String is the lint as a line for people: its place, the term, what is wrong, what to write.
func (l Lint) String() string {
	return fmt.Sprintf("line %d, column %d: %s", l.At.Line, l.At.Column, l.Said())
}

// Said is String without the place.
func (l Lint) Said() string {
	s := shorten(l.Term) + ": " + l.Text
	if l.Mend != "" {
		s += "; write " + l.Mend
	}
	return s
}

// Lints finds the language's traps in the filter, in the order of their places. None of them is an error: Match does
// what the server does.
func (f *Filter) Lints() []Lint {
	var l linter
	if f.Root != nil {
		l.node(f.Root, false, nil)
	}
	slices.SortStableFunc(l.found, func(a, b Lint) int {
		if a.At.Line != b.At.Line {
			return a.At.Line - b.At.Line
		}
		return a.At.Column - b.At.Column
	})
	return l.found
}

type linter struct {
	found []Lint
}

func (l *linter) add(at Position, n Node, text, mend string) {
	l.found = append(l.found, Lint{At: at, Term: printed(n), Text: text, Mend: mend})
}

// node looks at a tree; beside are the terms that must hold together with it.
func (l *linter) node(n Node, negated bool, beside []Node) {
	switch n := n.(type) {
	case *And:
		for i, item := range n.Items {
			if g, ok := item.(*Global); ok {
				l.typo(g, n.Items[i+1:])
				continue
			}
			l.node(item, negated, slices.Concat(beside, n.Items[:i], n.Items[i+1:]))
		}
	case *Or:
		l.either(n, negated, beside)
	case *Not:
		if c, ok := n.Item.(*Compare); ok {
			l.notByDefault(c, beside)
		}
		l.node(n.Item, !negated, nil)
	case *Compare:
		l.compare(n, negated, beside)
	case *Global:
		l.typo(n, nil)
	case *Call:
		if n.Name == "log_id" {
			l.logID(n)
		}
		if n.Name == "sample" {
			l.add(n.At, n, "a fraction of 1 selects every entry; a smaller one cannot be reproduced outside the server, because its hash is not published", "")
		}
	}
}

// either looks at terms joined by OR: those that together say `!=` of one field, and those beside a test that it is missing.
func (l *linter) either(n *Or, negated bool, beside []Node) {
	unequal := map[string][]*Compare{}
	missing := map[string]bool{}
	for _, item := range n.Items {
		if c, ok := item.(*Compare); ok && (c.Op == NotEqual || c.Op == MatchesNot) && c.Other == nil {
			key := operandText(c.Left) + string(c.Op)
			unequal[key] = append(unequal[key], c)
		}
		if not, ok := item.(*Not); ok {
			if c, ok := not.Item.(*Compare); ok && c.Any {
				missing[operandText(c.Left)] = true
			}
		}
	}
	for _, item := range n.Items {
		c, ok := item.(*Compare)
		if !ok {
			l.node(item, negated, beside)
			continue
		}
		same := unequal[operandText(c.Left)+string(c.Op)]
		switch {
		case len(same) > 1 && same[0] == c:
			l.unequalList(same)
		case len(same) > 1:
		case missing[operandText(c.Left)]:
			l.constant(c)
		default:
			l.node(c, negated, beside)
		}
	}
}

// unequalList is x!=("a" OR "b").
func (l *linter) unequalList(same []*Compare) {
	list := &Or{}
	for _, c := range same {
		list.Items = append(list.Items, c)
	}
	var values []string
	for _, c := range same {
		values = append(values, literalText(c.Value))
	}
	op := Equal
	if same[0].Op == MatchesNot {
		op = Matches
	}
	l.add(same[0].At, list, "holds for nearly every entry, because what is equal to one value differs from another",
		fmt.Sprintf("NOT %s%s(%s)", operandText(same[0].Left), op, strings.Join(values, " OR ")))
}

func (l *linter) compare(c *Compare, negated bool, beside []Node) {
	if l.constant(c) {
		return
	}
	switch c.Op {
	case NotEqual, MatchesNot:
		if mayMiss(c.Left) {
			l.missing(c, negated, beside)
			return
		}
	}
	l.byDefault(c, negated, beside)
}

// missing is `!=` on what an entry need not have.
func (l *linter) missing(c *Compare, negated bool, beside []Node) {
	path := operandText(c.Left)
	positive := *c
	if positive.Op = Equal; c.Op == MatchesNot {
		positive.Op = Matches
	}
	switch {
	case c.Other == nil && c.constant.null:
	case c.Op == NotEqual && !negated && c.Value.Quoted && c.Value.Text == "": // asks for one that is not empty
	case negated:
		l.add(c.At, c, fmt.Sprintf("is false for entries without %s, so that its NOT matches them; put no NOT before it", path), printed(&positive))
	case slices.ContainsFunc(beside, func(n Node) bool {
		o, ok := n.(*Compare)
		return ok && operandText(o.Left) == path && o.Op != NotEqual && o.Op != MatchesNot
	}):
	default:
		l.add(c.At, c, fmt.Sprintf("skips entries without %s, and those where it is null", path), "NOT "+printed(&positive))
	}
}

// alwaysSet are the LogEntry's own fields that Cloud Logging gives every entry, or whose default means something.
var alwaysSet = map[string]bool{"timestamp": true, "receiveTimestamp": true, "logName": true, "resource": true, "insertId": true, "severity": true}

// nothing is an entry without any field.
var nothing = &logs.Entry{Root: logs.Value{Kind: logs.Object}}

// byDefault is a comparison of a LogEntry's field that its default satisfies.
func (l *linter) byDefault(c *Compare, negated bool, beside []Node) {
	f, ok := defaulted(c)
	text := ok && f.leaf.Type == logs.StringType
	if negated || !ok || text && c.Op == Equal || c.Op == Has || !c.match(nothing) {
		return
	}
	// A term beside it that asks the same message, and that an entry without it does not satisfy, rules those out.
	if slices.ContainsFunc(beside, func(n Node) bool { return asksFor(n, f.Path[0]) }) {
		return
	}
	there := thereOf(f)
	l.add(c.At, c, fmt.Sprintf("matches every entry without %s too, because a field that is not set is compared as its default", there),
		fmt.Sprintf("(%s:* AND %s)", there, printed(c)))
}

// notByDefault is NOT before a comparison of a LogEntry's field that its default does not satisfy: NOT latency>="1s".
func (l *linter) notByDefault(c *Compare, beside []Node) {
	f, ok := defaulted(c)
	ordering := c.Op == Less || c.Op == LessEqual || c.Op == Greater || c.Op == GreaterEqual
	if !ok || !ordering || c.match(nothing) || slices.ContainsFunc(beside, func(n Node) bool { return asksFor(n, f.Path[0]) }) {
		return
	}
	if typ, typed := typeOf(c.Left); typed && !convertible(c.constant, typ) {
		return
	}
	there := thereOf(f)
	not := &Not{Item: c}
	l.add(c.At, not, fmt.Sprintf("matches every entry without %s too, because a field that is not set is compared as its default", there),
		fmt.Sprintf("(%s:* AND %s)", there, printed(not)))
}

// defaulted is the field that a comparison with a constant compares, if it has a default that means nothing.
func defaulted(c *Compare) (*Field, bool) {
	f, ok := c.Left.(*Field)
	return f, ok && c.Other == nil && !c.Any && c.constant != nil && !c.constant.null && !free(f.leaf.Type) && !alwaysSet[f.Path[0]]
}

// thereOf is what to ask for so that a field's default does not count.
func thereOf(f *Field) string {
	if len(f.Path) == 1 {
		return f.String()
	}
	return f.Path[0]
}

// asksFor says whether a term is about that message and does not hold without it.
func asksFor(n Node, message string) bool {
	c, ok := n.(*Compare)
	if !ok || c.match(nothing) {
		return false
	}
	names := Path{operand: c.Left}.Names()
	return len(names) > 0 && names[0] == message
}

// constant looks at a comparison's constant and says whether there is something wrong with it.
func (l *linter) constant(c *Compare) bool {
	if c.Any || c.Other != nil || c.constant == nil || c.constant.null {
		return false
	}
	if l.word(c.At, c, c.Value) || l.trap(c) {
		return true
	}
	typ, typed := typeOf(c.Left)
	path := operandText(c.Left)
	ordering := c.Op == Less || c.Op == LessEqual || c.Op == Greater || c.Op == GreaterEqual
	switch {
	case (c.Op == Matches || c.Op == MatchesNot) && typed && typ != logs.StringType:
		l.add(c.At, c, fmt.Sprintf("matches nothing: only text can be matched with a regular expression, and %s is %s", path, typeNames[typ]), "")
	case c.Op == Matches || c.Op == MatchesNot:
		return false
	case typed && !convertible(c.constant, typ):
		text := fmt.Sprintf("matches nothing, whatever the operator: %s is %s, and %s is none", path, typeNames[typ], literalText(c.Value))
		l.add(c.At, c, text, c.mended(typ))
	case !typed && compound(c.Value.Text):
		l.add(c.At, c, "is compared as text, or not at all: a duration has one unit (ns, us, ms, s, m or h)", "")
	case typed && typ == logs.StringType && ordering && c.constant.isNumber:
		l.add(c.At, c, fmt.Sprintf("compares text, letter by letter: %q is more than %q", "99", "500"), fmt.Sprintf("cast(%s, FLOAT64)%s%s", path, c.Op, c.Value.Text))
	default:
		return false
	}
	return true
}

// word is and, or and not in lower case, what they are called elsewhere, and text in single quotes.
func (l *linter) word(at Position, n Node, lit Literal) bool {
	if strings.HasPrefix(lit.Text, "'") && !lit.Quoted {
		l.add(at, n, "looks for the single quote too: text stands between double quotes", "")
		return true
	}
	if op := map[string]string{"&&": "AND", "&": "AND", "||": "OR", "|": "OR", "!": "NOT"}[lit.Text]; op != "" && !lit.Quoted {
		l.add(at, n, fmt.Sprintf("is text to look for: the operator is written %s; quote it if it is meant", op), "")
		return true
	}
	if up := strings.ToUpper(lit.Text); !lit.Quoted && (up == "AND" || up == "OR" || up == "NOT") {
		l.add(at, n, fmt.Sprintf("is a word to look for: the operator is written %s; quote the word if it is meant", up), "")
		return true
	}
	return false
}

// mayMiss says whether entries need not have what the operand yields.
func mayMiss(o Operand) bool {
	f, ok := o.(*Field)
	return !ok || free(f.leaf.Type) || inRepeated(f)
}

// typeOf is the type that an operand's values have, if it is known.
func typeOf(o Operand) (logs.FieldType, bool) {
	switch o := o.(type) {
	case *Field:
		if o.leaf.Type == logs.MapType && len(o.Path) > o.known {
			return logs.StringType, true
		}
		return o.leaf.Type, !free(o.leaf.Type) && o.leaf.Type != logs.MessageType
	case *Extract:
		return logs.StringType, true
	case *Cast:
		typ, ok := map[string]logs.FieldType{"STRING": logs.StringType, "INT64": logs.Int64Type, "BOOL": logs.BoolType, "TIMESTAMP": logs.TimestampType,
			"DURATION": logs.DurationType}[o.Type]
		return typ, ok
	}
	return 0, false
}

var typeNames = map[logs.FieldType]string{logs.StringType: "text", logs.Int64Type: "a whole number", logs.BoolType: "true or false", logs.EnumType: "a severity",
	logs.TimestampType: "a time", logs.DurationType: "a duration with one unit"}

func convertible(k *constant, t logs.FieldType) bool {
	switch t {
	case logs.Int64Type:
		return k.isInt
	case logs.BoolType:
		return k.isBool
	case logs.EnumType:
		return k.isEnum
	case logs.TimestampType:
		return k.isTime
	case logs.DurationType:
		return k.isDuration
	}
	return true
}

// severityWords are names that loggers give severities.
var severityWords = map[string]string{"WARN": "WARNING", "ERR": "ERROR", "SEVERE": "ERROR", "FATAL": "CRITICAL", "CRIT": "CRITICAL", "PANIC": "CRITICAL", "TRACE": "DEBUG",
	"VERBOSE": "DEBUG", "INFORMATION": "INFO", "EMERG": "EMERGENCY"}

// mended is the comparison with a constant of the type that is probably meant, or "".
func (c *Compare) mended(t logs.FieldType) string {
	better := *c
	switch t {
	case logs.EnumType:
		name := severityWords[strings.ToUpper(c.Value.Text)]
		if name == "" {
			name = nearest(c.Value.Text, severityNames)
		}
		better.Value = Literal{Text: name}
	case logs.DurationType:
		if d := mendedDuration(c.Value.Text); d != "" {
			better.Value = Literal{Text: d, Quoted: true}
		} else if c.constant.isNumber {
			better.Value = Literal{Text: c.Value.Text + "s", Quoted: true}
		} else {
			return ""
		}
	case logs.TimestampType:
		better.Value = Literal{Text: mendedTime(c.Value.Text), Quoted: true}
	default:
		return ""
	}
	if better.Value.Text == "" {
		return ""
	}
	return printed(&better)
}

// compound says whether a text is a duration of several units.
func compound(s string) bool {
	if _, err := time.ParseDuration(s); err != nil {
		return false
	}
	_, one := parseDuration(s)
	return !one && strings.ContainsAny(s, "smh")
}

func printed(n Node) string {
	var b strings.Builder
	printNode(&b, n)
	return b.String()
}

func operandText(o Operand) string {
	var b strings.Builder
	printOperand(&b, o)
	return b.String()
}

func literalText(l Literal) string {
	var b strings.Builder
	printLiteral(&b, l)
	return b.String()
}
