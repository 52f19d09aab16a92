package lql

import (
	"fmt"
	"slices"
)

// Own is the filter's own terms on resource and logName: those of its top-level conjuncts that ask for nothing but fields of
// resource, logName, log_id and source. It matches whatever the filter matches, and is empty if there are none.
func (f *Filter) Own() *Filter {
	var own []Node
	for _, n := range f.Conjuncts() {
		if onlyOrigin(n) {
			own = append(own, n)
		}
	}
	if len(own) == 0 {
		return &Filter{}
	}
	return derived(and(own))
}

// onlyOrigin says whether a tree asks only where an entry is from.
func onlyOrigin(n Node) bool {
	switch n := n.(type) {
	case *And:
		return !slices.ContainsFunc(n.Items, func(i Node) bool { return !onlyOrigin(i) })
	case *Or:
		return !slices.ContainsFunc(n.Items, func(i Node) bool { return !onlyOrigin(i) })
	case *Not:
		return onlyOrigin(n.Item)
	case *Compare:
		return originOperand(n.Left) && (n.Other == nil || originOperand(n.Other))
	case *Call:
		return n.Name == "log_id" || n.Name == "source" || n.Field != nil && originOperand(n.Field)
	}
	return false
}

func originOperand(o Operand) bool {
	names := Path{operand: o}.Names()
	return len(names) > 0 && (names[0] == "resource" || names[0] == "logName")
}

// Term is a filter's smallest part.
type Term struct {
	// Path is the path that is compared, as Field.String writes it; for what a function yields the path that it reads; for a
	// function that matches by itself the function's name; "" for a value that is looked for anywhere.
	Path string
	// Op is the operator; for a function that matches by itself "()", or ":" for a value that is looked for anywhere.
	Op string
	// Value is the constant, without quotes; "*" with Op ":" asks whether the field is there, unless Quoted.
	Value  string
	Quoted bool
	// Converted says that Path is not compared as it is but through cast or regexp_extract.
	Converted bool
	// Negated says that the term must not hold.
	Negated bool
}

// maxBranches is how many branches a filter may have for Branches to list them.
const maxBranches = 256

// Branches are the ways in which the filter can match: it does when all terms of any branch hold. An empty filter has one
// branch without terms. It is an error if there are more than 256.
func (f *Filter) Branches() ([][]Term, error) {
	if f.Root == nil {
		return [][]Term{{}}, nil
	}
	out, ok := branches(f.Root, false)
	if !ok {
		return nil, fmt.Errorf("the filter has more than %d branches: split it into several rules, or write fewer OR within parentheses", maxBranches)
	}
	return out, nil
}

// branches lists the branches of a node or of its negation.
func branches(n Node, negated bool) ([][]Term, bool) {
	switch n := n.(type) {
	case *Not:
		return branches(n.Item, !negated)
	case *And:
		if negated {
			return eitherBranch(n.Items, true)
		}
		return bothBranches(n.Items, false)
	case *Or:
		if negated {
			return bothBranches(n.Items, true)
		}
		return eitherBranch(n.Items, false)
	}
	return [][]Term{{termOf(n, negated)}}, true
}

func eitherBranch(items []Node, negated bool) ([][]Term, bool) {
	var out [][]Term
	for _, item := range items {
		more, ok := branches(item, negated)
		if out = append(out, more...); !ok || len(out) > maxBranches {
			return nil, false
		}
	}
	return out, true
}

func bothBranches(items []Node, negated bool) ([][]Term, bool) {
	out := [][]Term{{}}
	for _, item := range items {
		more, ok := branches(item, negated)
		if !ok || len(out)*len(more) > maxBranches {
			return nil, false
		}
		var product [][]Term
		for _, left := range out {
			for _, right := range more {
				product = append(product, append(slices.Clone(left), right...))
			}
		}
		out = product
	}
	return out, true
}

// termOf is a leaf of a tree as a term.
func termOf(n Node, negated bool) Term {
	switch n := n.(type) {
	case *Compare:
		t := Term{Op: string(n.Op), Value: n.Value.Text, Quoted: n.Value.Quoted, Negated: negated}
		names := Path{operand: n.Left}.Names()
		t.Path = (&Field{Path: names}).String()
		_, plain := n.Left.(*Field)
		t.Converted = !plain || n.Other != nil
		if n.Any {
			t.Value = "*"
		}
		if n.Other != nil {
			t.Value = Path{operand: n.Other}.String()
		}
		return t
	case *Global:
		return Term{Op: string(Has), Value: n.Value.Text, Quoted: n.Value.Quoted, Negated: negated}
	case *Call:
		return Term{Path: n.Name, Op: "()", Value: n.Value.Text, Quoted: n.Value.Quoted, Negated: negated}
	}
	return Term{}
}
