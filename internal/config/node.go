package config

import (
	"encoding/json"
	"strings"
)

// Kind is what a Node holds.
type Kind int

// The kinds of nodes. Absent is the zero Node's: what was not written. Null is written and empty.
const (
	Absent Kind = iota
	Null
	Scalar
	List
	Mapping
)

// Node is a value in a file, with its place. As the type of a field in a settings struct it keeps the value as it is, for
// somebody else to decode. The zero Node is absent. Nodes may share what they hold, and nothing changes it.
type Node struct {
	position Position
	v        *value
}

// Member is one key and value of a mapping.
type Member struct {
	Key         string
	KeyPosition Position
	Value       Node
}

// value is what one or more nodes hold.
type value struct {
	kind    Kind
	tag     string // of a scalar: !!str, !!int, !!float, !!bool, !!timestamp
	text    string // of a scalar: as it was written, without quotes
	quoted  bool
	comment string // of what is written and empty: what stands behind its key
	items   []Node
	members []Member
	size    int // values in it, itself included, aliases followed
	height  int // levels in it, itself included, aliases followed
}

// Kind is what the node holds.
func (n Node) Kind() Kind {
	if n.v == nil {
		return Absent
	}
	return n.v.kind
}

// IsZero says whether the node is absent.
func (n Node) IsZero() bool { return n.v == nil }

// Position is where the value begins; of an alias, where what it stands for begins.
func (n Node) Position() Position { return n.position }

// Items are the elements of a list; nil for anything else.
func (n Node) Items() []Node {
	if n.v == nil {
		return nil
	}
	return n.v.items
}

// Members are the keys and values of a mapping, in the order of the file, those that a merge key brings last; nil for
// anything else.
func (n Node) Members() []Member {
	if n.v == nil {
		return nil
	}
	return n.v.members
}

// Scalar is the text of a scalar as it was written, without its quotes. It says false for anything else.
func (n Node) Scalar() (string, bool) {
	if n.Kind() != Scalar {
		return "", false
	}
	return n.v.text, true
}

// Get is the value of that key; absent if there is none or n is no mapping.
func (n Node) Get(key string) Node {
	for _, m := range n.Members() {
		if m.Key == key {
			return m.Value
		}
	}
	return Node{position: n.position}
}

// At is the place of what a path leads to: keys and list indexes joined by dots, a key may hold dots itself. Where the path
// ends in nothing, it is the place of the last value on the way.
func (n Node) At(path string) Position {
	p, _ := n.at(path)
	return p
}

// KeyAt is like At, but the place of the key where the path ends in a key.
func (n Node) KeyAt(path string) Position {
	if at, found := n.walk(path, true); found {
		return at
	}
	return n.At(path)
}

func (n Node) at(path string) (Position, bool) { return n.walk(path, false) }

// walk follows the path as far as it leads, and says whether that was to its end.
func (n Node) walk(path string, key bool) (Position, bool) {
	if path == "" {
		return n.position, true
	}
	parts := strings.Split(path, ".")
	for i := len(parts); i > 0; i-- { // the longest key first: "a.b" may be one key
		head, rest := strings.Join(parts[:i], "."), strings.Join(parts[i:], ".")
		for _, m := range n.Members() {
			if m.Key == head {
				if key && rest == "" {
					return m.KeyPosition, true
				}
				return m.Value.walk(rest, key)
			}
		}
	}
	if index, ok := smallInt(parts[0]); ok && index < len(n.Items()) {
		return n.Items()[index].walk(strings.Join(parts[1:], "."), key)
	}
	return n.position, false
}

// smallInt reads a list index.
func smallInt(s string) (int, bool) {
	if s == "" || len(s) > 7 {
		return 0, false
	}
	i := 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		i = i*10 + int(c-'0')
	}
	return i, true
}

// JSON is the value as compact JSON, keys in the order of the file. Numbers keep their digits where JSON can hold them as they
// were written; a time is a string; absent is null.
func (n Node) JSON() []byte { return n.appendJSON(nil) }

func (n Node) appendJSON(b []byte) []byte {
	switch n.Kind() {
	case Scalar:
		return n.v.appendScalar(b)
	case List:
		b = append(b, '[')
		for i, item := range n.v.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.appendJSON(b)
		}
		return append(b, ']')
	case Mapping:
		b = append(b, '{')
		for i, m := range n.v.members {
			if i > 0 {
				b = append(b, ',')
			}
			b = m.Value.appendJSON(append(appendString(b, m.Key), ':'))
		}
		return append(b, '}')
	default:
		return append(b, "null"...)
	}
}

// appendScalar appends a scalar as JSON has it: what JSON cannot write as a number is a string.
func (v *value) appendScalar(b []byte) []byte {
	switch v.tag {
	case tagBool:
		return append(b, strings.ToLower(v.text)...)
	case tagInt, tagFloat:
		if json.Valid([]byte(v.text)) {
			return append(b, v.text...)
		}
		if number, ok := parseAny(v); ok {
			if text, err := json.Marshal(number); err == nil {
				return append(b, text...)
			}
		}
	}
	return appendString(b, v.text)
}

func appendString(b []byte, s string) []byte {
	text, _ := json.Marshal(s) // a string always marshals
	return append(b, text...)
}
