package lql

import (
	"tocsin/internal/logs"
)

// Node is a node of a filter's tree: *And, *Or, *Not, *Compare, *Global or *Call.
type Node interface{ node() }

// And matches when all of its items do; it has two or more, none of them an *And.
type And struct{ Items []Node }

// Or matches when one of its items does; it has two or more, none of them an *Or.
type Or struct{ Items []Node }

// Not matches when its item does not.
type Not struct{ Item Node }

// Op is a comparison's operator.
type Op string

// The operators. Has is written as a colon: contains, or, before *, is there at all.
const (
	Equal        Op = "="
	NotEqual     Op = "!="
	Less         Op = "<"
	LessEqual    Op = "<="
	Greater      Op = ">"
	GreaterEqual Op = ">="
	Has          Op = ":"
	Matches      Op = "=~"
	MatchesNot   Op = "!~"
)

// Compare compares what an operand yields of an entry with a value. A value list is one Compare for each value.
type Compare struct {
	At   Position
	Left Operand
	Op   Op
	// Value is the right side, if Other is nil and Any is not set.
	Value Literal
	// Other is a function on the right side, or nil.
	Other Operand
	// Any is the * of `field:*`.
	Any bool

	constant *constant
}

// Global asks for a value in any field of the entry.
type Global struct {
	At    Position
	Value Literal

	constant *constant
}

// Call is a function that matches by itself: log_id, source, sample, ip_in_net or SEARCH, the name spelled so.
type Call struct {
	At   Position
	Name string
	// Field is the function's field, or nil if it has none (log_id, source, SEARCH over the whole entry).
	Field *Field
	// Value is its constant: the log id, the resource, the fraction, the subnet, the text to search for.
	Value Literal

	match func(*logs.Entry) bool
}

// Literal is a value as it is written, without its quotes and with its escapes resolved.
type Literal struct {
	Text   string
	Quoted bool
}

// Operand is what a comparison may have on its left side: *Field, *Extract or *Cast.
type Operand interface {
	operand()
	// each calls f with every value that the operand yields of the entry, until f says true, which it then returns. A field
	// that is missing yields nothing.
	each(e *logs.Entry, f func(item) bool) bool
}

// Field is a path into the entry.
type Field struct {
	At Position
	// Path is the path's names, those of the LogEntry itself as the API spells them.
	Path []string

	leaf  *logs.Field // the last name that the schema knows
	known int         // how many names the schema knows
}

// Extract is regexp_extract(Of, "Pattern"): what the pattern's one group found.
type Extract struct {
	At      Position
	Of      Operand
	Pattern string

	re *pattern
}

// Cast is cast(Of, Type, TIMEZONE("Zone")), the type in capitals, the zone "" if none was named.
type Cast struct {
	At   Position
	Of   Operand
	Type string
	Zone string

	to *caster
}

func (*And) node()     {}
func (*Or) node()      {}
func (*Not) node()     {}
func (*Compare) node() {}
func (*Global) node()  {}
func (*Call) node()    {}

func (*Field) operand()   {}
func (*Extract) operand() {}
func (*Cast) operand()    {}

// and joins nodes, an And among them by its items. Of one node it makes that node.
func and(nodes []Node) Node {
	var items []Node
	for _, n := range nodes {
		if a, ok := n.(*And); ok {
			items = append(items, a.Items...)
		} else {
			items = append(items, n)
		}
	}
	if len(items) == 1 {
		return items[0]
	}
	return &And{Items: items}
}

// or joins nodes, an Or among them by its items. Of one node it makes that node.
func or(nodes []Node) Node {
	var items []Node
	for _, n := range nodes {
		if o, ok := n.(*Or); ok {
			items = append(items, o.Items...)
		} else {
			items = append(items, n)
		}
	}
	if len(items) == 1 {
		return items[0]
	}
	return &Or{Items: items}
}

// Conjuncts are the terms that must all hold for the filter to match; none for the empty filter.
func (f *Filter) Conjuncts() []Node {
	switch n := f.Root.(type) {
	case nil:
		return nil
	case *And:
		return n.Items
	default:
		return []Node{n}
	}
}

// evaluate says whether the tree matches the entry.
func evaluate(n Node, e *logs.Entry) bool {
	switch n := n.(type) {
	case *And:
		for _, item := range n.Items {
			if !evaluate(item, e) {
				return false
			}
		}
		return true
	case *Or:
		for _, item := range n.Items {
			if evaluate(item, e) {
				return true
			}
		}
		return false
	case *Not:
		return !evaluate(n.Item, e)
	case *Compare:
		return n.match(e)
	case *Global:
		return n.match(e)
	case *Call:
		return n.match(e)
	}
	return false
}
