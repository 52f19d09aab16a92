package lql

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/logs"
)

// constant is a literal, converted to every type that it can be converted to.
type constant struct {
	folded string
	bytes  []byte // folded
	ascii  bool
	null   bool

	number   float64
	integer  int64
	boolean  bool
	enum     logs.Severity
	time     time.Time
	duration time.Duration

	isNumber, isInt, isBool, isEnum, isTime, isDuration bool

	re *pattern
}

func newConstant(lit Literal) *constant {
	c := &constant{folded: fold(lit.Text), null: !lit.Quoted && lit.Text == "NULL_VALUE"}
	c.bytes, c.ascii = []byte(c.folded), isASCII(c.folded)
	c.number, c.isNumber = parseNumber(lit.Text)
	c.integer, c.isInt = parseInt(lit.Text)
	switch c.folded {
	case "true":
		c.boolean, c.isBool = true, true
	case "false":
		c.isBool = true
	}
	if c.enum, c.isEnum = logs.ParseSeverity(lit.Text); !c.isEnum && c.isInt {
		c.enum, c.isEnum = logs.Severity(c.integer), true
	}
	c.time, c.isTime = parseTime(lit.Text)
	c.duration, c.isDuration = parseDuration(lit.Text)
	return c
}

// parseNumber reads a double as the page describes it: a number with or without sign and exponent, or NaN, Infinity and
// -Infinity in any case.
func parseNumber(s string) (float64, bool) {
	if s == "" || len(s) > maxScalar {
		return 0, false
	}
	switch c := s[0]; {
	case c >= '0' && c <= '9', c == '+', c == '-', c == '.':
	case len(s) > len("infinity") || c|0x20 != 'n' && c|0x20 != 'i':
		return 0, false
	}
	if numberPattern.MatchString(s) {
		f, err := strconv.ParseFloat(s, 64)
		return f, err == nil
	}
	switch strings.ToLower(s) {
	case "nan":
		return math.NaN(), true
	case "infinity":
		return math.Inf(1), true
	case "-infinity":
		return math.Inf(-1), true
	}
	return 0, false
}

// jsonNumber is a number of an entry as a double; one that is too large is infinite.
func jsonNumber(s string) float64 {
	if len(s) > 4 {
		// strconv is slow on what it refuses, and reads all of a number of 256 KiB.
		if f, ok := hugeNumber(s); ok {
			return f
		}
	}
	f, _ := strconv.ParseFloat(s, 64)
	return f
}

// hugeNumber is the infinity that a JSON number stands for that is beyond 1e310 by its length or its exponent.
func hugeNumber(s string) (float64, bool) {
	sign := 1
	if s[0] == '-' {
		sign, s = -1, s[1:]
	}
	if s == "" || s[0] < '1' || s[0] > '9' {
		return 0, false
	}
	e := strings.IndexByte(s, 'e')
	if e < 0 {
		e = strings.IndexByte(s, 'E')
	}
	if e < 0 {
		dot := strings.IndexByte(s, '.')
		return math.Inf(sign), dot > 310 || dot < 0 && len(s) > 310
	}
	exponent := strings.TrimLeft(strings.TrimPrefix(s[e+1:], "+"), "0")
	if exponent == "" || exponent[0] == '-' {
		return 0, false
	}
	return math.Inf(sign), len(exponent) > 3 || len(exponent) == 3 && exponent >= "310"
}

// parseInt reads an integer; one written as 5.0 or 5e2 counts.
func parseInt(s string) (int64, bool) {
	if s == "" || len(s) > maxScalar || s[len(s)-1] < '0' || s[len(s)-1] > '9' {
		return 0, false
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	if !numberPattern.MatchString(s) {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}

// parseTime reads RFC 3339, or a date, which means its first instant in UTC.
func parseTime(s string) (time.Time, bool) {
	if len(s) > maxScalar || len(s) < len(time.DateOnly) || s[0] < '0' || s[0] > '9' {
		return time.Time{}, false
	}
	if t := logs.ParseTime(s); !t.IsZero() {
		return t, true
	}
	t, err := time.Parse(time.DateOnly, s)
	return t, err == nil
}

var durationPattern = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|ms|s|m|h)$`)

// parseDuration reads a signed decimal number with one unit. The API's durations reach 10,000 years: one beyond what a
// time.Duration holds, 292 years, is the longest that it holds.
func parseDuration(s string) (time.Duration, bool) {
	if s == "" || len(s) > maxScalar || s[0] > '9' {
		return 0, false
	}
	switch s[len(s)-1] {
	case 's', 'm', 'h':
	default:
		return 0, false
	}
	if !durationPattern.MatchString(s) {
		return 0, false
	}
	d, err := time.ParseDuration(s)
	if err == nil {
		return d, true
	}
	if s[0] == '-' {
		return math.MinInt64, true
	}
	return math.MaxInt64, true
}

// severityOf is a severity by name or number.
func severityOf(v logs.Value) (logs.Severity, bool) {
	if len(v.Str) > maxScalar {
		return 0, false
	}
	switch v.Kind {
	case logs.String:
		if s, ok := logs.ParseSeverity(v.Str); ok {
			return s, true
		}
		n, err := strconv.Atoi(v.Str)
		return logs.Severity(n), err == nil
	case logs.Number:
		n, ok := parseInt(v.Str)
		return logs.Severity(n), ok
	}
	return 0, false
}

func compareInts(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// ordered applies an operator to the outcome of a comparison: -1, 0 or 1.
func ordered(op Op, cmp int) bool {
	switch op {
	case Equal, Has:
		return cmp == 0
	case NotEqual:
		return cmp != 0
	case Less:
		return cmp < 0
	case LessEqual:
		return cmp <= 0
	case Greater:
		return cmp > 0
	case GreaterEqual:
		return cmp >= 0
	}
	return false
}

// compareFloats applies an operator to two doubles, NaN as IEEE has it.
func compareFloats(op Op, a, b float64) bool {
	switch hasScalar(op) {
	case Equal:
		return a == b
	case NotEqual:
		return a != b
	case Less:
		return a < b
	case LessEqual:
		return a <= b
	case Greater:
		return a > b
	case GreaterEqual:
		return a >= b
	}
	return false
}
