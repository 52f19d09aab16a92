package logs

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// Message reads one LogEntry's wire bytes as Batch.Walk does, but only the parts of it that w asks for; the times always. odd
// says that the entry may hold text otherwise than as it stands in the message: it has a byte that is not ASCII, a protoPayload,
// or is broken; only then all of it is read, or something of it was copied. The entry is good until the next call, and as long as
// message does not change.
func (p *Picker) Message(message []byte, w *Want) (e *Entry, odd bool) {
	d := &p.d
	d.reset()
	p.e = Entry{Raw: message}
	d.borrow, d.reuse = true, true
	d.members, d.items, d.depth, d.odd = d.members[:0], d.items[:0], 0, false
	d.stamps = [2]time.Time{}
	if w.all {
		d.message(message, &p.e)
		return &p.e, true
	}
	root, ok := d.pickMessage(entrySchema, message, w)
	if !ok {
		d.reset()
		d.message(message, &p.e)
		return &p.e, true
	}
	p.e.Root, p.e.Timestamp, p.e.ReceiveTimestamp = root, d.stamps[0], d.stamps[1]
	return &p.e, d.odd
}

// KeepMessage reads all of one LogEntry's wire bytes. The entry may be kept; its Raw is a copy.
func (p *Picker) KeepMessage(message []byte) *Entry {
	d := &p.d
	d.reset()
	p.e = Entry{}
	d.borrow, d.reuse = false, false
	d.message(append([]byte(nil), message...), &p.e)
	return p.e.Own()
}

// below is what is asked for of a member; a nil Want asks for nothing.
func (w *Want) below(name string) *Want {
	if w == nil || w.all {
		return w
	}
	if m := w.member(name); m != nil {
		return m.part
	}
	return nil
}

// text is a string of the wire, which is shared if it is ASCII.
func (d *decoder) text(b []byte, w *Want) string {
	if wide(b) {
		d.odd = true
		if w != nil {
			return wireText(b)
		}
	}
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// pickMessage takes what is asked for of a message of the schema. ok is false if it is to be read whole.
func (d *decoder) pickMessage(schema *Field, b []byte, w *Want) (v Value, ok bool) {
	base := len(d.members)
	var maps uint64
	for rest := b; len(rest) > 0; {
		var number int
		var typ protowire.Type
		var value []byte
		if number, typ, value, rest, ok = takeTag(rest); !ok {
			return Value{}, false
		}
		f := schema.onWire(number)
		if f == nil {
			continue // newer than this schema
		}
		part := w.below(f.Name)
		if f.Type == MapType {
			if typ != protowire.BytesType {
				return Value{}, false
			}
			if _, _, ok = d.pickMember(value, nil, pickLabel); !ok {
				return Value{}, false
			}
			if part == nil || maps>>uint(number)&1 == 1 {
				continue // all entries are taken with the first
			}
			maps |= 1 << uint(number)
			v, ok = d.pickMap(b, number, part, pickLabel)
		} else {
			v, ok = d.pickField(f, typ, value, part)
		}
		if !ok {
			return Value{}, false
		}
		if part != nil {
			d.members = append(d.members, Member{Name: f.Name, Value: v})
		}
	}
	return d.picked(base), true
}

// picked is an object of the members above base.
func (d *decoder) picked(base int) Value {
	if len(d.members) == base {
		return Value{Kind: Object}
	}
	return Value{Kind: Object, Members: d.keepMembers(base)}
}

// onWire is a message's field of that number, or nil.
func (f *Field) onWire(number int) *Field {
	if number < len(f.numbers) {
		return f.numbers[number]
	}
	return nil
}

// pickField takes one field that is no map.
func (d *decoder) pickField(f *Field, typ protowire.Type, b []byte, w *Want) (v Value, ok bool) {
	if varint := f.Type == Int64Type || f.Type == BoolType || f.Type == EnumType; varint != (typ == protowire.VarintType) || !varint && typ != protowire.BytesType {
		return Value{}, false
	}
	switch f.Type {
	case StringType:
		return Value{Kind: String, Str: d.text(b, w)}, true
	case Int64Type, BoolType, EnumType:
		if w == nil {
			return Value{}, true
		}
		n, _ := binary.Uvarint(b)
		switch {
		case f.Type == BoolType:
			return Value{Kind: Bool, Bool: n != 0}, true
		case f.Type == EnumType && n%100 == 0 && n/100 < uint64(len(severityNames)):
			return Value{Kind: String, Str: severityNames[n/100]}, true
		}
		base := len(d.texts)
		d.texts = strconv.AppendInt(d.texts, int64(n), 10)
		return Value{Kind: f.numberKind(), Str: d.takeText(base)}, true
	case TimestampType, DurationType:
		return d.pickTime(f, b, w)
	case StructType:
		return d.pickStruct(b, w)
	case MessageType:
		return d.pickMessage(f, b, w)
	}
	return Value{}, false // what an Any holds is found elsewhere
}

// pickTime takes a Timestamp or a Duration, and keeps the entry's own times.
func (d *decoder) pickTime(f *Field, b []byte, w *Want) (Value, bool) {
	var parts [3]int64
	for rest := b; len(rest) > 0; {
		number, typ, value, after, ok := takeTag(rest)
		if !ok || number > 2 || typ != protowire.VarintType {
			return Value{}, false
		}
		n, _ := binary.Uvarint(value)
		parts[number], rest = int64(n), after
	}
	const firstSecond = -62135596800 // of the year 1
	seconds, nanos := parts[1], int64(int32(parts[2]))
	if seconds < firstSecond || seconds > maxEpoch || nanos < 0 || nanos >= 1e9 {
		return Value{}, false
	}
	if f.Type == DurationType {
		if w == nil {
			return Value{}, true
		}
		v, err := wireTime(f.Type, b)
		return v, err == nil
	}
	t := time.Unix(seconds, nanos).UTC()
	switch f.Name {
	case "timestamp":
		d.stamps[0] = t
	case "receiveTimestamp":
		d.stamps[1] = t
	}
	if w == nil {
		return Value{}, true
	}
	base := len(d.texts)
	d.texts = t.AppendFormat(d.texts, time.RFC3339Nano)
	return Value{Kind: String, Str: d.takeText(base)}, true
}

// pickMap takes what is asked for of the entries of the map that is a message's field number.
func (d *decoder) pickMap(b []byte, number int, w *Want, value func(*decoder, []byte, *Want) (Value, bool)) (Value, bool) {
	base := len(d.members)
	for rest := b; len(rest) > 0; {
		n, typ, entry, after, ok := takeTag(rest)
		rest = after
		switch {
		case !ok:
			return Value{}, false
		case n != number:
			continue
		case typ != protowire.BytesType:
			return Value{}, false
		}
		m, asked, ok := d.pickMember(entry, w, value)
		if !ok {
			return Value{}, false
		}
		if asked {
			d.members = append(d.members, m)
		}
	}
	return d.picked(base), true
}

// pickMember takes an entry of a map, if it is asked for.
func (d *decoder) pickMember(entry []byte, w *Want, value func(*decoder, []byte, *Want) (Value, bool)) (m Member, asked, ok bool) {
	var key, raw []byte
	for rest := entry; len(rest) > 0; {
		n, typ, b, after, ok := takeTag(rest)
		if !ok || n <= 2 && typ != protowire.BytesType {
			return Member{}, false, false
		}
		switch n {
		case 1:
			key = b
		case 2:
			raw = b
		}
		rest = after
	}
	m.Name = d.text(key, w)
	part := w.below(m.Name)
	m.Value, ok = value(d, raw, part)
	return m, part != nil, ok
}

// pickLabel takes a label's value.
func pickLabel(d *decoder, b []byte, w *Want) (Value, bool) {
	return Value{Kind: String, Str: d.text(b, w)}, true
}

// pickStruct takes what is asked for of a google.protobuf.Struct.
func (d *decoder) pickStruct(b []byte, w *Want) (Value, bool) {
	if d.depth++; d.depth > maxDepth {
		return Value{}, false
	}
	v, ok := d.pickMap(b, 1, w, (*decoder).pickAny)
	d.depth--
	return v, ok
}

// pickAny takes what is asked for of a google.protobuf.Value.
func (d *decoder) pickAny(b []byte, w *Want) (v Value, ok bool) {
	v.Kind = Null
	for rest := b; len(rest) > 0; {
		number, typ, value, after, ok := takeTag(rest)
		if !ok {
			return Value{}, false
		}
		rest = after
		want := protowire.BytesType
		switch number {
		case 1, 4:
			want = protowire.VarintType
		case 2:
			want = protowire.Fixed64Type
		}
		if number <= 6 && typ != want {
			return Value{}, false
		}
		switch number {
		case 1:
			v = Value{Kind: Null}
		case 2:
			if w != nil {
				v = d.pickNumber(math.Float64frombits(binary.LittleEndian.Uint64(value)))
			}
		case 3:
			v = Value{Kind: String, Str: d.text(value, w)}
		case 4:
			n, _ := binary.Uvarint(value)
			v = Value{Kind: Bool, Bool: n != 0}
		case 5:
			v, ok = d.pickStruct(value, w)
		case 6:
			v, ok = d.pickList(value, w)
		}
		if !ok {
			return Value{}, false
		}
	}
	return v, true
}

// pickNumber is Double that allocates nothing.
func (d *decoder) pickNumber(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Double(f)
	}
	format := byte('g')
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		format = 'f'
	}
	base := len(d.texts)
	d.texts = strconv.AppendFloat(d.texts, f, format, -1, 64)
	return Value{Kind: Number, Str: d.takeText(base)}
}

func (d *decoder) pickList(b []byte, w *Want) (Value, bool) {
	if d.depth++; d.depth > maxDepth {
		return Value{}, false
	}
	base := len(d.items)
	for rest := b; len(rest) > 0; {
		number, typ, value, after, ok := takeTag(rest)
		rest = after
		switch {
		case !ok:
			return Value{}, false
		case number != 1:
			continue
		case typ != protowire.BytesType:
			return Value{}, false
		}
		v, ok := d.pickAny(value, w)
		if !ok {
			return Value{}, false
		}
		if w != nil {
			d.items = append(d.items, v)
		}
	}
	d.depth--
	if len(d.items) == base {
		return Value{Kind: Array}, true
	}
	return Value{Kind: Array, Items: d.keepItems(base)}, true
}

// EachMessage calls f with the LogEntries of a batch of Form Proto, and where each begins and ends in Data, with its size.
func (b Batch) EachMessage(f func(message []byte, offset, end int)) {
	for at := 0; ; {
		message, offset, end := b.nextMessage(at)
		if end < 0 {
			return
		}
		f(message, offset, end)
		at = end
	}
}
