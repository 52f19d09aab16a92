package lql

import (
	"strings"

	"tocsin/internal/logs"
)

// match says whether the comparison holds for any value of its operand.
func (c *Compare) match(e *logs.Entry) bool {
	if c.Other != nil {
		return c.matchOther(e)
	}
	return c.Left.each(e, c.holds)
}

// holds says whether the comparison holds for one value.
func (c *Compare) holds(it item) bool {
	if c.Any {
		return !it.unset
	}
	k := c.constant
	if k.null {
		return matchNull(c.Op, it)
	}
	if it.v.Kind == logs.Null {
		return nullCompare
	}
	if it.v.Kind == logs.Object || it.v.Kind == logs.Array {
		return onObject(c.Op, k, it)
	}
	if c.Op == Matches || c.Op == MatchesNot {
		// Only strings can be matched with a regular expression.
		if k.re == nil || it.typed && it.typ != logs.StringType || !it.typed && it.v.Kind != logs.String {
			return false
		}
		return k.re.match(it.v.Str) == (c.Op == Matches)
	}
	if it.typed {
		return compareTyped(c.Op, k, it)
	}
	switch it.v.Kind {
	case logs.Number:
		return k.isNumber && compareFloats(c.Op, jsonNumber(it.v.Str), k.number)
	case logs.Bool:
		return k.isBool && ordered(c.Op, compareBools(it.v.Bool, k.boolean))
	case logs.String:
		if it.proto && c.Op != Has {
			if result, done := protoText(c.Op, k, it.v.Str); done {
				return result
			}
		}
		return compareText(c.Op, k, it.v.Str)
	}
	return false
}

// compareTyped compares a field whose type the schema knows; one that is not set has its default.
func compareTyped(op Op, k *constant, it item) bool {
	switch it.typ {
	case logs.StringType:
		return compareText(op, k, it.v.Text())
	case logs.Int64Type:
		var n int64
		if !k.isInt {
			return false
		}
		if it.v.Kind != logs.Missing {
			var ok bool
			if n, ok = parseInt(scalarText(it.v)); !ok {
				return false
			}
		}
		return ordered(op, compareInts(n, k.integer))
	case logs.BoolType:
		b := it.v.Bool || it.v.Kind == logs.String && strings.EqualFold(it.v.Str, "true")
		return k.isBool && ordered(op, compareBools(b, k.boolean))
	case logs.EnumType:
		if !k.isEnum {
			return false
		}
		s, ok := severityOf(it.v)
		return (ok || it.v.Kind == logs.Missing) && ordered(op, compareInts(int64(s), int64(k.enum)))
	case logs.TimestampType:
		t := defaultTime
		if !k.isTime {
			return false
		}
		if it.v.Kind != logs.Missing {
			if t = logs.ParseTime(scalarText(it.v)); t.IsZero() {
				return false
			}
		}
		return ordered(op, t.Compare(k.time))
	case logs.DurationType:
		if !k.isDuration {
			return false
		}
		d, ok := parseDuration(scalarText(it.v))
		return (ok || it.v.Kind == logs.Missing) && ordered(op, compareInts(int64(d), int64(k.duration)))
	}
	return false
}

// maxScalar is how long the text of a number, a time, a duration or a severity may be; no honest one comes near. A text of
// 256 KiB there would be read through for every comparison.
const maxScalar = 1024

// scalarText is the text of a value that should be a number, a time or a duration; "" if it is too long for one.
func scalarText(v logs.Value) string {
	if len(v.Str) > maxScalar || v.Kind == logs.Array || v.Kind == logs.Object {
		return ""
	}
	return v.Text()
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// compareText compares strings by what NFKC case folding makes of both.
func compareText(op Op, k *constant, s string) bool {
	switch op {
	case Equal:
		return k.equals(s)
	case NotEqual:
		return !k.equals(s)
	case Has:
		return k.in(s)
	}
	return ordered(op, strings.Compare(foldText(s), k.folded))
}

// match says whether any value of the entry contains the text or equals the value.
func (g *Global) match(e *logs.Entry) bool {
	return g.constant.folded == "" || containsAnywhere(e.Root, logs.EntrySchema(), g.constant)
}

// containsAnywhere looks for k in all values of v by `:`; keys are no values. schema is what v is of, or nil.
func containsAnywhere(v logs.Value, schema *logs.Field, k *constant) bool {
	switch v.Kind {
	case logs.Array:
		for i := range v.Items {
			if containsAnywhere(v.Items[i], schema, k) {
				return true
			}
		}
		return false
	case logs.Object:
		for i := range v.Members {
			m := &v.Members[i]
			if containsAnywhere(m.Value, child(schema, m.Name), k) {
				return true
			}
		}
		return false
	case logs.Missing:
		return false
	case logs.Null:
		return k.null
	}
	if schema != nil && !free(schema.Type) && schema.Type != logs.MessageType {
		return !isDefault(schema.Type, v) && compareTyped(Has, k, item{v: v, typed: true, typ: schema.Type})
	}
	switch v.Kind {
	case logs.String:
		return k.in(v.Str)
	case logs.Number:
		return k.isNumber && jsonNumber(v.Str) == k.number
	case logs.Bool:
		return k.isBool && v.Bool == k.boolean
	}
	return false
}
