// Package lql is Cloud Logging's query language, evaluated here: a filter pasted from the console means the same. Parse reads
// one filter into a tree, with every mistake's place and mend; Filter.Match asks it of one entry; Compile makes a Set of many
// filters, which looks through a whole batch at once. It is pure: no clock, no network, no file.
//
// What Google does not document is decided in inferred.go, one decision a function, so that it is easy to change.
package lql

import (
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"tocsin/internal/logs"
)

// MaxLength is how many characters (runes) a filter may have, comments included.
const MaxLength = 20000

// Filter is a parsed filter. It does not change and may be used by many goroutines at once.
type Filter struct {
	// Root is the filter's tree; nil matches every entry.
	Root Node
	src  string
	// set is the filter alone in a set, for one that looks for many texts; else nil.
	set func() *Set
}

// Parse reads a filter. Its error is an *Error, or Errors if there are several.
func Parse(src string) (*Filter, error) {
	p, err := newParser(src)
	if err != nil {
		return nil, err
	}
	root := p.filter()
	if err := p.result(); err != nil {
		return nil, err
	}
	f := &Filter{Root: root, src: src}
	if p.texts > manyWords {
		f.set = sync.OnceValue(func() *Set { return Compile([]*Filter{{Root: root, src: src}}) })
	}
	return f, nil
}

// Source is the text that the filter was parsed from; for one that was derived from another, what String says.
func (f *Filter) Source() string { return f.src }

// String is the filter as text that parses to the same tree: value lists written out, names as the API spells them, no
// comments. It may be longer than MaxLength where Source is not.
func (f *Filter) String() string {
	if f.Root == nil {
		return ""
	}
	var b strings.Builder
	printNode(&b, f.Root)
	return b.String()
}

// Match says whether the filter matches the entry.
func (f *Filter) Match(e *logs.Entry) bool {
	if f.set != nil {
		return f.set().matches(e)
	}
	return f.Root == nil || evaluate(f.Root, e)
}

// derived makes a filter of a tree.
func derived(root Node) *Filter {
	f := &Filter{Root: root}
	f.src = f.String()
	return f
}

// newParser checks what can be said of the text as a whole and cuts it into tokens.
func newParser(src string) (*parser, error) {
	if n := utf8.RuneCountInString(src); n > MaxLength {
		return nil, &Error{Line: 1, Column: 1, Text: "filter too long",
			Suggestion: fmt.Sprintf("it has %d characters, comments included; %d are allowed", n, MaxLength)}
	}
	tokens, err := lex(src)
	if err != nil {
		return nil, err
	}
	return &parser{tokens: tokens}, nil
}
