package lql

import (
	"strings"

	"tocsin/internal/logs"
)

// Path is what a group label or a detector's field is read from: a path into the entry, or regexp_extract (or cast) of
// one. The zero Path finds nothing.
type Path struct {
	operand Operand
}

// ParsePath reads a path such as resource.labels.cluster_name, or regexp_extract(path, "re"). Its error is that of Parse.
func ParsePath(src string) (Path, error) {
	p, err := newParser(src)
	if err != nil {
		return Path{}, err
	}
	o := p.path()
	if err := p.result(); err != nil {
		return Path{}, err
	}
	return Path{operand: o}, nil
}

func (p *parser) path() (o Operand) {
	defer p.recoverStop()
	o = p.operandArgument()
	if t := p.peek(); t.kind != tokenEnd {
		p.syntax(t, "only a path, or regexp_extract(path, \"re\"), should stand here; a name that holds other than letters, digits and _ must be in double quotes")
	}
	return o
}

// String is the path as it may be written in a filter.
func (p Path) String() string {
	if p.operand == nil {
		return ""
	}
	var b strings.Builder
	printOperand(&b, p.operand)
	return b.String()
}

// Value is the first value at the path that is there and not null. A field of the LogEntry that is not set is missing, its
// default does not count.
func (p Path) Value(e *logs.Entry) (logs.Value, bool) {
	var out logs.Value
	if p.operand == nil {
		return out, false
	}
	found := p.operand.each(e, func(it item) bool {
		if it.v.Kind == logs.Missing || it.v.Kind == logs.Null || it.typed && it.unset {
			return false
		}
		out = it.v
		return true
	})
	return out, found
}

// Text is Value as a label holds it (logs.Value.Text). It says false where nothing is there; an empty string in a payload or
// a label is there.
func (p Path) Text(e *logs.Entry) (string, bool) {
	v, ok := p.Value(e)
	return v.Text(), ok
}

// Names are the names of the path that is read, those of the LogEntry as the API spells them; nil for the zero Path.
func (p Path) Names() []string {
	for o := p.operand; o != nil; {
		switch x := o.(type) {
		case *Field:
			return x.Path
		case *Extract:
			o = x.Of
		case *Cast:
			o = x.Of
		}
	}
	return nil
}
