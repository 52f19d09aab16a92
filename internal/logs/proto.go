package logs

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

var errWire = errors.New("not the wire bytes of a LogEntry")

// nextMessage is the message that begins at at, without its size, and where the next one begins; end is -1 behind the last.
// A size that leads beyond the data yields all that is left.
func (b Batch) nextMessage(at int) (message []byte, offset, end int) {
	if at >= len(b.Data) {
		return nil, at, -1
	}
	size, n := binary.Uvarint(b.Data[at:])
	if n <= 0 || size > uint64(len(b.Data)-at-n) {
		return b.Data[at:len(b.Data):len(b.Data)], at, len(b.Data)
	}
	start := at + n
	stop := start + int(size)
	return b.Data[start:stop:stop], at, stop
}

// message fills e from the wire bytes of a LogEntry, walked by the schema's field numbers, with the values that the REST API
// would give, a protoPayload's too if its type is known here (see Payload). Bytes that are no LogEntry are kept as broken text.
func (d *decoder) message(b []byte, e *Entry) {
	e.Raw = b
	d.members, d.items, d.depth = d.members[:0], d.items[:0], 0
	root, err := d.wire(entrySchema, b)
	if err != nil {
		e.Broken = true
		d.valid = false
		e.Root = d.wrap(Member{Name: "textPayload", Value: Value{Kind: String, Str: d.clean(string(b))}})
		return
	}
	e.Root = root
	e.Timestamp = ParseTime(root.Get("timestamp").Str)
	e.ReceiveTimestamp = ParseTime(root.Get("receiveTimestamp").Str)
}

// eachTag calls f with every field of a message: its number, and its value with the tag stripped.
func eachTag(b []byte, f func(number protowire.Number, typ protowire.Type, value []byte) error) error {
	for len(b) > 0 {
		number, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errWire
		}
		b = b[n:]
		n = protowire.ConsumeFieldValue(number, typ, b)
		if n < 0 {
			return errWire
		}
		value := b[:n]
		if typ == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(value)
		}
		if err := f(number, typ, value); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// wire decodes a message of the schema.
func (d *decoder) wire(schema *Field, b []byte) (Value, error) {
	base := len(d.members)
	var seen uint64
	err := eachTag(b, func(number protowire.Number, typ protowire.Type, value []byte) error {
		f := schema.byNumber(int(number))
		if f == nil {
			return nil // newer than this schema
		}
		var v Value
		var err error
		if f.Type == MapType {
			if seen&(1<<uint(number&63)) != 0 {
				return nil // all entries were taken with the first
			}
			seen |= 1 << uint(number&63)
			v, err = d.wireMap(b, number, func(b []byte) (Value, error) { return Value{Kind: String, Str: wireText(b)}, nil })
		} else {
			v, err = d.wireField(f, typ, value)
		}
		if err == nil {
			d.members = append(d.members, Member{Name: f.Name, Value: v})
		}
		return err
	})
	if err != nil {
		return Value{}, err
	}
	return Value{Kind: Object, Members: d.keepMembers(base)}, nil
}

func (f *Field) byNumber(number int) *Field {
	for i := range f.Fields {
		if f.Fields[i].Number == number {
			return &f.Fields[i]
		}
	}
	return nil
}

// wireField decodes one field that is no map.
func (d *decoder) wireField(f *Field, typ protowire.Type, b []byte) (Value, error) {
	if varint := f.Type == Int64Type || f.Type == BoolType || f.Type == EnumType; varint != (typ == protowire.VarintType) || !varint && typ != protowire.BytesType {
		return Value{}, errWire
	}
	switch f.Type {
	case StringType:
		return Value{Kind: String, Str: wireText(b)}, nil
	case Int64Type:
		n, _ := protowire.ConsumeVarint(b)
		return Value{Kind: f.numberKind(), Str: strconv.FormatInt(int64(n), 10)}, nil
	case BoolType:
		n, _ := protowire.ConsumeVarint(b)
		return Value{Kind: Bool, Bool: n != 0}, nil
	case EnumType:
		n, _ := protowire.ConsumeVarint(b)
		for name, s := range severities {
			if uint64(s) == n {
				return Value{Kind: String, Str: name}, nil
			}
		}
		return Value{Kind: Number, Str: strconv.FormatInt(int64(n), 10)}, nil
	case TimestampType, DurationType:
		return wireTime(f.Type, b)
	case StructType:
		return d.wireStruct(b)
	case AnyType:
		return d.wireAny(b)
	}
	return d.wire(f, b)
}

// numberKind is what JSON has for a number of the field: int64 is a string, int32 and what an enum has no name for a number.
func (f *Field) numberKind() Kind {
	switch f.Name {
	case "status", "index", "totalSplits", "severity":
		return Number
	}
	return String
}

func wireText(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

// wireTime decodes a Timestamp or a Duration into what JSON writes.
func wireTime(t FieldType, b []byte) (Value, error) {
	var parts [3]int64
	err := eachTag(b, func(number protowire.Number, typ protowire.Type, value []byte) error {
		if number > 2 {
			return nil
		}
		if typ != protowire.VarintType {
			return errWire
		}
		n, _ := protowire.ConsumeVarint(value)
		parts[number] = int64(n)
		return nil
	})
	seconds, nanos := parts[1], int64(int32(parts[2]))
	if err != nil || seconds < -maxEpoch || seconds > maxEpoch || nanos <= -1e9 || nanos >= 1e9 {
		return Value{}, errWire
	}
	if t == TimestampType {
		return Value{Kind: String, Str: time.Unix(seconds, nanos).UTC().Format(time.RFC3339Nano)}, nil
	}
	text := strconv.FormatInt(seconds, 10)
	if nanos != 0 {
		if nanos < 0 {
			nanos = -nanos
			if seconds == 0 {
				text = "-0"
			}
		}
		text += strings.TrimRight("."+strconv.FormatInt(1e9+nanos, 10)[1:], "0")
	}
	return Value{Kind: String, Str: text + "s"}, nil
}

// wireMap collects all entries of the map that is a message's field number.
func (d *decoder) wireMap(b []byte, number protowire.Number, decode func([]byte) (Value, error)) (Value, error) {
	base := len(d.members)
	err := eachTag(b, func(n protowire.Number, typ protowire.Type, entry []byte) error {
		if n != number {
			return nil
		}
		if typ != protowire.BytesType {
			return errWire
		}
		var key string
		var raw []byte
		err := eachTag(entry, func(n protowire.Number, typ protowire.Type, value []byte) error {
			if n <= 2 && typ != protowire.BytesType {
				return errWire
			}
			switch n {
			case 1:
				key = wireText(value)
			case 2:
				raw = value
			}
			return nil
		})
		if err != nil {
			return err
		}
		v, err := decode(raw)
		if err == nil {
			d.members = append(d.members, Member{Name: key, Value: v})
		}
		return err
	})
	if err != nil {
		return Value{}, err
	}
	return Value{Kind: Object, Members: d.keepMembers(base)}, nil
}

// wireStruct decodes a google.protobuf.Struct.
func (d *decoder) wireStruct(b []byte) (Value, error) {
	if d.depth++; d.depth > maxDepth {
		return Value{}, errTooDeep
	}
	defer func() { d.depth-- }()
	return d.wireMap(b, 1, d.wireValue)
}

// wireValue decodes a google.protobuf.Value; one that says nothing is null.
func (d *decoder) wireValue(b []byte) (v Value, err error) {
	v.Kind = Null
	err = eachTag(b, func(number protowire.Number, typ protowire.Type, value []byte) error {
		want := protowire.BytesType
		switch number {
		case 1, 4:
			want = protowire.VarintType
		case 2:
			want = protowire.Fixed64Type
		}
		if number <= 6 && typ != want {
			return errWire
		}
		var err error
		switch number {
		case 1:
			v = Value{Kind: Null}
		case 2:
			bits, _ := protowire.ConsumeFixed64(value)
			v = Double(math.Float64frombits(bits))
		case 3:
			v = Value{Kind: String, Str: wireText(value)}
		case 4:
			n, _ := protowire.ConsumeVarint(value)
			v = Value{Kind: Bool, Bool: n != 0}
		case 5:
			v, err = d.wireStruct(value)
		case 6:
			v, err = d.wireList(value)
		}
		return err
	})
	return v, err
}

// Double is a double as JSON writes it in its shortest form, whatever form it came in; what JSON has no number for is text: NaN,
// Infinity, -Infinity.
func Double(f float64) Value {
	switch {
	case math.IsNaN(f):
		return Value{Kind: String, Str: "NaN"}
	case math.IsInf(f, 0):
		return Value{Kind: String, Str: strings.TrimPrefix(strconv.FormatFloat(f, 'g', -1, 64), "+") + "inity"}
	case f == math.Trunc(f) && math.Abs(f) < 1e15:
		return Value{Kind: Number, Str: strconv.FormatFloat(f, 'f', -1, 64)}
	}
	return Value{Kind: Number, Str: strconv.FormatFloat(f, 'g', -1, 64)}
}

func (d *decoder) wireList(b []byte) (Value, error) {
	if d.depth++; d.depth > maxDepth {
		return Value{}, errTooDeep
	}
	defer func() { d.depth-- }()
	out := Value{Kind: Array}
	err := eachTag(b, func(number protowire.Number, typ protowire.Type, value []byte) error {
		if number != 1 {
			return nil
		}
		if typ != protowire.BytesType {
			return errWire
		}
		v, err := d.wireValue(value)
		out.Items = append(out.Items, v)
		return err
	})
	return out, err
}
