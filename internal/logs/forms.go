package logs

import (
	"bytes"
	"encoding/base64"
)

// scanState is how far skipValue came.
type scanState int

const (
	whole   scanState = iota // the value is whole
	partial                  // it is right so far, and not yet at its end
	invalid                  // it is no JSON
)

// skipValue finds the end of the JSON value at b[i:] without decoding it. For an invalid one end is the byte that cannot be.
// It is strict where ParseJSON is not (control characters in strings), because here a wrong guess swallows lines.
// It is one loop over an explicit stack, longer than a function should be, because a recursion could be driven deep by its input.
func skipValue(b []byte, i int) (end int, state scanState) {
	var open [maxDepth]byte
	depth := 0
	for {
		// A value begins at i, white space aside.
		i = skipWhite(b, i)
		if i >= len(b) {
			return i, partial
		}
		switch c := b[i]; {
		case c == '{' || c == '[':
			if depth == maxDepth {
				return i, invalid
			}
			open[depth] = c + 2 // its closing bracket
			depth++
			i = skipWhite(b, i+1)
			if i >= len(b) {
				return i, partial
			}
			if b[i] != open[depth-1] {
				if c == '{' {
					if i, state = skipName(b, i); state != whole {
						return i, state
					}
				}
				continue
			}
			i++
			depth--
		case c == '"':
			if i, state = skipString(b, i); state != whole {
				return i, state
			}
		default:
			if i, state = skipScalar(b, i); state != whole {
				return i, state
			}
		}
		// A value has ended before i.
		for {
			if depth == 0 {
				return i, whole
			}
			i = skipWhite(b, i)
			if i >= len(b) {
				return i, partial
			}
			if b[i] == open[depth-1] {
				i++
				depth--
				continue
			}
			if b[i] != ',' {
				return i, invalid
			}
			i++
			if open[depth-1] == '}' {
				if i, state = skipName(b, i); state != whole {
					return i, state
				}
			}
			break
		}
	}
}

// skipName steps over a member's name and its colon.
func skipName(b []byte, i int) (int, scanState) {
	i = skipWhite(b, i)
	if i >= len(b) {
		return i, partial
	}
	if b[i] != '"' {
		return i, invalid
	}
	i, state := skipString(b, i)
	if state != whole {
		return i, state
	}
	i = skipWhite(b, i)
	if i >= len(b) {
		return i, partial
	}
	if b[i] != ':' {
		return i, invalid
	}
	return i + 1, whole
}

// skipString steps over the string that begins at i.
func skipString(b []byte, i int) (int, scanState) {
	for i++; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1, whole
		case c == '\\':
			i++
		case c < 0x20:
			return i, invalid
		}
	}
	return len(b), partial
}

// skipScalar steps over a number, true, false or null; that it is a proper one is for the decoder to say.
func skipScalar(b []byte, i int) (int, scanState) {
	start := i
	for i < len(b) {
		switch c := b[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c == '-', c == '+', c == '.', c == 'E':
			i++
			continue
		case i == start:
			return i, invalid
		}
		return i, whole
	}
	return i, partial
}

// eachItem calls f with each element of the array raw, which skipValue has found whole, as it is written.
func eachItem(raw []byte, f func(item []byte)) {
	i := skipWhite(raw, 1)
	for raw[i] != ']' {
		end, _ := skipValue(raw, i)
		f(raw[i:end])
		i = skipWhite(raw, end)
		if raw[i] == ',' {
			i = skipWhite(raw, i+1)
		}
	}
}

// eachMember calls f with each member of the object raw, which skipValue has found whole: its name as it is written between
// the quotes, and its value.
func eachMember(raw []byte, f func(name string, value []byte)) {
	i := skipWhite(raw, 1)
	for raw[i] != '}' {
		nameEnd, _ := skipString(raw, i)
		name := string(raw[i+1 : nameEnd-1])
		i, _ = skipName(raw, i)
		i = skipWhite(raw, i)
		end, _ := skipValue(raw, i)
		f(name, raw[i:end])
		i = skipWhite(raw, end)
		if raw[i] == ',' {
			i = skipWhite(raw, i+1)
		}
	}
}

// compact copies a JSON value without the white space outside its strings.
func compact(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] == '"' {
			end, _ := skipString(raw, i)
			out = append(out, raw[i:end]...)
			i = end
			continue
		}
		if !isSpace(raw[i]) {
			out = append(out, raw[i])
		}
		i++
	}
	return out
}

// oneLine copies a piece of a document that was cut short, its newlines as spaces, no longer than a line may be.
func oneLine(raw []byte) []byte {
	out := bytes.Clone(bytes.TrimRight(raw[:min(len(raw), MaxLine)], " \t\r\n"))
	for i, c := range out {
		if c == '\n' || c == '\r' {
			out[i] = ' '
		}
	}
	return out
}

// objectKind is what an object of a file is.
type objectKind int

const (
	plainObject objectKind = iota // an entry or a payload
	listAnswer                    // an answer of entries.list
	envelope                      // Pub/Sub's, of one message or of several
)

// envelopeNames are the names that answers and envelopes have and the kind that each speaks for. An object with any other
// name is neither.
var envelopeNames = map[string]objectKind{
	"entries": listAnswer, "nextPageToken": listAnswer, "next_page_token": listAnswer,
	"message": envelope, "receivedMessages": envelope, "received_messages": envelope, "subscription": envelope,
	"ackId": envelope, "ack_id": envelope, "deliveryAttempt": envelope, "delivery_attempt": envelope,
}

// expand takes the lines out of an answer or an envelope, each a copy. It says plainObject, and no lines, for what is
// neither. Envelopes in envelopes are opened a few levels deep.
func expand(raw []byte, depth int) (lines [][]byte, kind objectKind) {
	if depth > 3 || len(raw) == 0 || raw[0] != '{' {
		return nil, plainObject
	}
	members := map[string][]byte{}
	kinds := [3]int{}
	eachMember(raw, func(name string, value []byte) {
		kind := envelopeNames[name]
		if kinds[kind]++; kind != plainObject {
			members[name] = value
		}
	})
	inside := func(list []byte) {
		eachItem(list, func(item []byte) {
			found, k := expand(item, depth+1)
			if k == plainObject {
				found = [][]byte{compact(item)}
			}
			lines = append(lines, found...)
		})
	}
	if kinds[plainObject] > 0 {
		return nil, plainObject
	}
	switch {
	case kinds[listAnswer] > 0 && kinds[envelope] == 0:
		entries := members["entries"]
		if entries == nil {
			return nil, listAnswer // the last page of an answer may be empty
		}
		if entries[0] != '[' {
			return nil, plainObject
		}
		inside(entries)
		return lines, listAnswer
	case kinds[envelope] > 0 && kinds[listAnswer] == 0:
		list := members["receivedMessages"]
		if list == nil {
			list = members["received_messages"]
		}
		if len(list) > 0 && list[0] == '[' {
			inside(list)
			return lines, envelope
		}
		return messageLines(members["message"], depth)
	}
	return nil, plainObject
}

// messageLines opens a Pub/Sub message: its data is an entry, or text.
func messageLines(message []byte, depth int) ([][]byte, objectKind) {
	if len(message) == 0 || message[0] != '{' {
		return nil, plainObject
	}
	v, err := ParseJSON(message)
	if err != nil {
		return nil, plainObject
	}
	text := v.Get("data")
	if text.Kind != String {
		return nil, plainObject
	}
	data, err := base64.StdEncoding.DecodeString(text.Str)
	if err != nil {
		if data, err = base64.URLEncoding.DecodeString(text.Str); err != nil {
			return nil, plainObject
		}
	}
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return nil, plainObject
	}
	if end, state := skipValue(data, 0); data[0] == '{' && state == whole && end == len(data) {
		if lines, kind := expand(data, depth+1); kind != plainObject {
			return lines, envelope
		}
		if bytes.IndexByte(data, '\n') >= 0 {
			data = compact(data)
		}
		return [][]byte{data}, envelope
	}
	if bytes.IndexByte(data, '\n') < 0 {
		return [][]byte{data}, envelope
	}
	// Text of several lines, a stack trace say, is one entry.
	quoted := Value{Kind: Object, Members: []Member{{Name: "textPayload", Value: Value{Kind: String, Str: string(data)}}}}
	return [][]byte{quoted.AppendJSON(nil)}, envelope
}

// OpensDocument says whether a Reader that meets the line might take it, and perhaps lines behind it, for an array, an answer
// or an envelope, rather than for the line that it is. Where only more lines could tell, it says yes.
func OpensDocument(line []byte) bool {
	at := skipWhite(line, 0)
	if at == len(line) || line[at] != '{' && line[at] != '[' {
		return false
	}
	next := skipWhite(line, at+1)
	if next == len(line) {
		return true
	}
	if line[at] == '[' {
		return line[next] == '{' || line[next] == ']'
	}
	if line[next] != '"' || next+1 == len(line) {
		return false
	}
	switch line[next+1] {
	case 'e', 'n', 'm', 'r', 's', 'a', 'd': // how the names begin that documents have
	default:
		return false
	}
	name := line[next+1:]
	if n := bytes.IndexByte(name, '"'); n >= 0 {
		name = name[:n]
	}
	if _, ok := envelopeNames[string(name)]; !ok {
		return false
	}
	end, state := skipValue(line, at)
	switch state {
	case invalid:
		return false
	case partial:
		return true
	}
	_, kind := expand(line[at:end], 0)
	return kind != plainObject
}
