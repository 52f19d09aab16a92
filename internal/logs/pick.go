package logs

import (
	"bytes"
	"strings"
	"unsafe"
)

// Picker reads lines as ParseLine does, but only the parts of them that are asked for. It is not for use by several
// goroutines at once; in the long run it allocates nothing.
type Picker struct {
	d decoder
	e Entry
}

// Line reads one line. Of what w asks for the entry holds the same as ParseLine would yield; other fields may be there or
// not. Timestamp and ReceiveTimestamp are set only if w asks for them, Broken always. The entry is good until the next call,
// and as long as line does not change.
func (p *Picker) Line(line []byte, w *Want) *Entry {
	p.d.reset()
	p.e = Entry{}
	p.d.borrow, p.d.reuse = true, true
	if !w.times || !p.d.times(line, &p.e) {
		p.d.pick(line, &p.e, w)
	}
	return &p.e
}

// Keep reads one line whole. The entry may be kept; its strings share the memory of its Raw, a copy of the line.
func (p *Picker) Keep(line []byte) *Entry {
	p.d.reset()
	p.e = Entry{}
	p.d.borrow, p.d.reuse = true, false
	p.d.line(bytes.Clone(line), &p.e)
	return p.e.Own()
}

// pick is line for the parts that w asks for.
func (d *decoder) pick(line []byte, e *Entry, w *Want) {
	if len(line) == 0 || w.all || len(line) >= MaxLine {
		d.line(line, e)
		return
	}
	raw := bytes.TrimSuffix(line, []byte("\r"))
	text := unsafe.String(unsafe.SliceData(raw), len(raw)) // the entry promises no more than line does
	if !looksLikeObject(text) || !d.mark(raw) {
		d.line(line, e)
		return
	}
	e.Raw = line
	d.src, d.raw, d.pos, d.depth, d.valid, d.respelled = text, raw, 0, 0, true, false
	d.members, d.items = d.members[:0], d.items[:0]
	d.space()
	v, isEntry, err := d.pickEntry(w)
	if err == nil {
		d.space()
	}
	if err != nil || d.pos < len(text) || !isEntry {
		// What is broken is text, and a mere payload is found elsewhere: both are read whole.
		d.reset()
		d.line(line, e)
		return
	}
	if d.respelled {
		entrySchema.canonical(&v)
	}
	e.Root = v
	for i := range v.Members {
		switch m := &v.Members[i]; m.Name {
		case "timestamp":
			e.Timestamp = ParseTime(m.Value.Text())
		case "receiveTimestamp":
			e.ReceiveTimestamp = ParseTime(m.Value.Text())
		}
	}
}

// pickEntry takes what is asked for of the object at pos, and says whether it is a LogEntry.
func (d *decoder) pickEntry(w *Want) (v Value, isEntry bool, err error) {
	top := &d.top
	top.seen, top.logName = 0, false
	v, err = d.pickObject(w, top)
	if err != nil || top.logName {
		return v, top.logName, err
	}
	for _, name := range top.names[:min(top.seen, len(top.names))] {
		if entrySchema.byName[name] == nil && snake(entrySchema, name) == nil {
			return v, false, nil
		}
	}
	return v, top.seen <= len(top.names), nil // one with so many names that none of the first tells is read whole
}

// topNames are the names in a line's own object, which say whether it is a LogEntry.
type topNames struct {
	names   [24]string
	seen    int
	logName bool
}

func (t *topNames) tell(name string) {
	if name == "logName" || name == "log_name" {
		t.logName = true
	}
	if t.seen < len(t.names) {
		t.names[t.seen] = name
	}
	t.seen++
}

// pickValue takes what is asked for of the value at pos. In an array it is asked for of every element.
func (d *decoder) pickValue(w *Want) (Value, error) {
	if d.pos >= len(d.src) {
		return Value{}, errCut
	}
	c := d.src[d.pos]
	switch {
	case c == '"':
		s, err := d.quoted()
		return Value{Kind: String, Str: s}, err
	case w.all && (c == '{' || c == '['):
		d.respelled = d.respelled || w.message
		v, err := d.value()
		for d.next < d.marked && int(d.quotes[d.next]) < d.pos {
			d.next++
		}
		return v, err
	case c == '{':
		return d.pickObject(w, nil)
	case c == '[':
		return d.pickArray(w)
	}
	return d.value()
}

// pickObject takes the members that are asked for of the object at pos, and tells the names of all.
func (d *decoder) pickObject(w *Want, top *topNames) (Value, error) {
	if d.depth++; d.depth > maxDepth {
		return Value{}, errTooDeep
	}
	d.pos++
	base := len(d.members)
	d.space()
	if d.pos < len(d.src) && d.src[d.pos] == '}' {
		d.pos++
		d.depth--
		return Value{Kind: Object}, nil
	}
	for end := false; !end; {
		name, err := d.name()
		if err != nil {
			return Value{}, err
		}
		if top != nil {
			top.tell(name)
		}
		if asked := w.member(name); asked != nil {
			m, err := d.pickValue(asked.part)
			if err != nil {
				return Value{}, err
			}
			d.respelled = d.respelled || len(name) != len(asked.name)
			d.members = append(d.members, Member{Name: name, Value: m})
		} else if d.pos = d.skip(d.pos); d.pos < 0 {
			return Value{}, errSkipped
		}
		if d.pos < len(d.raw) && d.raw[d.pos] == ',' {
			d.pos++
			continue
		}
		d.space()
		if end, err = d.separator('}'); err != nil {
			return Value{}, err
		}
	}
	d.depth--
	if len(d.members) == base {
		return Value{Kind: Object}, nil
	}
	return Value{Kind: Object, Members: d.keepMembers(base)}, nil
}

func (d *decoder) pickArray(w *Want) (Value, error) {
	if d.depth++; d.depth > maxDepth {
		return Value{}, errTooDeep
	}
	d.pos++
	base := len(d.items)
	d.space()
	if d.pos < len(d.src) && d.src[d.pos] == ']' {
		d.pos++
		d.depth--
		return Value{Kind: Array}, nil
	}
	for end := false; !end; {
		d.space()
		item, err := d.pickValue(w)
		if err != nil {
			return Value{}, err
		}
		d.items = append(d.items, item)
		d.space()
		if end, err = d.separator(']'); err != nil {
			return Value{}, err
		}
	}
	d.depth--
	return Value{Kind: Array, Items: d.keepItems(base)}, nil
}

// quoted takes the string whose quote is at pos.
func (d *decoder) quoted() (string, error) {
	if d.next+1 >= d.marked {
		return "", errCut
	}
	start, end := d.pos+1, int(d.quotes[d.next+1])
	d.next += 2
	text := d.src[start:end]
	if d.escapes && strings.IndexByte(text, '\\') >= 0 {
		return d.string()
	}
	d.pos = end + 1
	return text, nil
}

// name takes a member's name and its colon, and the white space around them.
func (d *decoder) name() (string, error) {
	d.pos = skipWhite(d.raw, d.pos)
	if d.pos >= len(d.raw) {
		return "", errCut
	}
	if d.raw[d.pos] != '"' {
		return "", errSkipped
	}
	name, err := d.quoted()
	if err != nil {
		return "", err
	}
	if d.pos = skipColon(d.raw, d.pos); d.pos < 0 {
		return "", errSkipped
	}
	return name, nil
}

// Scalar is the number, boolean, null or string without escapes that b begins with; false for anything else. It shares b's
// memory. What is no JSON makes it false or some number.
func Scalar(b []byte) (Value, bool) {
	if len(b) == 0 {
		return Value{}, false
	}
	end := 0
	switch b[0] {
	case '"':
		n := bytes.IndexByte(b[1:], '"')
		if n < 0 || bytes.IndexByte(b[1:1+n], '\\') >= 0 {
			return Value{}, false
		}
		return Value{Kind: String, Str: unsafe.String(unsafe.SliceData(b[1:]), n)}, true
	case 't', 'f':
		return Value{Kind: Bool, Bool: b[0] == 't'}, true
	case 'n':
		return Value{Kind: Null}, true
	}
	for end < len(b) && (b[end] >= '0' && b[end] <= '9' || b[end] == '.' || b[end] == '-' || b[end] == '+' || b[end]|0x20 == 'e') {
		end++
	}
	return Value{Kind: Number, Str: unsafe.String(unsafe.SliceData(b), end)}, end > 0
}
