package cloudlog

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// piece is an entry as its wire bytes, of which most are never looked at here.
type piece struct {
	wire     []byte
	id       identity
	received time.Time
}

// identity is a hash of what makes an entry the same: its log's name, timestamp and insertId.
type identity [16]byte

// The numbers of the fields of google.logging.v2.LogEntry that are looked at.
const (
	insertIDField  = 4
	timestampField = 9
	logNameField   = 12
	receivedField  = 24
)

// newPiece looks through an entry's bytes. Of what is no entry the bytes are the identity; the engine says that it is broken.
func newPiece(wire []byte, now time.Time) piece {
	p := piece{wire: wire, received: now}
	var name, stamp, id []byte
	whole := true
	for b := wire; len(b) > 0 && whole; {
		number, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			whole = false
			break
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(number, typ, b); n < 0 {
			whole = false
			break
		}
		if typ == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(b)
			switch number {
			case insertIDField:
				id = value
			case timestampField:
				stamp = value
			case logNameField:
				name = value
			case receivedField:
				p.received = timeOf(value, now)
			}
		}
		b = b[n:]
	}
	if !whole {
		name, stamp, id = nil, nil, wire
	}
	seconds, nanos := stampOf(stamp)
	sum := sha256.Sum256(fmt.Appendf(make([]byte, 0, 160), "%s\x00%d.%d\x00%s", name, seconds, nanos, id))
	p.id = identity(sum[:16])
	return p
}

// stampOf reads a google.protobuf.Timestamp.
func stampOf(b []byte) (seconds, nanos int64) {
	for len(b) > 0 {
		number, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return seconds, nanos
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(number, typ, b); n < 0 {
			return seconds, nanos
		}
		if v, m := protowire.ConsumeVarint(b); typ == protowire.VarintType && m > 0 {
			switch number {
			case 1:
				seconds = int64(v)
			case 2:
				nanos = int64(int32(v))
			}
		}
		b = b[n:]
	}
	return seconds, nanos
}

// timeOf is the time of a google.protobuf.Timestamp; instead is for one that no clock shows.
func timeOf(b []byte, instead time.Time) time.Time {
	const last = 253402300799 // the end of the year 9999
	seconds, nanos := stampOf(b)
	if seconds < 0 || seconds > last {
		return instead
	}
	return time.Unix(seconds, nanos).UTC()
}

// append adds the piece to a batch of form logs.Proto.
func (p *piece) append(b []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(p.wire))), p.wire...)
}

// rawEntries is the codec of the calls that give entries: it leaves those of a response as they are, in its unknown fields.
type rawEntries struct{}

// Name is that of the encoding it reads.
func (rawEntries) Name() string { return "proto" }

// Marshal writes a message as ever.
func (rawEntries) Marshal(v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("write %T: not a message", v)
	}
	return proto.Marshal(m)
}

// entriesField is the number that the entries have in the responses of both calls.
const entriesField = 1

// Unmarshal reads all of a response but its entries.
func (rawEntries) Unmarshal(data []byte, v any) error {
	var m proto.Message
	switch response := v.(type) {
	case *loggingpb.TailLogEntriesResponse:
		m = response
	case *loggingpb.ListLogEntriesResponse:
		m = response
	default:
		return fmt.Errorf("read %T: not a response that gives entries", v)
	}
	entries, rest := make([]byte, 0, len(data)), []byte(nil)
	for b := data; len(b) > 0; {
		number, typ, n := protowire.ConsumeField(b)
		if n < 0 {
			return fmt.Errorf("read a response of entries: %w", protowire.ParseError(n))
		}
		if number == entriesField && typ == protowire.BytesType {
			entries = append(entries, b[:n]...)
		} else {
			rest = append(rest, b[:n]...)
		}
		b = b[n:]
	}
	if err := proto.Unmarshal(rest, m); err != nil {
		return err
	}
	m.ProtoReflect().SetUnknown(entries)
	return nil
}

// piecesOf are the entries of a response that rawEntries has read.
func piecesOf(m proto.Message, now time.Time) []piece {
	var out []piece
	for b := []byte(m.ProtoReflect().GetUnknown()); len(b) > 0; {
		_, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			break // cannot be: the codec has read it
		}
		wire, m := protowire.ConsumeBytes(b[n:])
		if typ != protowire.BytesType || m < 0 {
			break
		}
		out = append(out, newPiece(wire, now))
		b = b[n+m:]
	}
	return out
}
