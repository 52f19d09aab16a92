package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// What a file may be at most: far above any that a person wrote, far below what would hurt.
const (
	maxBytes  = 4 << 20
	maxDepth  = 100
	maxValues = 1_000_000
)

// The tags that a value may have.
const (
	tagNull  = "!!null"
	tagBool  = "!!bool"
	tagInt   = "!!int"
	tagFloat = "!!float"
	tagStr   = "!!str"
	tagTime  = "!!timestamp"
	tagMerge = "!!merge"
)

// Parse reads one YAML document. file is the name that positions carry. Aliases stand for what they name, merge keys are
// followed, both within bounds; a key that is given twice is a mistake, and so are a second document and text that is not
// UTF-8. An empty document is an absent node without mistakes. With mistakes the node holds what could be read.
func Parse(file string, data []byte) (Node, Errors) {
	start := Position{File: file, Line: 1, Column: 1}
	if len(data) > maxBytes {
		return Node{}, Errors{Position{File: file}.Errorf("the file has %d bytes; at most %d are read", len(data), maxBytes)}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if err, bad := unreadable(file, data); bad {
		return Node{}, Errors{err}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	doc, err := document(decoder)
	if errors.Is(err, io.EOF) || (err == nil && len(doc.Content) == 0) {
		return Node{position: start}, nil
	}
	if err != nil {
		return Node{}, Errors{syntaxError(file, data, err)}
	}
	b := builder{file: file, built: map[*yaml.Node]Node{}, open: map[*yaml.Node]bool{}}
	root := b.build(doc.Content[0], 1)
	if next, err := document(decoder); err == nil {
		b.errorf(next, "a second document begins here: a file holds one, remove the line with ---")
	} else if !errors.Is(err, io.EOF) {
		b.errs = append(b.errs, syntaxError(file, data, err))
	}
	if root.Kind() == Null && len(b.errs) == 0 {
		return Node{position: start}, nil
	}
	return root, b.errs.Sorted()
}

// document reads the next document. A panic of the parser, which hostile text can bring about, is an error as any other.
func document(d *yaml.Decoder) (doc *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: this is no YAML that can be read (%v)", r)
		}
	}()
	doc = &yaml.Node{}
	err = d.Decode(doc)
	return doc, err
}

// unreadable finds bytes that no YAML may hold; the parser would refuse them without a place.
func unreadable(file string, data []byte) (Error, bool) {
	at := Position{File: file, Line: 1, Column: 1}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size <= 1:
			return at.Errorf("the byte 0x%02x is not UTF-8: save the file as UTF-8", data[i]), true
		case r < 0x20 && r != '\t' && r != '\n' && r != '\r', r == 0x7f, r > 0x7f && r < 0xa0 && r != 0x85, r == 0xfffe, r == 0xffff:
			return at.Errorf("the control character U+%04X is not allowed: remove it, or write it as \"\\u%04X\" in double quotes", r, r), true
		}
		i += size
		at.Column++
		if r == '\n' {
			at.Line, at.Column = at.Line+1, 1
		}
	}
	return Error{}, false
}

// builder makes nodes of what the parser read.
type builder struct {
	file  string
	errs  Errors
	built map[*yaml.Node]Node // what has an anchor, so that an alias shares it
	open  map[*yaml.Node]bool // what is being built and has an anchor
	full  bool                // said already that the file holds too much
}

func (b *builder) position(y *yaml.Node) Position {
	return Position{File: b.file, Line: y.Line, Column: y.Column}
}

func (b *builder) errorf(y *yaml.Node, format string, args ...any) {
	b.errs = append(b.errs, b.position(y).Errorf(format, args...))
}

// build makes the node of y at that depth. What is wrong is said and stands as null.
func (b *builder) build(y *yaml.Node, depth int) Node {
	if y.Kind == yaml.AliasNode {
		if b.open[y.Alias] {
			b.errorf(y, "*%s stands for something that it is itself in", y.Value)
			return b.null(y)
		}
		if n, ok := b.built[y.Alias]; ok {
			return n
		}
		y = y.Alias
	}
	if y.Anchor != "" {
		b.open[y] = true
		defer delete(b.open, y)
	}
	n := Node{position: b.position(y), v: &value{size: 1, height: 1}}
	switch {
	case depth > maxDepth:
		b.tooMuch(y, "nested more than %d levels deep", maxDepth)
		return b.null(y)
	case y.Kind == yaml.ScalarNode:
		b.scalar(y, n.v)
	case y.Kind == yaml.SequenceNode:
		n.v.kind = List
		for _, c := range y.Content {
			item := b.build(c, depth+1)
			n.v.items = append(n.v.items, item)
			n.v.grow(item)
		}
	default:
		n.v.kind = Mapping
		b.mapping(y, n.v, depth)
	}
	if n.v.height > maxDepth || n.v.size > maxValues {
		b.tooMuch(y, "with its aliases this is more than %d levels or %d values", maxDepth, maxValues)
		n = b.null(y)
	}
	if y.Anchor != "" {
		b.built[y] = n
	}
	return n
}

func (b *builder) null(y *yaml.Node) Node {
	return Node{position: b.position(y), v: &value{kind: Null, size: 1, height: 1}}
}

// tooMuch says once what is beyond the bounds.
func (b *builder) tooMuch(y *yaml.Node, format string, args ...any) {
	if !b.full {
		b.errorf(y, format, args...)
	}
	b.full = true
}

// grow adds a child's measures.
func (v *value) grow(child Node) {
	v.size = min(v.size+child.v.size, maxValues+1)
	v.height = max(v.height, child.v.height+1)
}

func (b *builder) scalar(y *yaml.Node, v *value) {
	v.kind, v.tag, v.text = Scalar, y.Tag, y.Value
	v.quoted = y.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	switch y.Tag {
	case tagNull:
		v.kind = Null
	case tagMerge:
		v.tag = tagStr
	case tagBool, tagInt, tagFloat, tagStr, tagTime:
	default:
		b.errorf(y, "the tag %s is not known here: remove it", bounded(y.Tag))
		v.tag = tagStr
	}
}

// mapping builds the members; a merge key's come after the mapping's own, which have precedence.
func (b *builder) mapping(y *yaml.Node, v *value, depth int) {
	lines := map[string]int{}
	var merges []*yaml.Node
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, val := y.Content[i], y.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			b.errorf(key, "a key must be text: if this is a template or begins with { or [, put it in quotes")
			continue
		}
		if key.Tag == tagMerge {
			merges = append(merges, val)
			continue
		}
		child := b.build(val, depth+1)
		if line, again := lines[key.Value]; again {
			b.errorf(key, "the key %q is here twice, first on line %d: remove one", bounded(key.Value), line)
			continue
		}
		lines[key.Value] = key.Line
		if child.Kind() == Null && val.Kind == yaml.ScalarNode {
			child.v.comment = key.LineComment
		}
		v.members = append(v.members, Member{Key: key.Value, KeyPosition: b.position(key), Value: child})
		v.grow(child)
	}
	for _, m := range merges {
		b.merge(b.build(m, depth+1), v, lines)
	}
}

// merge adds the members of from (a mapping, or a list of them) that v does not have.
func (b *builder) merge(from Node, v *value, have map[string]int) {
	switch from.Kind() {
	case Mapping:
		for _, m := range from.Members() {
			if _, ok := have[m.Key]; !ok {
				have[m.Key] = m.KeyPosition.Line
				v.members = append(v.members, m)
				v.grow(m.Value)
			}
		}
	case List:
		for _, item := range from.Items() {
			if item.Kind() != Mapping {
				b.errs = append(b.errs, item.position.Errorf("<< takes a mapping or a list of mappings, found %s", found(item)))
				continue
			}
			b.merge(item, v, have)
		}
	default:
		b.errs = append(b.errs, from.position.Errorf("<< takes a mapping or a list of mappings, found %s", found(from)))
	}
}
