package logs

// Want is which parts of a LogEntry somebody asks for, so that the rest need not be decoded. The zero Want asks for nothing.
// It does not change once it is made and may be used by many goroutines at once.
type Want struct {
	all     bool
	times   bool // nothing is asked for but when it was, and in which log
	message bool // what is asked for may be a message of the schema, with names that the schema knows
	members []wanted
	// few has the bit of each member's name, and many their places once there are many.
	few  uint64
	many map[string]int
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
	w.times = !w.all
	for i := range w.members {
		name := w.members[i].name
		w.times = w.times && (name == "timestamp" || name == "receiveTimestamp" || name == "logName") && w.members[i].part.all
	}
	return w
}

func (w *Want) add(path []string, schema *Field) {
	// In a message of a type that is not known here names need not keep their case: all of it is needed.
	if len(path) == 0 || schema != nil && schema.Type == AnyType {
		w.all = true
		w.message = w.message || schema != nil && schema.Type == MessageType
		return
	}
	m := w.member(path[0])
	if m == nil {
		w.members = append(w.members, wanted{name: path[0], part: &Want{}})
		m = &w.members[len(w.members)-1]
		w.known(m.name, len(w.members)-1)
	}
	var next *Field
	if schema != nil && schema.Type == MessageType {
		if next = schema.byName[path[0]]; next != nil && SnakeCase(next.Name) != next.Name {
			m.snake = SnakeCase(next.Name)
			w.known(m.snake, w.place(path[0]))
		}
	}
	m.part.add(path[1:], next)
}

// known notes where the member of that name is.
func (w *Want) known(name string, at int) {
	if w.many == nil {
		w.many = map[string]int{}
	}
	w.many[name] = at
	w.few |= nameBit(name)
}

// nameBit is one of 64 bits, by what of a name is cheap to see.
func nameBit(name string) uint64 {
	if name == "" {
		return 1
	}
	return 1 << ((uint(len(name))*7 + uint(name[0])*5 + uint(name[len(name)-1])) & 63)
}

// place is where the member of that name is; -1 if it is not asked for.
func (w *Want) place(name string) int {
	if w.few&nameBit(name) == 0 {
		return -1
	}
	if len(w.members) <= 4 {
		for i := range w.members {
			if m := &w.members[i]; m.name == name || m.snake == name && name != "" {
				return i
			}
		}
		return -1
	}
	if at, ok := w.many[name]; ok {
		return at
	}
	return -1
}

// member is what is asked for of the member of that name, nil for nothing.
func (w *Want) member(name string) *wanted {
	if at := w.place(name); at >= 0 {
		return &w.members[at]
	}
	return nil
}
