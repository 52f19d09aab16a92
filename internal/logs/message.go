package logs

import (
	"bytes"
	"slices"
	"time"
)

// Messages makes lines of Pub/Sub messages. It is not for use by several goroutines at once.
type Messages struct{ picker Picker }

var insertIDOnly = NewWant([]string{"insertId"})

// Append appends to out the entry that a message's data is, as one line with its newline. What a sink of Cloud Logging exports, a
// LogEntry with an insertId, stays as it came. Whatever else was published becomes an entry by ParseLine's rules, text of several lines
// one entry, with the message's ID for its insertId and, if it names no time, that of its publication for its timestamp: so it is the
// same entry when the message comes again. sound is false where the data is not what it looks like: nothing at all, of which nothing is
// appended, cut or invalid JSON, invalid UTF-8, or more than MaxLine, of which the beginning is taken.
func (m *Messages) Append(out, data []byte, id string, published time.Time) (_ []byte, sound bool) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return out, false
	}
	fits := len(data) < MaxLine
	data = data[:min(len(data), MaxLine)]
	lines := bytes.IndexByte(data, '\n') >= 0
	if lines && data[0] == '{' {
		if end, state := skipValue(data, 0); state == whole && end == len(data) {
			data, lines = compact(data), false
		}
	}
	if !lines {
		e := m.picker.Line(data, insertIDOnly)
		if fits && !e.Broken && e.Root.Get("insertId").Text() != "" {
			return append(append(out, data...), '\n'), true
		}
	}
	e := ParseLine(data)
	root := e.Root
	if root.Get("insertId").Text() == "" {
		set(&root, "insertId", id)
	}
	if e.Timestamp.IsZero() {
		set(&root, "timestamp", published.UTC().Format(time.RFC3339Nano))
	}
	return append(root.AppendJSON(out), '\n'), fits && !e.Broken
}

// set gives an object a member of that name, in place of the one that it has.
func set(object *Value, name, text string) {
	members := slices.DeleteFunc(slices.Clone(object.Members), func(m Member) bool { return m.Name == name })
	object.Members = append(members, Member{Name: name, Value: Value{Kind: String, Str: text}})
}
