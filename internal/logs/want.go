package logs

// Want is which parts of a LogEntry somebody asks for, so that the rest need not be decoded. The zero Want asks for nothing.
// It does not change once it is made and may be used by many goroutines at once.
type Want struct {
	all     bool
	members []wanted
}

// wanted is a member that is asked for.
type wanted struct {
	name, snake string
	part        *Want
}

// NewWant asks for what is at the paths; an empty path asks for the whole entry. The names of a LogEntry's own fields are
// those of the REST API, what follows them is free, as in a Struct.
func NewWant(paths ...[]string) *Want {
	w := &Want{}
	for _, path := range paths {
		w.add(path, entrySchema)
	}
	return w
}

func (w *Want) add(path []string, schema *Field) {
	// In a message of a type that is not known here names need not keep their case: all of it is needed.
	if len(path) == 0 || schema != nil && schema.Type == AnyType {
		w.all = true
		return
	}
	m := w.member(path[0])
	if m == nil {
		w.members = append(w.members, wanted{name: path[0], part: &Want{}})
		m = &w.members[len(w.members)-1]
	}
	var next *Field
	if schema != nil && schema.Type == MessageType {
		if next = schema.byName[path[0]]; next != nil && SnakeCase(next.Name) != next.Name {
			m.snake = SnakeCase(next.Name)
		}
	}
	m.part.add(path[1:], next)
}

// member is what is asked for of the member of that name, nil for nothing.
func (w *Want) member(name string) *wanted {
	for i := range w.members {
		if m := &w.members[i]; m.name == name || m.snake == name && name != "" {
			return m
		}
	}
	return nil
}

// part is the Want of a member, nil if it is not asked for.
func (w *Want) part(name string) *Want {
	if m := w.member(name); m != nil {
		return m.part
	}
	return nil
}

// Whole says whether all of the entry is asked for.
func (w *Want) Whole() bool { return w.all }
