package logs

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"
)

// takeTag takes a field off a message: its number, its value without its size, and what follows. ok is false for what is none, and for
// the groups of old.
func takeTag(b []byte) (number int, typ protowire.Type, value, rest []byte, ok bool) {
	tag, n := uint64(b[0]), 1
	if tag >= 0x80 {
		tag, n = binary.Uvarint(b)
		if n <= 0 || tag>>3 > uint64(protowire.MaxValidNumber) {
			return 0, 0, nil, nil, false
		}
	}
	b = b[n:]
	number, typ = int(tag>>3), protowire.Type(tag&7)
	var size uint64
	switch typ {
	case protowire.VarintType:
		if _, n = binary.Uvarint(b); n <= 0 {
			return 0, 0, nil, nil, false
		}
		size = uint64(n)
	case protowire.Fixed32Type:
		size = 4
	case protowire.Fixed64Type:
		size = 8
	case protowire.BytesType:
		if len(b) > 0 && b[0] < 0x80 {
			size, b = uint64(b[0]), b[1:]
			break
		}
		if size, n = binary.Uvarint(b); n <= 0 {
			return 0, 0, nil, nil, false
		}
		b = b[n:]
	default:
		return 0, 0, nil, nil, false
	}
	if number == 0 || size > uint64(len(b)) {
		return 0, 0, nil, nil, false
	}
	return number, typ, b[:size:size], b[size:], true
}

// wide says whether a byte is not ASCII.
func wide(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&topBits != 0 {
			return true
		}
	}
	for _, c := range b {
		if c >= 0x80 {
			return true
		}
	}
	return false
}
