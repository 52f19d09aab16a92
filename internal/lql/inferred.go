package lql

import (
	"fmt"
	"strings"
	"time"

	"tocsin/internal/logs"
)

// This file holds what Google's page leaves open, as we read it: one decision a function, with its reason.

// otherEscape resolves the escapes in strings beyond \" \\ \t. The page shows octal ones for bytes. \n and \r mean what they
// mean everywhere; as a regular expression both readings match the same. All others pass through, so that \b, \d and \x41
// reach the regular expression.
func otherEscape(s string) (out byte, size int) {
	switch s[1] {
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	}
	return octal(s)
}

// isDefault says whether a LogEntry's field that is there holds its default, which the API does not tell from a field
// that is not set: `field:*` does not match it, and no value that is looked for anywhere
// is found in it.
func isDefault(t logs.FieldType, v logs.Value) bool {
	switch t {
	case logs.StringType:
		return v.Kind == logs.String && v.Str == ""
	case logs.BoolType:
		return v.Kind == logs.Bool && !v.Bool
	case logs.Int64Type:
		return v.Text() == "0"
	case logs.EnumType:
		s, ok := severityOf(v)
		return ok && s == 0
	}
	return false
}

// nullCompare is the outcome of comparing a JSON null of a payload with a value: nothing equals it, and it differs from
// nothing, as if the field were missing. Only NULL_VALUE finds it.
const nullCompare = false

// matchNull is the outcome of comparing with NULL_VALUE. A field that is missing never comes here; one of the LogEntry that
// is not set has its default, which is not null.
func matchNull(op Op, it item) bool {
	null := it.v.Kind == logs.Null
	switch op {
	case Equal, Has:
		return null
	case NotEqual:
		return !null
	}
	return false
}

// onObject is the outcome of comparing a whole object (jsonPayload itself, labels): `:` looks into all of its values, as a
// value without a field looks into the whole entry; nothing else is defined.
func onObject(op Op, c *constant, it item) bool {
	return op == Has && containsAnywhere(it.v, it.schema, c)
}

// hasScalar is `:` on what is no text: equality.
func hasScalar(op Op) Op {
	if op == Has {
		return Equal
	}
	return op
}

// keepsCase says whether the names below a path in protoPayload keep their case: those of an AuditLog's Structs do, as keys
// of maps and Structs do everywhere; of types that are not known here nothing is said. serviceData is a message.
func keepsCase(path []string) bool {
	if len(path) == 0 {
		return false
	}
	for _, name := range [...]string{"request", "response", "metadata", "resourceOriginalState"} {
		if strings.EqualFold(path[0], name) {
			return true
		}
	}
	return false
}

// protoText compares a string of a protocol buffer's payload, whose types are not known here, by the type that it looks
// like: proto's JSON writes int64, Duration and Timestamp as strings. It says false for done if it looks like none of them or
// the constant cannot be converted to it.
func protoText(op Op, c *constant, s string) (result, done bool) {
	if s == "" || s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return false, false
	}
	if n, ok := parseInt(s); ok && c.isInt {
		return ordered(op, compareInts(n, c.integer)), true
	}
	if s[len(s)-1] == 's' && c.isDuration {
		if d, ok := parseDuration(s); ok {
			return ordered(op, compareInts(int64(d), int64(c.duration))), true
		}
	}
	if c.isTime && len(s) <= maxScalar {
		if t := logs.ParseTime(s); !t.IsZero() {
			return ordered(op, t.Compare(c.time)), true
		}
	}
	return false, false
}

// defaultTime is the time that a timestamp has that is not set: that of an empty Timestamp message.
var defaultTime = time.Unix(0, 0).UTC()

// refuseConstant says why a constant that the server would silently never match is refused here; "" for a good one.
func refuseConstant(c *Compare) string {
	f, ok := c.Left.(*Field)
	if ok && f.known == len(f.Path) && f.leaf.Type == logs.DurationType && !c.constant.isDuration && !c.Any && !c.constant.null {
		if _, err := time.ParseDuration(c.Value.Text); err == nil && c.Value.Text != "0" {
			if text := mendedDuration(c.Value.Text); strings.ContainsAny(c.Value.Text, "µμ") && text != "" {
				return fmt.Sprintf("microseconds are written us: write %q", text)
			}
			return "a duration has one unit (ns, us, ms, s, m or h), such as \"90m\" or \"1.5s\""
		}
	}
	return ""
}

// castTime is how a timestamp is written as a string: as RFC 3339, with as many digits of the second as it has.
const castTime = time.RFC3339Nano

// truncateCast is how a number with a fraction becomes an INT64: rounded half away from zero, as BigQuery does.
func truncateCast(f float64) float64 {
	if f < 0 {
		return -float64(int64(-f + 0.5))
	}
	return float64(int64(f + 0.5))
}
