package config

import (
	"math"
	"reflect"
	"strconv"
	"strings"
)

// scalar decodes into text, a truth value or a number.
func (d *decoder) scalar(n Node, v reflect.Value, name string) {
	var want string
	var ok bool
	switch v.Kind() {
	case reflect.String:
		want, ok = "text", d.setString(n, v, name)
	case reflect.Bool:
		want, ok = "true or false", setBool(n, v)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		want, ok = "a whole number", setInt(n, v)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		want, ok = "a whole number, not negative", setUint(n, v)
	case reflect.Float32, reflect.Float64:
		want, ok = "a number", setFloat(n, v)
	default:
		d.wrong(n, name, "cannot decode into %s", v.Type())
		return
	}
	if ok {
		return
	}
	switch {
	case n.Kind() == Null && n.v.comment != "" && v.Kind() == reflect.String:
		d.wrong(n, name, "has no value: what begins with # is a comment; write %q, in quotes, if that is meant", bounded(n.v.comment))
	case n.Kind() == Null || n.Kind() == Absent:
		d.wrong(n, name, "has no value: write %s, or leave the key out", want)
	case n.Kind() == Scalar && n.v.quoted && v.Kind() != reflect.String && plainNumber(n.v.text):
		d.wrong(n, name, "found %s, want %s: write %s without quotes", found(n), want, n.v.text)
	case n.Kind() == Scalar && v.Kind() == reflect.String:
		d.wrong(n, name, "found %s, want text: write %q, in quotes, if that is meant", found(n), bounded(n.v.text))
	case n.Kind() == Scalar && n.v.tag == tagInt && v.CanInt() || v.CanUint() && n.Kind() == Scalar && n.v.tag == tagInt:
		d.wrong(n, name, "%s is out of range or not written in plain decimal digits: want %s", bounded(n.v.text), want)
	default:
		d.wrong(n, name, "found %s, want %s", found(n), want)
	}
}

// setString takes text, and an unquoted number or time only where nobody could read it in two ways: 5 is 5, but is 010 ten or
// eight, is 1.10 the same as 1.1?
func (d *decoder) setString(n Node, v reflect.Value, _ string) bool {
	if n.Kind() != Scalar {
		return false
	}
	switch n.v.tag {
	case tagStr, tagTime:
	case tagInt:
		if !plainNumber(n.v.text) {
			return false
		}
	case tagFloat:
		f, err := strconv.ParseFloat(n.v.text, 64)
		if err != nil || strconv.FormatFloat(f, 'f', -1, 64) != n.v.text {
			return false
		}
	default:
		return false
	}
	v.SetString(n.v.text)
	return true
}

func setBool(n Node, v reflect.Value) bool {
	if n.Kind() != Scalar || n.v.tag != tagBool {
		return false
	}
	v.SetBool(strings.EqualFold(n.v.text, "true"))
	return true
}

func setInt(n Node, v reflect.Value) bool {
	if n.Kind() != Scalar || n.v.tag != tagInt || !plainNumber(n.v.text) {
		return false
	}
	i, err := strconv.ParseInt(n.v.text, 10, 64)
	if err != nil || v.OverflowInt(i) {
		return false
	}
	v.SetInt(i)
	return true
}

func setUint(n Node, v reflect.Value) bool {
	if n.Kind() != Scalar || n.v.tag != tagInt || !plainNumber(n.v.text) {
		return false
	}
	u, err := strconv.ParseUint(n.v.text, 10, 64)
	if err != nil || v.OverflowUint(u) {
		return false
	}
	v.SetUint(u)
	return true
}

func setFloat(n Node, v reflect.Value) bool {
	if n.Kind() != Scalar || (n.v.tag != tagInt && n.v.tag != tagFloat) {
		return false
	}
	f, err := strconv.ParseFloat(n.v.text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || v.OverflowFloat(f) {
		return false
	}
	v.SetFloat(f)
	return true
}

// plainNumber says whether s is a whole number as people write it: no leading zero, plus, underscore or base.
func plainNumber(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || (digits[0] == '0' && s != "0") {
		return false
	}
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// parseAny is a scalar as YAML understands it: string, bool, int64, uint64 or float64. It says false for a number that none of
// these holds.
func parseAny(v *value) (any, bool) {
	switch v.tag {
	case tagBool:
		return strings.EqualFold(v.text, "true"), true
	case tagInt:
		text := strings.ReplaceAll(v.text, "_", "")
		if i, err := strconv.ParseInt(text, 0, 64); err == nil {
			return i, true
		}
		if u, err := strconv.ParseUint(text, 0, 64); err == nil {
			return u, true
		}
		return nil, false
	case tagFloat:
		f, err := strconv.ParseFloat(strings.ReplaceAll(v.text, "_", ""), 64)
		return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	default:
		return v.text, true
	}
}

// found says what a node holds, for a message.
func found(n Node) string {
	switch n.Kind() {
	case List:
		return "a list"
	case Mapping:
		return "a mapping"
	case Scalar:
		switch n.v.tag {
		case tagInt, tagFloat:
			return "the number " + bounded(n.v.text)
		case tagBool:
			return "the truth value " + n.v.text
		case tagTime:
			return "the time " + bounded(n.v.text)
		}
		return "the text " + strconv.Quote(bounded(n.v.text))
	default:
		return "nothing"
	}
}

// bounded cuts what a message quotes.
func bounded(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	cut := strings.ToValidUTF8(s[:most], "")
	return cut + "…"
}
