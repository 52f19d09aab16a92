// Package config reads the configuration's frame and whatever YAML file tocsin is given, with the place of every value. Decode
// is strict and says all mistakes at once, each as file:line:col with what would be right. What a source, a receiver, a
// detector or a policy may say is known to its own room alone: here such settings are a Node, decoded by whoever owns them. It
// is the only package that knows of YAML.
package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tocsin/internal/setting"
)

// Position is a place in a file. Line and Column count from one, columns in characters; a Line of zero means the file as a
// whole.
type Position struct {
	File   string
	Line   int
	Column int
}

// String is the place as editors understand it: file:line:col.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Errorf makes an error of that place. The text says what is wrong and what would be right.
func (p Position) Errorf(format string, args ...any) Error {
	return Error{Position: p, Text: fmt.Sprintf(format, args...)}
}

// Error is one mistake of whoever wrote a file.
type Error struct {
	Position
	Text string
}

// Error is "file:line:col: text".
func (e Error) Error() string { return e.String() + ": " + e.Text }

// Errors are all mistakes that were found, sorted by place. As an error it must go through Err: an empty Errors is no error.
type Errors []Error

// Error is one mistake a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Err is the mistakes as an error, nil if there are none.
func (e Errors) Err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// Sorted is the mistakes by file, line and column, without repetition; nil if there are none. It reorders e itself.
func (e Errors) Sorted() Errors {
	if len(e) == 0 {
		return nil
	}
	slices.SortStableFunc(e, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	seen := make(map[Error]bool, len(e))
	return slices.DeleteFunc(e, func(err Error) bool {
		again := seen[err]
		seen[err] = true
		return again
	})
}

// Locate gives mistakes that are known by their path in n's settings their place in the file.
func (n Node) Locate(errs ...setting.FieldError) Errors {
	var out Errors
	for _, e := range errs {
		out = append(out, Error{Position: n.At(e.Path), Text: fieldText(e)})
	}
	return out.Sorted()
}

// fieldText is the error's text with the path before it, unless the text itself begins with the setting's name.
func fieldText(e setting.FieldError) string {
	name := e.Path[strings.LastIndexByte(e.Path, '.')+1:]
	if name != "" && strings.HasPrefix(e.Text, name) {
		return e.Text
	}
	return e.Error()
}
