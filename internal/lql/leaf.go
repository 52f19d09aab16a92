package lql

import (
	"tocsin/internal/logs"
)

// leaf is a term that filters of a set share.
type leaf struct {
	node Node
	// left and holds are a comparison's, kept so that asking allocates nothing.
	left  Operand
	holds func(item) bool
	// like is a value as the compared field yields it, for mayHold.
	like item
	// level says under which name, beside the field's own, a plain log line tells its severity; "" if that is not asked for.
	level string
}

func newLeaf(n Node) *leaf {
	l := &leaf{node: n}
	if c, ok := n.(*Compare); ok && c.Other == nil {
		l.left, l.holds = c.Left, c.holds
	}
	return l
}

// match says whether the term holds for the entry.
func (l *leaf) match(e *logs.Entry) bool {
	if l.holds == nil {
		return evaluate(l.node, e)
	}
	if f, ok := l.left.(*Field); ok {
		return f.each(e, l.holds)
	}
	return l.left.each(e, l.holds)
}

// mayHold says whether the value that stands behind a name at b[at:] may be one for which the comparison holds.
func (l *leaf) mayHold(b []byte, at int) bool {
	space := func() {
		for at < len(b) && (b[at] == ' ' || b[at] == '\t' || b[at] == '\r') {
			at++
		}
	}
	space()
	if at >= len(b) || b[at] != ':' {
		return false // no name
	}
	at++
	space()
	v, ok := logs.Scalar(b[at:])
	if !ok {
		return true
	}
	it := l.like
	it.v = v
	if l.level != "level" && l.holds(it) {
		return true
	}
	if l.level == "" {
		return false
	}
	name, ok := logs.LevelName(v, l.level == "level")
	it.v = logs.Value{Kind: logs.String, Str: name}
	return ok && l.holds(it)
}

// cost is about how dear a term is: of several that must hold the cheap ones are asked first.
func cost(n Node) int {
	switch n := n.(type) {
	case *Compare:
		_, plain := n.Left.(*Field)
		switch {
		case n.Other != nil:
			return 50
		case n.Op == Matches || n.Op == MatchesNot:
			return 20
		case !plain:
			return 30
		case n.Op == Has:
			return 3
		}
		return 1
	case *Global:
		return 100
	case *Call:
		if n.Name == "SEARCH" {
			return 100
		}
		return 5
	case *And:
		return costs(n.Items)
	case *Or:
		return costs(n.Items)
	case *Not:
		return cost(n.Item)
	}
	return 0
}

func costs(items []Node) int {
	sum := 0
	for _, item := range items {
		sum += cost(item)
	}
	return sum
}

// eachTerm calls f with every term of a tree: what is no And, Or or Not.
func eachTerm(n Node, f func(term Node)) {
	switch n := n.(type) {
	case *And:
		for _, item := range n.Items {
			eachTerm(item, f)
		}
	case *Or:
		for _, item := range n.Items {
			eachTerm(item, f)
		}
	case *Not:
		eachTerm(n.Item, f)
	default:
		f(n)
	}
}

// eachPath calls f with the path of every field that the tree reads; nil for all of the entry.
func eachPath(n Node, f func(path []string)) {
	eachTerm(n, func(term Node) { termPaths(term, f) })
}

func termPaths(n Node, f func(path []string)) {
	switch n := n.(type) {
	case *Compare:
		f(Path{operand: n.Left}.Names())
		if n.Other != nil {
			f(Path{operand: n.Other}.Names())
		}
	case *Call:
		switch {
		case n.Field != nil:
			f(n.Field.Path)
		case n.Name == "log_id" || n.Name == "source":
			f([]string{"logName"})
		default:
			f(nil)
		}
	default:
		f(nil)
	}
}
