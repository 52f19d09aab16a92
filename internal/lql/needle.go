package lql

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"tocsin/internal/logs"
)

// needle is a text that stands in a line's bytes if the line's entry matches some filter, in any case of its ASCII letters.
// What may hide it (an escape, a byte that is not ASCII) is looked for too: see haystack.go.
type needle struct {
	text string // folded
	// holds, if set, says of the value behind text, which is a name in quotes, whether it may be what the filter asks for.
	holds *leaf
	// log says that it is of a log's name, in which any character may be written as %XX.
	log   bool
	rank  int
	rules []int32
}

const (
	// shortestNeedle is how long a needle is at least: looking for shorter ones costs more than reading the lines.
	shortestNeedle = 5
	// longestNeedle is how long one is at most: of a longer text the beginning tells enough.
	longestNeedle = 512
	// mostNeedles is how many needles a filter's alternatives may need.
	mostNeedles = 64
	// payloadRank is what a needle in a payload is worth more than one in what says where an entry is from.
	payloadRank = 64
)

// needlesOf is the needles of which each entry that matches n holds at least one, written as a line; false if there are none, or
// none that is worth looking for.
func needlesOf(n Node) ([]needle, bool) { return joinNeedles(n, lineNeedles) }

// joinNeedles is the needles of a tree by those of its terms.
func joinNeedles(n Node, ofTerm func(Node) ([]needle, bool)) ([]needle, bool) {
	switch n := n.(type) {
	case *And:
		var best []needle
		for _, item := range n.Items {
			if found, ok := joinNeedles(item, ofTerm); ok && (best == nil || rankOf(found) > rankOf(best)) {
				best = found
			}
		}
		return best, best != nil
	case *Or:
		var all []needle
		for _, item := range n.Items {
			found, ok := joinNeedles(item, ofTerm)
			if !ok || len(all)+len(found) > mostNeedles {
				return nil, false
			}
			all = append(all, found...)
		}
		return all, true
	case *Not:
		return nil, false
	}
	return ofTerm(n)
}

// lineNeedles is the needles of a term in a line.
func lineNeedles(n Node) ([]needle, bool) {
	switch n := n.(type) {
	case *Compare:
		return compareNeedles(n)
	case *Global:
		if n.constant.manyForms() {
			return nil, false
		}
		return oneNeedle(n.constant.folded, "", payloadRank)
	case *Call:
		return callNeedles(n)
	}
	return nil, false
}

// manyForms says whether an entry may hold the constant, in a field of some type, otherwise than as its text: 1500ms as 1.5s.
func (k *constant) manyForms() bool {
	return k.null || k.isNumber || k.isBool || k.isEnum || k.isInt || k.isTime || k.isDuration
}

// rankOf is the rank of the worst of some needles: the most frequent is what costs.
func rankOf(needles []needle) int {
	worst := needles[0].rank
	for _, n := range needles {
		worst = min(worst, n.rank)
	}
	return worst
}

// escapable are the characters that writers of JSON commonly escape; a needle is cut at them. Any other escape makes a line
// be read.
func escapable(r rune) bool {
	return r < 0x20 || r == '"' || r == '\\' || r == '<' || r == '>' || r == '&'
}

// oneNeedle is the longest piece of a text that no escape can stand in; at further cuts it is cut too.
func oneNeedle(text, cuts string, rank int) ([]needle, bool) {
	return longestPiece(text, cuts, rank, false)
}

// stringNeedle is oneNeedle of a text that is all of a JSON string, with its quotes if no cut is there.
func stringNeedle(text, cuts string, rank int) ([]needle, bool) {
	return longestPiece(text, cuts, rank, true)
}

func longestPiece(text, cuts string, rank int, quoted bool) ([]needle, bool) {
	pieces := strings.FieldsFunc(text, func(r rune) bool { return escapable(r) || strings.ContainsRune(cuts, r) })
	if len(pieces) == 0 {
		return nil, false
	}
	starts, ends := strings.HasPrefix(text, pieces[0]), strings.HasSuffix(text, pieces[len(pieces)-1])
	if quoted && starts {
		pieces[0] = `"` + pieces[0]
	}
	if quoted && ends {
		pieces[len(pieces)-1] += `"`
	}
	best := slices.MaxFunc(pieces, func(a, b string) int { return len(a) - len(b) })
	if len(best) < shortestNeedle {
		return nil, false
	}
	best = best[:min(len(best), longestNeedle)]
	return []needle{{text: best, rank: rank + min(len(best), payloadRank-1)}}, true
}

// compareNeedles is the needles of a comparison.
func compareNeedles(c *Compare) ([]needle, bool) {
	f, plain := c.Left.(*Field)
	if !plain {
		return operandNeedles(c.Left)
	}
	if c.Other != nil {
		return nil, false
	}
	if found, ok := fieldNeedles(c, f); ok {
		return found, true
	}
	return nameNeedles(c, f, f.isTyped())
}

// isTyped says whether the schema knows the type of what is in the field, and that it is no message.
func (f *Field) isTyped() bool {
	return f.known == len(f.Path) && f.leaf.Type != logs.MessageType && !free(f.leaf.Type)
}

// fieldNeedles is the text that a field must hold for a comparison with it.
func fieldNeedles(c *Compare, f *Field) ([]needle, bool) {
	typed := f.isTyped()
	if typed && f.leaf.Type != logs.StringType || c.Any {
		return nil, false
	}
	rank := 0
	switch f.Path[0] {
	case "jsonPayload", "textPayload", "protoPayload":
		rank = payloadRank
	}
	switch c.Op {
	case Equal, Has:
		return textNeedle(c, f, typed, rank)
	case Matches:
		if tree, err := syntax.Parse(c.Value.Text, syntax.Perl); err == nil {
			return patternNeedles(tree, rank)
		}
	}
	return nil, false
}

// textNeedle is the needle of a comparison with text for equality, or for being contained.
func textNeedle(c *Compare, f *Field, typed bool, rank int) ([]needle, bool) {
	k := c.constant
	if k.null || k.folded == "" {
		return nil, false
	}
	if typed {
		// The field may have come as a number, or as a list that is written otherwise.
		const cuts = ",:[]{}"
		switch {
		case strings.ContainsRune(k.folded, '\\') || c.Op == Has && k.isNumber: // a list's numbers are compared as such
			return nil, false
		case c.Op == Has || f.leaf == textPayload || k.isNumber || k.isBool || strings.ContainsAny(k.folded[:1], "[{-0123456789"):
			return oneNeedle(k.folded, cuts, rank)
		}
		return stringNeedle(k.folded, cuts, rank)
	}
	// Numbers and booleans can be written in several ways, what a protocol buffer held too, and all that a message's fields hold.
	if f.leaf.Type == logs.MessageType && k.manyForms() {
		return nil, false
	}
	if k.isNumber || k.isBool || k.isInt || f.leaf.Type == logs.AnyType && (k.isTime || k.isDuration) {
		return nil, false
	}
	if c.Op == Has {
		return oneNeedle(k.folded, "", rank)
	}
	return stringNeedle(k.folded, "", rank)
}

// nameNeedles is the name of a field that must be there for the comparison to hold.
func nameNeedles(c *Compare, f *Field, typed bool) ([]needle, bool) {
	it := item{}
	names := []string{f.Path[len(f.Path)-1]}
	switch {
	case typed:
		// A timestamp may be made from what a plain log line calls otherwise; text may be all of a line.
		if f.leaf.Type == logs.TimestampType || f.leaf == textPayload {
			return nil, false
		}
		it = item{typed: true, typ: f.leaf.Type, unset: true}
		if c.holds(it) {
			return nil, false // its default is what the filter asks for
		}
		it.unset = false
		if s := logs.SnakeCase(names[0]); s != names[0] {
			names = append(names, s)
		}
		if f.leaf.Type == logs.EnumType {
			names = []string{"severity", "level"}
		}
	case (f.leaf.Type == logs.StructType || f.leaf.Type == logs.MapType) && len(f.Path) > f.known:
		if len(f.Path) > f.known+1 && f.leaf.Type == logs.MapType {
			return nil, false
		}
	default:
		return nil, false
	}
	var out []needle
	for _, name := range names {
		if len(name) < shortestNeedle || !isASCII(name) || strings.ContainsFunc(name, escapable) {
			return nil, false
		}
		l := newLeaf(c)
		l.like = it
		if typed && it.typ == logs.EnumType {
			l.level = name
		}
		out = append(out, needle{text: `"` + strings.ToLower(name) + `"`, holds: l, rank: -payloadRank + min(len(name), payloadRank-1)})
	}
	return out, true
}

// operandNeedles is what must be there for cast or regexp_extract to yield anything.
func operandNeedles(o Operand) ([]needle, bool) {
	switch o := o.(type) {
	case *Cast:
		return operandNeedles(o.Of)
	case *Extract:
		if _, ok := o.Of.(*Field); !ok {
			return operandNeedles(o.Of)
		}
		tree, err := syntax.Parse(o.Pattern, syntax.Perl)
		if err != nil {
			return nil, false
		}
		return patternNeedles(tree, 0)
	}
	return nil, false
}

// patternNeedles is the needles of a regular expression.
func patternNeedles(re *syntax.Regexp, rank int) ([]needle, bool) {
	switch re.Op {
	case syntax.OpLiteral:
		text, cuts := lowerASCII(string(re.Rune)), ""
		if re.Flags&syntax.FoldCase != 0 {
			if !isASCII(text) {
				return nil, false
			}
			cuts = "ks" // the Kelvin sign and the long s are the same letters
		}
		if !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError) {
			return nil, false
		}
		return oneNeedle(text, cuts, rank)
	case syntax.OpCapture, syntax.OpPlus:
		return patternNeedles(re.Sub[0], rank)
	case syntax.OpRepeat:
		if re.Min > 0 {
			return patternNeedles(re.Sub[0], rank)
		}
	case syntax.OpConcat:
		var best []needle
		for _, sub := range re.Sub {
			if found, ok := patternNeedles(sub, rank); ok && (best == nil || rankOf(found) > rankOf(best)) {
				best = found
			}
		}
		return best, best != nil
	case syntax.OpAlternate:
		var all []needle
		for _, sub := range re.Sub {
			found, ok := patternNeedles(sub, rank)
			if !ok || len(all)+len(found) > mostNeedles {
				return nil, false
			}
			all = append(all, found...)
		}
		return all, true
	}
	return nil, false
}

// usualLogs are the logs that hold most of what a cluster says: that an entry is of one tells little.
var usualLogs = []string{"stdout", "stderr", "requests", "events", "cloudaudit.googleapis.com/activity", "cloudaudit.googleapis.com/data_access"}

// logNeedles is how a log's id stands in a line: behind /logs/, and its slashes, if it has any, as they are or as %2F. Lines that write
// any other character as %XX are hazards.
func logNeedles(id string) ([]needle, bool) {
	if !isASCII(id) || id == "" || strings.ContainsFunc(id, escapable) || strings.ContainsRune(id, '%') {
		return nil, false
	}
	rank := 0
	if !slices.Contains(usualLogs, id) {
		rank = payloadRank
	}
	spellings := []string{id, strings.Replace(id, "/", "%2f", 1)}
	if strings.Count(id, "/") > 1 {
		id, _, _ = strings.Cut(id, "/")
		spellings = []string{id + "/", id + "%2f"}
	}
	var out []needle
	for _, s := range slices.Compact(spellings) {
		text := "/logs/" + s
		if len(text) > longestNeedle {
			return nil, false
		}
		out = append(out, needle{text: text, log: true, rank: rank + min(len(text), payloadRank-1)})
	}
	return out, true
}

// callNeedles is the needles of a function that matches by itself.
func callNeedles(c *Call) ([]needle, bool) {
	switch c.Name {
	case "log_id":
		return logNeedles(fold(c.Value.Text))
	case "source":
		return oneNeedle(fold(c.Value.Text), ",:[]{}", 0)
	case "SEARCH":
		terms, _ := searchTerms(c.Value.Text)
		var best []needle
		for _, t := range terms {
			found, ok := oneNeedle(t.text, "", payloadRank)
			if ok && (best == nil || rankOf(found) > rankOf(best)) {
				best = found
			}
		}
		return best, best != nil
	}
	return nil, false
}

// wireNeedlesOf is needlesOf for what came as a protocol buffer: its strings stand there as they are, nothing has a name, and numbers,
// times and severities are no text. What a protoPayload holds is looked for otherwise: see logs.Picker.Message.
func wireNeedlesOf(n Node) ([]needle, bool) { return joinNeedles(n, wireNeedles) }

func wireNeedles(n Node) (found []needle, ok bool) {
	switch n := n.(type) {
	case *Call:
		if n.Name != "log_id" { // a message's hazards are not looked for
			found, ok = callNeedles(n)
		}
	case *Compare:
		if f, plain := n.Left.(*Field); plain && n.Other == nil {
			found, ok = fieldNeedles(n, f)
		} else if x, isExtract := n.Left.(*Extract); isExtract {
			if f, plain := x.Of.(*Field); plain && (!f.isTyped() || f.leaf.Type == logs.StringType) {
				found, ok = operandNeedles(x)
			}
		}
	default:
		found, ok = lineNeedles(n)
	}
	for i := range found {
		// A JSON string's quotes are not there; and what is no number to JSON is a number here.
		text := strings.Trim(found[i].text, `"`)
		if found[i].text = text; len(text) < shortestNeedle || strings.Contains("-infinity", text) {
			return nil, false
		}
	}
	return found, ok
}
