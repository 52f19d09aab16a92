package lql

import (
	"fmt"
	"strings"

	"tocsin/internal/logs"
)

var textPayload = logs.EntrySchema().Field("textPayload")

// field resolves a path against the LogEntry's schema. A name that the schema does not have is reported.
func (p *parser) field(names []token) (*Field, bool) {
	f := &Field{At: names[0].at, leaf: logs.EntrySchema()}
	for i, name := range names {
		if f.leaf.Type != logs.MessageType {
			if f.leaf.Type == logs.MapType && i > f.known {
				p.report(name, "unknown field", fmt.Sprintf("a label holds text, no fields; a key that holds a dot must be in double quotes: %s.%s",
					joined(names[:f.known]).raw, quote(shorten(keyOf(names[f.known:])))))
				return nil, false
			}
			if free(f.leaf.Type) {
				f.Path = append(f.Path, name.text)
				continue
			}
			whole := joined(names[:i])
			p.report(name, "unknown field", fmt.Sprintf("%s holds a single value, no fields; text that holds . must be in double quotes", shorten(whole.raw)))
			return nil, false
		}
		next := f.leaf.Field(name.text)
		if next == nil {
			p.report(name, "unknown field", unknownField(f.leaf, names[:i], name, names[i+1:]))
			return nil, false
		}
		f.leaf = next
		f.known = i + 1
		f.Path = append(f.Path, next.Name)
	}
	return f, true
}

// keyOf is the one key that names were probably meant to be.
func keyOf(names []token) string {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = n.text
	}
	return strings.Join(texts, ".")
}

// free says whether a field of that type may have any names in it.
func free(t logs.FieldType) bool {
	return t == logs.MapType || t == logs.StructType || t == logs.AnyType
}

// unknownField says what might have been meant by name within parent.
func unknownField(parent *logs.Field, before []token, name token, after []token) string {
	if strings.HasPrefix(name.text, "!") {
		return "to exclude, write NOT before the term"
	}
	if len(before) == 0 && len(after) > 0 && strings.EqualFold(name.text, "payload") {
		return fmt.Sprintf("did you mean jsonPayload.%s?", shorten(joined(after).raw))
	}
	var known []string
	for i := range parent.Fields {
		known = append(known, parent.Fields[i].Name)
	}
	prefix := ""
	if len(before) > 0 {
		prefix = shorten(joined(before).raw) + "."
	}
	if near := nearest(name.text, known); near != "" {
		return fmt.Sprintf("did you mean %s%s?", prefix, near)
	}
	if prefix != "" {
		return fmt.Sprintf("%s has only %s", shorten(joined(before).raw), strings.Join(known, ", "))
	}
	return fmt.Sprintf("a path begins with a field of LogEntry, such as resource, jsonPayload, textPayload, severity or labels; a payload's field is jsonPayload.%s", shorten(name.raw))
}

// item is one value that an operand yields.
type item struct {
	v logs.Value
	// typed says that the type is the schema's; else it is what the JSON value says.
	typed bool
	typ   logs.FieldType
	// unset says that the entry does not have the field and this is its default.
	unset bool
	// schema is what a whole message is of; nil for a payload's object.
	schema *logs.Field
	// proto says that the value is in a payload that was a protocol buffer.
	proto bool
}

// each yields the field's values: the elements of arrays one by one; nothing if the field is missing; the default of a
// LogEntry's own field that is not set. A JSON null in a payload is yielded as Null.
func (f *Field) each(e *logs.Entry, yield func(item) bool) bool {
	v := &e.Root
	for i := range f.known {
		if v = v.At(f.Path[i]); v == nil {
			return f.ending(&logs.Value{}, yield)
		}
		if v.Kind == logs.Array && i < f.known-1 {
			return f.repeated(*v, i+1, yield)
		}
	}
	return f.ending(v, yield)
}

// repeated yields the values of a field of messages in an array.
func (f *Field) repeated(v logs.Value, from int, yield func(item) bool) bool {
	for _, m := range v.Items {
		for i := from; i < f.known; i++ {
			m = m.Get(f.Path[i])
		}
		if m.Kind != logs.Missing && f.ending(&m, yield) {
			return true
		}
	}
	return false
}

// ending yields what v, the value of the part that the schema knows, holds.
func (f *Field) ending(v *logs.Value, yield func(item) bool) bool {
	rest := f.Path[f.known:]
	missing := v.Kind == logs.Missing || v.Kind == logs.Null
	switch f.leaf.Type {
	case logs.MapType:
		if missing {
			return false
		}
		if len(rest) == 0 {
			return len(v.Members) > 0 && yield(item{v: *v})
		}
		// A label's value is a string; a null or anything below it is not there.
		if v = v.At(rest[0]); v == nil || v.Kind == logs.Null {
			return false
		}
		return yield(item{v: *v})
	case logs.StructType, logs.AnyType:
		if missing {
			return false
		}
		w := walker{path: rest, proto: f.leaf.Type == logs.AnyType, yield: yield}
		return w.walk(v, 0)
	case logs.MessageType:
		if missing {
			return false
		}
		if v.Kind == logs.Array {
			for _, m := range v.Items {
				if yield(item{v: m, schema: f.leaf}) {
					return true
				}
			}
			return false
		}
		return yield(item{v: *v, schema: f.leaf})
	}
	if missing {
		if inRepeated(f) {
			return false
		}
		return yield(item{typed: true, typ: f.leaf.Type, unset: true})
	}
	return yield(item{v: *v, typed: true, typ: f.leaf.Type, unset: isDefault(f.leaf.Type, *v)})
}

// inRepeated says whether the field is one of a repeated message: with no message there is no default.
func inRepeated(f *Field) bool { return f.known > 1 && f.Path[0] == "errorGroups" }

// walker walks a payload.
type walker struct {
	path  []string
	proto bool
	yield func(item) bool
}

// walk yields the values at path[i:] of v.
func (w *walker) walk(v *logs.Value, i int) bool {
	if v.Kind == logs.Array {
		for j := range v.Items {
			if w.walk(&v.Items[j], i) {
				return true
			}
		}
		return false
	}
	if i == len(w.path) {
		return v.Kind != logs.Missing && w.yield(item{v: *v, proto: w.proto})
	}
	next := v.At(w.path[i])
	if next == nil && w.proto {
		found := w.protoMember(*v, i)
		next = &found
	}
	return next != nil && next.Kind != logs.Missing && w.walk(next, i+1)
}

// protoMember finds a name in a message: its case need not be kept, and an Any's value is traversed by itself.
func (w *walker) protoMember(v logs.Value, i int) logs.Value {
	if !keepsCase(w.path[:i]) {
		for j := range v.Members {
			if sameProtoName(v.Members[j].Name, w.path[i]) {
				return v.Members[j].Value
			}
		}
	}
	inner := v.Get("value")
	if inner.Kind != logs.Object || v.Get("@type").Kind != logs.String {
		return logs.Value{}
	}
	if found := inner.Get(w.path[i]); found.Kind != logs.Missing {
		return found
	}
	return w.protoMember(inner, i)
}

// sameProtoName says whether two names spell the same proto field: letter case and underscores aside.
func sameProtoName(a, b string) bool {
	i, j := 0, 0
	for {
		for i < len(a) && a[i] == '_' {
			i++
		}
		for j < len(b) && b[j] == '_' {
			j++
		}
		if i == len(a) || j == len(b) {
			return i == len(a) && j == len(b)
		}
		if lower(a[i]) != lower(b[j]) {
			return false
		}
		i++
		j++
	}
}

// child is a message's field of exactly that name, as entries spell it, or nil.
func child(schema *logs.Field, name string) *logs.Field {
	if schema == nil || schema.Type != logs.MessageType {
		return nil
	}
	for i := range schema.Fields {
		if schema.Fields[i].Name == name {
			return &schema.Fields[i]
		}
	}
	return nil
}
