package lql

import (
	"strings"

	"tocsin/internal/logs"
)

// Clause is a part of a filter as one entry answers it.
type Clause struct {
	// At is where a term begins in the filter; zero for what joins terms.
	At Position
	// Text is the term as it may be written in a filter; AND, OR or NOT for what joins the Items.
	Text  string
	Holds bool
	// Saw are the values that the entry has where a term looks, as JSON, at most maxSaw, each bounded; none for a field that is not
	// there and for a term that looks everywhere.
	Saw []string
	// Absent says that the field that a term asks for is not there.
	Absent bool
	// Items are what AND, OR and NOT join.
	Items []Clause
	// Misses is how many terms would have to answer otherwise for the clause to hold; 0 if it does.
	Misses int

	spare int // how many would have to answer otherwise for it not to hold
}

// maxSaw is how many values of a term are shown, sawLength how many bytes of each.
const (
	maxSaw    = 3
	sawLength = 120
)

// Explain asks the filter of an entry term by term. The clause of an empty filter holds and has no text.
func (f *Filter) Explain(e *logs.Entry) Clause {
	if f.Root == nil {
		return Clause{Holds: true}
	}
	return explain(f.Root, e)
}

func explain(n Node, e *logs.Entry) Clause {
	switch n := n.(type) {
	case *And:
		c := joinedClause("AND", n.Items, e)
		c.Holds, c.spare = true, len(n.Items)
		for i, item := range c.Items {
			c.Holds = c.Holds && item.Holds
			c.Misses += item.Misses
			if i == 0 || item.spare < c.spare {
				c.spare = item.spare
			}
		}
		return c
	case *Or:
		c := joinedClause("OR", n.Items, e)
		for i, item := range c.Items {
			c.Holds = c.Holds || item.Holds
			c.spare += item.spare
			if i == 0 || item.Misses < c.Misses {
				c.Misses = item.Misses
			}
		}
		return c
	case *Not:
		c := joinedClause("NOT", []Node{n.Item}, e)
		c.Holds, c.Misses, c.spare = !c.Items[0].Holds, c.Items[0].spare, c.Items[0].Misses
		return c
	}
	return term(n, e)
}

func joinedClause(word string, items []Node, e *logs.Entry) Clause {
	c := Clause{Text: word}
	for _, item := range items {
		c.Items = append(c.Items, explain(item, e))
	}
	return c
}

// term is the clause of a node that joins nothing.
func term(n Node, e *logs.Entry) Clause {
	var text strings.Builder
	printNode(&text, n)
	c := Clause{Text: text.String(), Holds: evaluate(n, e)}
	if c.Holds {
		c.spare = 1
	} else {
		c.Misses = 1
	}
	var left Operand
	switch n := n.(type) {
	case *Compare:
		c.At, left = n.At, n.Left
	case *Global:
		c.At = n.At
	case *Call:
		c.At = n.At
		switch {
		case n.Field != nil:
			left = n.Field
		case n.Name == "log_id" || n.Name == "source":
			left = &Field{Path: []string{"logName"}, known: 1, leaf: logs.EntrySchema().Field("logName")}
		}
	}
	if left == nil {
		return c
	}
	c.Absent = true
	left.each(e, func(it item) bool {
		if it.v.Kind == logs.Missing || it.typed && it.unset {
			return false
		}
		c.Absent = false
		c.Saw = append(c.Saw, it.shown())
		return len(c.Saw) == maxSaw
	})
	return c
}

// shown is a value for a reader.
func (it item) shown() string {
	b := it.v.AppendJSON(nil)
	if len(b) > sawLength {
		return strings.ToValidUTF8(string(b[:sawLength]), "") + "..."
	}
	return string(b)
}

// Refused are the terms that kept a clause from holding, those of the nearest branch: none if it holds. Of a NOT it is the NOT itself.
func (c Clause) Refused() []Clause {
	switch {
	case c.Holds:
		return nil
	case c.Text == "AND" && len(c.Items) > 0:
		var out []Clause
		for _, item := range c.Items {
			out = append(out, item.Refused()...)
		}
		return out
	case c.Text == "OR" && len(c.Items) > 0:
		nearest := 0
		for i, item := range c.Items {
			if item.Misses < c.Items[nearest].Misses {
				nearest = i
			}
		}
		return c.Items[nearest].Refused()
	}
	return []Clause{c}
}

// Line is a term, or a NOT with what it denies, on one line.
func (c Clause) Line() string {
	if len(c.Items) == 0 {
		return c.Text
	}
	parts := make([]string, len(c.Items))
	for i, item := range c.Items {
		parts[i] = item.Line()
	}
	if c.Text == "NOT" {
		return "NOT " + parts[0]
	}
	return "(" + strings.Join(parts, " "+c.Text+" ") + ")"
}
