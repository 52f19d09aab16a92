package logs

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may nest. Cloud Logging's own limit is far lower; without one a line of brackets
// would take the stack.
const maxDepth = 200

var (
	errCut     = errors.New("the JSON ends too early")
	errTooDeep = fmt.Errorf("the JSON nests deeper than %d levels", maxDepth)
)

// ParseJSON decodes one JSON value. It is more forgiving than encoding/json where that keeps an entry whole: invalid UTF-8
// and lone surrogates become U+FFFD, control characters may stand in strings. A repeated name keeps its last value; a
// number keeps its text whatever its size. Nesting is bounded to 200 levels. An error names the byte where it was noticed.
func ParseJSON(b []byte) (Value, error) {
	var d decoder
	return d.decode(string(b))
}

// decoder decodes JSON into Values whose slices are cut from slabs, so that one that is reset and used again allocates
// nothing in the long run.
type decoder struct {
	src   string
	pos   int
	depth int
	valid bool // src is valid UTF-8 throughout
	// borrow says that strings may share the line's memory, because it does not change while they are in use.
	borrow bool
	// reuse says that strings need not outlive the next reset.
	reuse bool

	// While only parts of src are picked: src as bytes, the places of the quotes that begin and end its strings, which of them
	// is the next, whether there are escapes, and whether names may be spelled otherwise than the REST API does.
	raw       []byte
	quotes    []int32
	masks     []uint64 // of mark
	marked    int      // how many quotes there are
	next      int
	escapes   bool
	respelled bool
	top       topNames
	odd       bool         // of a message: see Picker.Message
	stamps    [2]time.Time // its timestamp and receiveTimestamp
	minute    minute

	members []Member // stacks of what is being built
	items   []Value

	memberSlab []Member
	itemSlab   []Value
	texts      []byte // strings whose escapes were resolved
	names      map[string]int
}

// reset gives back everything that decode returned since the last reset: the Values must not be used any more.
func (d *decoder) reset() {
	d.memberSlab = d.memberSlab[:0]
	d.itemSlab = d.itemSlab[:0]
	d.texts = d.texts[:0]
}

// decode decodes all of src. The Value's strings share src's memory.
func (d *decoder) decode(src string) (Value, error) {
	d.src, d.pos, d.depth = src, 0, 0
	d.valid = utf8.ValidString(src)
	d.members, d.items = d.members[:0], d.items[:0]
	d.space()
	v, err := d.value()
	if err != nil {
		return Value{}, fmt.Errorf("byte %d: %w", d.pos, err)
	}
	d.space()
	if d.pos < len(src) {
		return Value{}, fmt.Errorf("byte %d: unexpected %q after the JSON value", d.pos, src[d.pos])
	}
	return v, nil
}

func (d *decoder) space() {
	for d.pos < len(d.src) {
		switch d.src[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

// value decodes the value at pos. It returns it, and takes no pointer to it, because a pointer would put each on the heap.
func (d *decoder) value() (Value, error) {
	if d.pos >= len(d.src) {
		return Value{}, errCut
	}
	switch c := d.src[d.pos]; c {
	case '{':
		return d.object()
	case '[':
		return d.array()
	case '"':
		s, err := d.string()
		return Value{Kind: String, Str: s}, err
	case 't':
		return Value{Kind: Bool, Bool: true}, d.word("true")
	case 'f':
		return Value{Kind: Bool}, d.word("false")
	case 'n':
		return Value{Kind: Null}, d.word("null")
	default:
		s, err := d.number()
		return Value{Kind: Number, Str: s}, err
	}
}

func (d *decoder) word(w string) error {
	rest := d.src[d.pos:]
	if strings.HasPrefix(rest, w) {
		d.pos += len(w)
		return nil
	}
	if strings.HasPrefix(w, rest) {
		return errCut
	}
	return fmt.Errorf("not a JSON value")
}

func (d *decoder) object() (Value, error) {
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
	for {
		d.space()
		if d.pos >= len(d.src) {
			return Value{}, errCut
		}
		if d.src[d.pos] != '"' {
			return Value{}, fmt.Errorf("unexpected %q, a name in double quotes should stand here", d.src[d.pos])
		}
		name, err := d.string()
		if err != nil {
			return Value{}, err
		}
		d.space()
		if d.pos >= len(d.src) {
			return Value{}, errCut
		}
		if d.src[d.pos] != ':' {
			return Value{}, fmt.Errorf("unexpected %q after a name", d.src[d.pos])
		}
		d.pos++
		d.space()
		m, err := d.value()
		if err != nil {
			return Value{}, err
		}
		d.members = append(d.members, Member{Name: name, Value: m})
		d.space()
		end, err := d.separator('}')
		if err != nil {
			return Value{}, err
		}
		if end {
			break
		}
	}
	d.depth--
	return Value{Kind: Object, Members: d.keepMembers(base)}, nil
}

// separator steps over a comma, or over the closing bracket and says true.
func (d *decoder) separator(closing byte) (bool, error) {
	if d.pos >= len(d.src) {
		return false, errCut
	}
	switch c := d.src[d.pos]; c {
	case ',':
		d.pos++
		return false, nil
	case closing:
		d.pos++
		return true, nil
	default:
		return false, fmt.Errorf("unexpected %q, a comma or %q should stand here", c, closing)
	}
}

func (d *decoder) array() (Value, error) {
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
	for {
		d.space()
		item, err := d.value()
		if err != nil {
			return Value{}, err
		}
		d.items = append(d.items, item)
		d.space()
		end, err := d.separator(']')
		if err != nil {
			return Value{}, err
		}
		if end {
			break
		}
	}
	d.depth--
	return Value{Kind: Array, Items: d.keepItems(base)}, nil
}

// keepItems takes the items above base off the stack and returns them.
func (d *decoder) keepItems(base int) []Value {
	start := len(d.itemSlab)
	d.itemSlab = append(d.itemSlab, d.items[base:]...)
	d.items = d.items[:base]
	return d.itemSlab[start:len(d.itemSlab):len(d.itemSlab)]
}

// keepMembers takes the members above base off the stack, the last of each name, and returns them.
func (d *decoder) keepMembers(base int) []Member {
	start := len(d.memberSlab)
	found := d.members[base:]
	if len(found) <= 16 {
		for i := range found {
			if !repeatedLater(found, i) {
				d.memberSlab = append(d.memberSlab, found[i])
			}
		}
	} else {
		// Comparing each with each would take minutes on a hostile line of a hundred thousand names.
		if d.names == nil {
			d.names = make(map[string]int, len(found))
		}
		for i := range found {
			d.names[found[i].Name] = i
		}
		for i := range found {
			if d.names[found[i].Name] == i {
				d.memberSlab = append(d.memberSlab, found[i])
			}
		}
		clear(d.names)
		if len(found) > 1024 {
			d.names = nil
		}
	}
	d.members = d.members[:base]
	return d.memberSlab[start:len(d.memberSlab):len(d.memberSlab)]
}

func repeatedLater(found []Member, i int) bool {
	name := found[i].Name
	for j := i + 1; j < len(found); j++ {
		if len(found[j].Name) == len(name) && found[j].Name == name {
			return true
		}
	}
	return false
}

// number takes a number as it is written, checking JSON's grammar.
func (d *decoder) number() (string, error) {
	src, i := d.src, d.pos
	digits := func() bool {
		start := i
		for i < len(src) && src[i] >= '0' && src[i] <= '9' {
			i++
		}
		return i > start
	}
	bad := func() error {
		if i >= len(src) {
			return errCut
		}
		return fmt.Errorf("unexpected %q, not a JSON value", src[i])
	}
	if src[i] == '-' {
		i++
	}
	if i < len(src) && src[i] == '0' {
		i++
	} else if !digits() {
		return "", bad()
	}
	if i < len(src) && src[i] == '.' {
		i++
		if !digits() {
			return "", bad()
		}
	}
	if i < len(src) && (src[i] == 'e' || src[i] == 'E') {
		i++
		if i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		if !digits() {
			return "", bad()
		}
	}
	start := d.pos
	d.pos = i
	return src[start:i], nil
}
