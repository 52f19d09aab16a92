package lql

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/logs"
)

// severityNames are the names of the severities, the lowest first.
var severityNames = []string{"DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"}

var castTypes = []string{"STRING", "INT64", "FLOAT64", "BOOL", "TIMESTAMP", "DURATION"}

// caster converts values to one type.
type caster struct {
	to   string
	zone *time.Location
}

func newCaster(to, zone string) (*caster, error) {
	c := &caster{to: to, zone: time.UTC}
	if zone == "" {
		return c, nil
	}
	loc, err := time.LoadLocation(zone)
	if err != nil || strings.EqualFold(zone, "local") {
		return c, fmt.Errorf("%s is no name of the IANA time zone database, such as America/New_York", quote(shorten(zone)))
	}
	c.zone = loc
	return c, nil
}

// each yields the cast of every value of the operand; one that cannot be converted yields nothing.
func (c *Cast) each(e *logs.Entry, yield func(item) bool) bool {
	return c.Of.each(e, func(it item) bool {
		out, ok := c.to.cast(it)
		return ok && yield(out)
	})
}

// each yields what the group found in every value of the operand that is text; nothing where the pattern does not match.
func (x *Extract) each(e *logs.Entry, yield func(item) bool) bool {
	return x.Of.each(e, func(it item) bool {
		if it.typed && it.typ != logs.StringType || !it.typed && it.v.Kind != logs.String {
			return false
		}
		if len(it.v.Str) > shortText && !x.re.match(it.v.Str) {
			return false // told faster than where the group is
		}
		at := x.re.re.FindStringSubmatchIndex(it.v.Str)
		if at == nil || at[2] < 0 {
			return false
		}
		return yield(item{v: logs.Value{Kind: logs.String, Str: it.v.Str[at[2]:at[3]]}})
	})
}

func textItem(s string) item { return item{v: logs.Value{Kind: logs.String, Str: s}} }

// cast converts one value. Numbers, booleans, times and durations come out as the type they are compared as.
func (c *caster) cast(it item) (item, bool) {
	s, ok := c.text(it)
	if !ok {
		return item{}, false
	}
	switch c.to {
	case "STRING":
		return textItem(s), true
	case "INT64":
		n, ok := parseInt(s)
		if !ok {
			f, isNumber := parseNumber(s)
			if !isNumber || math.IsNaN(f) || math.Abs(f) >= 1<<62 {
				return item{}, false
			}
			n = int64(truncateCast(f))
		}
		out := item{v: logs.Value{Kind: logs.Number, Str: strconv.FormatInt(n, 10)}, typed: true, typ: logs.Int64Type}
		return out, true
	case "FLOAT64":
		f, ok := parseNumber(s)
		return item{v: logs.Value{Kind: logs.Number, Str: strconv.FormatFloat(f, 'g', -1, 64)}}, ok
	case "BOOL":
		b := strings.EqualFold(s, "true")
		return item{v: logs.Value{Kind: logs.Bool, Bool: b}, typed: true, typ: logs.BoolType}, b || strings.EqualFold(s, "false")
	case "TIMESTAMP":
		t, ok := c.time(s)
		out := textItem(t.Format(time.RFC3339Nano))
		out.typed, out.typ = true, logs.TimestampType
		return out, ok
	case "DURATION":
		out := textItem(s)
		out.typed, out.typ = true, logs.DurationType
		_, ok := parseDuration(s)
		return out, ok
	}
	return item{}, false
}

// text is the value as a string, one spelling for all that JSON and the wire may write of a field whose type is known; false
// for what has none.
func (c *caster) text(it item) (string, bool) {
	if !it.typed && it.v.Kind == logs.Number {
		// A payload's number is a double: 5.0 and 1e3 are 5 and 1000, as on the wire.
		return logs.Double(jsonNumber(it.v.Str)).Str, true
	}
	if !it.typed {
		return it.v.Text(), it.v.Kind != logs.Null && it.v.Kind != logs.Object
	}
	missing := it.v.Kind == logs.Missing
	switch it.typ {
	case logs.Int64Type:
		if n, ok := parseInt(it.v.Text()); ok || missing {
			return strconv.FormatInt(n, 10), true
		}
	case logs.BoolType:
		if missing {
			return "false", true
		}
	case logs.DurationType:
		if d, ok := parseDuration(it.v.Text()); ok || missing {
			return durationText(d), true
		}
	case logs.EnumType:
		if s, ok := severityOf(it.v); ok || missing {
			return severityText(s), true
		}
	case logs.TimestampType:
		t := defaultTime
		if !missing {
			if t = logs.ParseTime(it.v.Text()); t.IsZero() {
				return "", false
			}
		}
		return t.In(c.zone).Format(castTime), true
	}
	return it.v.Text(), true
}

// durationText is a duration as proto's JSON writes it, without zeros at its end.
func durationText(d time.Duration) string {
	sign, seconds, nanos := "", int64(d/time.Second), int64(d%time.Second)
	if d < 0 {
		sign, seconds, nanos = "-", -seconds, -nanos
	}
	text := sign + strconv.FormatInt(seconds, 10)
	if nanos != 0 {
		text += "." + strings.TrimRight(fmt.Sprintf("%09d", nanos), "0")
	}
	return text + "s"
}

// severityText is a severity's name, or its number if it has none.
func severityText(s logs.Severity) string {
	for _, name := range severityNames {
		if known, _ := logs.ParseSeverity(name); known == s {
			return name
		}
	}
	return strconv.Itoa(int(s))
}

// time reads a time; one without a zone is in the caster's.
func (c *caster) time(s string) (time.Time, bool) {
	if t := logs.ParseTime(s); !t.IsZero() {
		return t, true
	}
	for _, layout := range [...]string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, c.zone); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// matchOther compares what two operands yield: it holds if it does for any pair.
func (c *Compare) matchOther(e *logs.Entry) bool {
	return c.Other.each(e, func(right item) bool {
		text, ok := (&caster{to: "STRING", zone: defaultTime.Location()}).text(right)
		if !ok {
			return false
		}
		with := Compare{Op: c.Op, constant: newConstant(Literal{Text: text, Quoted: true})}
		return c.Left.each(e, with.holds)
	})
}
