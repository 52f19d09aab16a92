package logs

import (
	"bytes"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"
)

// MaxLine is the longest line, in bytes, that is read whole. A Reader cuts a longer one there; what is left of it is kept as a
// broken line.
const MaxLine = 1 << 20

// ParseLine reads one line, without its newline, by the rules that hold for every line of a file:
//
//   - an object with logName, or with only fields that a LogEntry has ({} too), is a LogEntry; the proto's snake_case names
//     become the REST API's camelCase;
//   - any other object is a jsonPayload, whose severity or level becomes the entry's severity and whose timestamp or time
//     its timestamp; they stay in the payload too;
//   - what is not JSON is a textPayload.
//
// A line that begins as a JSON object but is none (cut short, say) is kept as text and marked Broken; so is a line of MaxLine
// bytes that is not JSON. Invalid UTF-8 becomes U+FFFD and marks the line Broken, but an object keeps its structure: a
// fatal entry with one bad byte in its message must still be recognised. The entry keeps line as its Raw.
func ParseLine(line []byte) *Entry {
	e := new(Entry)
	var d decoder
	d.line(line, e)
	return e
}

// line fills e with what the line says. Root is good until the decoder's next reset.
func (d *decoder) line(line []byte, e *Entry) {
	e.Raw = line
	raw := bytes.TrimSuffix(line, []byte("\r"))
	var text string
	if d.borrow {
		text = unsafe.String(unsafe.SliceData(raw), len(raw))
	} else {
		text = string(raw)
	}
	if !utf8.ValidString(text) {
		e.Broken = true
	}
	if looksLikeObject(text) {
		v, err := d.decode(text)
		if err == nil {
			d.object2entry(v, e)
			return
		}
		e.Broken = true
	}
	if len(line) >= MaxLine {
		e.Broken = true
	}
	d.valid = false
	e.Root = d.wrap(Member{Name: "textPayload", Value: Value{Kind: String, Str: d.clean(text)}})
}

// looksLikeObject says whether a line begins as a JSON object does, so that it is broken if it is none.
func looksLikeObject(text string) bool {
	text = strings.TrimLeft(text, " \t")
	if text == "" || text[0] != '{' {
		return false
	}
	text = strings.TrimLeft(text[1:], " \t")
	return text == "" || text[0] == '"' || text[0] == '}'
}

// wrap makes an object of few members in the decoder's own memory.
func (d *decoder) wrap(members ...Member) Value {
	start := len(d.memberSlab)
	d.memberSlab = append(d.memberSlab, members...)
	return Value{Kind: Object, Members: d.memberSlab[start:len(d.memberSlab):len(d.memberSlab)]}
}

// object2entry decides what an object is and fills e with it.
func (d *decoder) object2entry(v Value, e *Entry) {
	if isLogEntry(v) {
		entrySchema.canonical(&v)
		e.Root = v
		e.Timestamp = ParseTime(v.Get("timestamp").Text())
		e.ReceiveTimestamp = ParseTime(v.Get("receiveTimestamp").Text())
		return
	}
	payload := Member{Name: "jsonPayload", Value: v}
	var members [3]Member
	out := append(members[:0], payload)
	if name, ok := payloadSeverity(v); ok {
		out = append(out, Member{Name: "severity", Value: Value{Kind: String, Str: name}})
	}
	if t := payloadTime(v); !t.IsZero() {
		e.Timestamp = t
		out = append(out, Member{Name: "timestamp", Value: Value{Kind: String, Str: t.UTC().Format(time.RFC3339Nano)}})
	}
	e.Root = d.wrap(out...)
}

// isLogEntry says whether an object is a LogEntry and no mere payload.
func isLogEntry(v Value) bool {
	only := true
	for i := range v.Members {
		name := v.Members[i].Name
		if name == "logName" || name == "log_name" {
			return true
		}
		if only && entrySchema.byName[name] == nil && snake(entrySchema, name) == nil {
			only = false
		}
	}
	return only
}

// parseRFC3339 is ParseTime for the spellings that are rare.
func parseRFC3339(text string) time.Time {
	if len(text) < len("2006-01-02T15:04:05Z") {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t, err = time.Parse(time.RFC3339Nano, strings.ToUpper(text))
		if err != nil {
			return time.Time{}
		}
	}
	return t
}

// levels are the names that loggers give their levels, and those of LogSeverity, by the latter.
var levels = map[string]string{
	"DEFAULT": "DEFAULT", "DEBUG": "DEBUG", "INFO": "INFO", "NOTICE": "NOTICE", "WARNING": "WARNING",
	"ERROR": "ERROR", "CRITICAL": "CRITICAL", "ALERT": "ALERT", "EMERGENCY": "EMERGENCY",
	"TRACE": "DEBUG", "FINE": "DEBUG", "FINER": "DEBUG", "FINEST": "DEBUG", "CONFIG": "DEBUG", "VERBOSE": "DEBUG",
	"INFORMATION": "INFO", "INFORMATIONAL": "INFO", "WARN": "WARNING", "ERR": "ERROR", "SEVERE": "ERROR",
	"CRIT": "CRITICAL", "FATAL": "CRITICAL", "DPANIC": "CRITICAL", "PANIC": "CRITICAL", "EMERG": "EMERGENCY",
}

// payloadSeverity is the severity that a plain JSON log line claims in severity, else in level.
func payloadSeverity(v Value) (string, bool) {
	if name, ok := LevelName(v.Get("severity"), false); ok {
		return name, true
	}
	return LevelName(v.Get("level"), true)
}

// LevelName is LogSeverity's name for what a plain JSON log line has in its severity, or in its level. Numbers are LogSeverity's
// own in severity, and bunyan's and pino's (10 trace to 60 fatal) in level.
func LevelName(v Value, level bool) (string, bool) {
	switch v.Kind {
	case String:
		name := strings.TrimSpace(v.Str)
		var short [16]byte
		if b, ok := upperInto(short[:0], name); ok {
			s, ok := levels[string(b)]
			return s, ok
		}
		s, ok := levels[strings.ToUpper(name)]
		return s, ok
	case Number:
		n, err := strconv.Atoi(v.Str)
		if err != nil {
			return "", false
		}
		if level && n > 0 && n < 100 {
			names := [...]string{"DEBUG", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
			return names[min(max(n/10-1, 0), len(names)-1)], true
		}
		for name, s := range severities {
			if int(s) == n {
				return name, true
			}
		}
	}
	return "", false
}

// payloadTime is the time that a plain JSON log line claims in timestamp, else in time.
func payloadTime(v Value) time.Time {
	if t := looseTime(v.Get("timestamp")); !t.IsZero() {
		return t
	}
	return looseTime(v.Get("time"))
}

// looseTime reads the ways in which loggers write a time: RFC 3339, also with a space for the T and a comma before the
// fraction, which means UTC if it has no zone; seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by
// their size; {seconds, nanos}.
func looseTime(v Value) time.Time {
	switch v.Kind {
	case String:
		text := strings.TrimSpace(v.Str)
		if t := ParseTime(text); !t.IsZero() {
			return t
		}
		for _, layout := range [...]string{"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02T15:04:05",
			"2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05 Z0700"} {
			if t, err := time.Parse(layout, text); err == nil {
				return t
			}
		}
		return epoch(text)
	case Number:
		return epoch(v.Str)
	case Object:
		seconds, err := strconv.ParseInt(v.Get("seconds").Text(), 10, 64)
		if err != nil || seconds < 0 || seconds > maxEpoch {
			return time.Time{}
		}
		nanos, _ := strconv.ParseInt(v.Get("nanos").Text(), 10, 64)
		if nanos < 0 || nanos > 999_999_999 {
			nanos = 0
		}
		return time.Unix(seconds, nanos).UTC()
	}
	return time.Time{}
}

// maxEpoch is the last second of the year 9999, the last that RFC 3339 can write.
const maxEpoch = 253402300799

// epoch reads a count since 1970. Its size tells its unit; anything before 2001 is no time but some other number.
func epoch(text string) time.Time {
	whole, fraction, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n < 1e9 {
		return time.Time{}
	}
	unit := int64(time.Second)
	for limit := int64(1e11); n >= limit && unit > 1; limit *= 1000 {
		unit /= 1000
	}
	perSecond := int64(time.Second) / unit
	t := time.Unix(n/perSecond, n%perSecond*unit)
	if fraction != "" && len(fraction) <= 9 {
		if f, err := strconv.ParseFloat("0."+fraction, 64); err == nil {
			t = t.Add(time.Duration(f*float64(unit) + 0.5))
		}
	}
	if t.Unix() > maxEpoch {
		return time.Time{}
	}
	return t.UTC()
}
