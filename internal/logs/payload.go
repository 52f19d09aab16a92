package logs

import (
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	appengine "google.golang.org/genproto/googleapis/appengine/logging/v1"
	"google.golang.org/genproto/googleapis/cloud/audit"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// payloadTypes are the messages that a protoPayload, or an Any within one, may be and still be read inside: what Cloud Logging
// itself writes and Google publishes in Go. All others are kept encoded.
var payloadTypes = sync.OnceValue(func() map[protoreflect.FullName]protoreflect.MessageDescriptor {
	out := map[protoreflect.FullName]protoreflect.MessageDescriptor{}
	for _, m := range []proto.Message{
		&audit.AuditLog{}, &audit.BigQueryAuditMetadata{}, &appengine.RequestLog{},
		&status.Status{}, &errdetails.ErrorInfo{}, &errdetails.RetryInfo{}, &errdetails.DebugInfo{}, &errdetails.QuotaFailure{},
		&errdetails.PreconditionFailure{}, &errdetails.BadRequest{}, &errdetails.RequestInfo{}, &errdetails.ResourceInfo{},
		&errdetails.Help{}, &errdetails.LocalizedMessage{},
		&structpb.Struct{}, &structpb.Value{}, &structpb.ListValue{}, &timestamppb.Timestamp{}, &durationpb.Duration{}, &emptypb.Empty{},
		&wrapperspb.StringValue{}, &wrapperspb.BytesValue{}, &wrapperspb.BoolValue{}, &wrapperspb.DoubleValue{}, &wrapperspb.FloatValue{},
		&wrapperspb.Int32Value{}, &wrapperspb.Int64Value{}, &wrapperspb.UInt32Value{}, &wrapperspb.UInt64Value{},
	} {
		md := m.ProtoReflect().Descriptor()
		out[md.FullName()] = md
	}
	return out
})

// Payload is a google.protobuf.Any as the REST API writes it: its @type, and beside it what is in the message. A message of a
// type that is not known here, and bytes that are none of their type, stay encoded: in base64, under value.
func Payload(typeURL string, b []byte) Value {
	var d decoder
	return d.any(typeURL, b).own()
}

// wireAny decodes a google.protobuf.Any.
func (d *decoder) wireAny(b []byte) (Value, error) {
	var typeURL string
	var value []byte
	err := eachTag(b, func(number protowire.Number, typ protowire.Type, v []byte) error {
		if number <= 2 && typ != protowire.BytesType {
			return errWire
		}
		switch number {
		case 1:
			typeURL = wireText(v)
		case 2:
			value = v
		}
		return nil
	})
	if err != nil {
		return Value{}, err
	}
	return d.any(typeURL, value), nil
}

// any is Payload.
func (d *decoder) any(typeURL string, b []byte) Value {
	name := Member{Name: "@type", Value: Value{Kind: String, Str: typeURL}}
	if typeURL == "" && len(b) == 0 {
		return Value{Kind: Object}
	}
	members, items, depth := len(d.members), len(d.items), d.depth
	if md := payloadTypes()[protoreflect.FullName(typeURL[strings.LastIndexByte(typeURL, '/')+1:])]; md != nil {
		if special(md) {
			if v, err := d.described(md, b); err == nil {
				return d.wrap(name, Member{Name: "value", Value: v})
			}
		} else {
			d.members = append(d.members, name)
			if err := d.fields(md, b); err == nil {
				return Value{Kind: Object, Members: d.keepMembers(members)}
			}
		}
		d.members, d.items, d.depth = d.members[:members], d.items[:items], depth
	}
	if len(b) == 0 {
		return d.wrap(name)
	}
	return d.wrap(name, Member{Name: "value", Value: Value{Kind: String, Str: base64.StdEncoding.EncodeToString(b)}})
}

// special says whether JSON writes a message otherwise than as an object of its fields.
func special(md protoreflect.MessageDescriptor) bool {
	return strings.HasPrefix(string(md.FullName()), "google.protobuf.") && md.FullName() != "google.protobuf.Empty"
}

// described decodes a message by its description.
func (d *decoder) described(md protoreflect.MessageDescriptor, b []byte) (Value, error) {
	if d.depth++; d.depth > maxDepth {
		return Value{}, errTooDeep
	}
	defer func() { d.depth-- }()
	switch md.FullName() {
	case "google.protobuf.Any":
		return d.wireAny(b)
	case "google.protobuf.Struct":
		return d.wireStruct(b)
	case "google.protobuf.Value":
		return d.wireValue(b)
	case "google.protobuf.ListValue":
		return d.wireList(b)
	case "google.protobuf.Timestamp":
		v, err := wireTime(TimestampType, b)
		v.Str = threeDigits(v.Str)
		return v, err
	case "google.protobuf.Duration":
		v, err := wireTime(DurationType, b)
		v.Str = threeDigits(v.Str)
		return v, err
	}
	if special(md) && md.Fields().Len() == 1 && md.Fields().Get(0).Name() == "value" { // StringValue and its like
		fd := md.Fields().Get(0)
		var last []byte
		err := eachTag(b, func(number protowire.Number, typ protowire.Type, value []byte) error {
			if number == fd.Number() && typ == wireType(fd.Kind()) {
				last = value
			}
			return nil
		})
		if err != nil {
			return Value{}, err
		}
		return d.describedField(fd, last)
	}
	base := len(d.members)
	if err := d.fields(md, b); err != nil {
		return Value{}, err
	}
	return Value{Kind: Object, Members: d.keepMembers(base)}, nil
}

// threeDigits gives the fraction of a time or a duration 3, 6 or 9 digits, as proto's JSON does.
func threeDigits(s string) string {
	dot := strings.IndexByte(s, '.')
	if dot < 0 {
		return s
	}
	if n := (len(s) - dot - 2) % 3; n > 0 {
		return s[:len(s)-1] + "00"[:3-n] + s[len(s)-1:]
	}
	return s
}

// fields pushes the fields of a message as members. As in proto's own readers a field of another wire type than its own is passed
// over, and one without presence that holds its default is not there.
func (d *decoder) fields(md protoreflect.MessageDescriptor, b []byte) error {
	var lists map[protowire.Number]bool
	return eachTag(b, func(number protowire.Number, typ protowire.Type, value []byte) error {
		fd := md.Fields().ByNumber(number)
		if fd == nil {
			return nil // newer than the description
		}
		var v Value
		var err error
		switch {
		case fd.IsMap() || fd.IsList():
			if lists[number] || typ != wireType(fd.Kind()) && typ != protowire.BytesType {
				return nil // all elements were taken with the first
			}
			if lists == nil {
				lists = map[protowire.Number]bool{}
			}
			lists[number] = true
			if fd.IsMap() {
				v, err = d.describedMap(fd, b)
			} else {
				v, err = d.describedList(fd, b)
			}
		case typ != wireType(fd.Kind()):
			return nil
		default:
			v, err = d.describedField(fd, value)
			if err == nil && !fd.HasPresence() && zero(fd.Kind(), value) {
				return nil
			}
		}
		if err == nil {
			d.members = append(d.members, Member{Name: fd.JSONName(), Value: v})
		}
		return err
	})
}

// describedList decodes all elements of a repeated field of the message b, packed or not.
func (d *decoder) describedList(fd protoreflect.FieldDescriptor, b []byte) (Value, error) {
	base, single := len(d.items), wireType(fd.Kind())
	err := eachTag(b, func(number protowire.Number, typ protowire.Type, value []byte) error {
		if number != fd.Number() {
			return nil
		}
		if typ == single {
			v, err := d.describedField(fd, value)
			d.items = append(d.items, v)
			return err
		}
		for typ == protowire.BytesType && len(value) > 0 {
			n := protowire.ConsumeFieldValue(number, single, value)
			if n < 0 {
				return errWire
			}
			v, err := d.describedField(fd, value[:n])
			if err != nil {
				return err
			}
			d.items = append(d.items, v)
			value = value[n:]
		}
		return nil
	})
	if err != nil {
		return Value{}, err
	}
	return Value{Kind: Array, Items: d.keepItems(base)}, nil
}

// describedMap decodes all entries of a map field of the message b.
func (d *decoder) describedMap(fd protoreflect.FieldDescriptor, b []byte) (Value, error) {
	base := len(d.members)
	err := eachTag(b, func(number protowire.Number, typ protowire.Type, entry []byte) error {
		if number != fd.Number() || typ != protowire.BytesType {
			return nil
		}
		key, _ := d.describedField(fd.MapKey(), nil)
		v, err := d.describedField(fd.MapValue(), nil)
		if err != nil {
			return err
		}
		err = eachTag(entry, func(number protowire.Number, typ protowire.Type, value []byte) error {
			var err error
			switch {
			case number == 1 && typ == wireType(fd.MapKey().Kind()):
				key, err = d.describedField(fd.MapKey(), value)
			case number == 2 && typ == wireType(fd.MapValue().Kind()):
				v, err = d.describedField(fd.MapValue(), value)
			}
			return err
		})
		if err == nil {
			d.members = append(d.members, Member{Name: key.Text(), Value: v})
		}
		return err
	})
	if err != nil {
		return Value{}, err
	}
	return Value{Kind: Object, Members: d.keepMembers(base)}, nil
}

// wireType is how a field of that kind is written, one value at a time. A group is none that any of the types has.
func wireType(kind protoreflect.Kind) protowire.Type {
	switch kind {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.GroupKind:
		return -1
	}
	return protowire.VarintType
}

// zero says whether a value's bytes are those of its kind's default.
func zero(kind protoreflect.Kind, b []byte) bool {
	switch wireType(kind) {
	case protowire.BytesType:
		return len(b) == 0
	case protowire.VarintType:
		n, _ := protowire.ConsumeVarint(b)
		return n == 0
	}
	return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 })
}

// describedField decodes one value of a field, its default if b is empty, as proto's JSON writes it.
func (d *decoder) describedField(fd protoreflect.FieldDescriptor, b []byte) (Value, error) {
	n, _ := protowire.ConsumeVarint(b)
	number := func(s string) (Value, error) { return Value{Kind: Number, Str: s}, nil }
	text := func(s string) (Value, error) { return Value{Kind: String, Str: s}, nil } // 64 bits are a string in JSON
	switch fd.Kind() {
	case protoreflect.MessageKind:
		return d.described(fd.Message(), b)
	case protoreflect.StringKind:
		return text(wireText(b))
	case protoreflect.BytesKind:
		return text(base64.StdEncoding.EncodeToString(b))
	case protoreflect.BoolKind:
		return Value{Kind: Bool, Bool: n != 0}, nil
	case protoreflect.EnumKind:
		if v := fd.Enum().Values().ByNumber(protoreflect.EnumNumber(n)); v != nil {
			return text(string(v.Name()))
		}
		return number(strconv.FormatInt(int64(int32(n)), 10))
	case protoreflect.Int32Kind:
		return number(strconv.FormatInt(int64(int32(n)), 10))
	case protoreflect.Sint32Kind:
		return number(strconv.FormatInt(protowire.DecodeZigZag(n&math.MaxUint32), 10))
	case protoreflect.Uint32Kind:
		return number(strconv.FormatUint(uint64(uint32(n)), 10))
	case protoreflect.Int64Kind:
		return text(strconv.FormatInt(int64(n), 10))
	case protoreflect.Sint64Kind:
		return text(strconv.FormatInt(protowire.DecodeZigZag(n), 10))
	case protoreflect.Uint64Kind:
		return text(strconv.FormatUint(n, 10))
	}
	return fixed(fd.Kind(), b)
}

// fixed decodes a value of 32 or 64 bits.
func fixed(kind protoreflect.Kind, b []byte) (Value, error) {
	short, _ := protowire.ConsumeFixed32(b)
	long, _ := protowire.ConsumeFixed64(b)
	switch kind {
	case protoreflect.Fixed32Kind:
		return Value{Kind: Number, Str: strconv.FormatUint(uint64(short), 10)}, nil
	case protoreflect.Sfixed32Kind:
		return Value{Kind: Number, Str: strconv.FormatInt(int64(int32(short)), 10)}, nil
	case protoreflect.Fixed64Kind:
		return Value{Kind: String, Str: strconv.FormatUint(long, 10)}, nil
	case protoreflect.Sfixed64Kind:
		return Value{Kind: String, Str: strconv.FormatInt(int64(long), 10)}, nil
	case protoreflect.FloatKind:
		f := float64(math.Float32frombits(short))
		if v := Double(f); v.Kind == String || f == math.Trunc(f) && math.Abs(f) < 1e15 {
			return v, nil
		}
		return Value{Kind: Number, Str: strconv.FormatFloat(f, 'g', -1, 32)}, nil
	case protoreflect.DoubleKind:
		return Double(math.Float64frombits(long)), nil
	}
	return Value{}, errWire
}
