package lql

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// This file is the language a second time, plain and slow: what a comparison means for an entry that encoding/json would
// give (nil, bool, number, string, []any, map[string]any). It shares nothing with the product, so that what both get wrong
// was misread and not mistyped.

// number is a JSON number as it is written.
type number string

type object = map[string]any

// refType is the type that the schema gives a field; free is one of a payload, told by its value.
type refType string

const (
	freeType    refType = ""
	protoType   refType = "proto" // free, in protoPayload
	labelType   refType = "label"
	stringType  refType = "string"
	intType     refType = "int"
	boolType    refType = "bool"
	enumType    refType = "enum"
	timeType    refType = "time"
	durType     refType = "duration"
	messageType refType = "message"
	structType  refType = "struct"
)

// refPath is a field of the test's entries: how a filter writes it, its names, its type.
type refPath struct {
	src   string
	names []string
	typ   refType
}

// found is one value of a field. unset says that it is a default.
type found struct {
	v     any
	typ   refType
	unset bool
}

// get is what a path yields: each element of arrays, a default for a LogEntry's field that is not set.
func (p refPath) get(e object) []found {
	values := descend(e, p.names, p.typ == protoType)
	switch p.typ {
	case freeType, protoType, messageType, structType:
		var out []found
		for _, v := range values {
			if v == nil && (p.typ == messageType || len(p.names) == 1) {
				continue
			}
			out = append(out, found{v: v, typ: p.typ})
		}
		return out
	case labelType:
		for _, v := range values {
			if v != nil {
				return []found{{v: v, typ: labelType}}
			}
		}
		return nil
	}
	for _, v := range values {
		if v != nil {
			return []found{{v: v, typ: p.typ, unset: refDefault(p.typ, v)}}
		}
	}
	return []found{{v: map[refType]any{stringType: "", intType: number("0"), boolType: false, enumType: "DEFAULT",
		timeType: "1970-01-01T00:00:00Z", durType: "0s"}[p.typ], typ: p.typ, unset: true}}
}

// refDefault says whether the wire would not carry the value.
func refDefault(t refType, v any) bool {
	switch t {
	case stringType:
		return v == ""
	case intType:
		return v == number("0") || v == "0"
	case boolType:
		return v == false
	case enumType:
		return v == "DEFAULT" || v == number("0")
	}
	return false
}

func descend(v any, names []string, anyCase bool) []any {
	if list, ok := v.([]any); ok {
		var out []any
		for _, item := range list {
			out = append(out, descend(item, names, anyCase)...)
		}
		return out
	}
	if len(names) == 0 {
		return []any{v}
	}
	o, ok := v.(object)
	if !ok {
		return nil
	}
	if next, ok := o[names[0]]; ok {
		return descend(next, names[1:], anyCase)
	}
	if anyCase {
		for k, next := range o {
			if strings.EqualFold(strings.ReplaceAll(k, "_", ""), strings.ReplaceAll(names[0], "_", "")) {
				return descend(next, names[1:], true)
			}
		}
		if inner, ok := o["value"].(object); ok && o["@type"] != nil {
			return descend(inner, names, true)
		}
	}
	return nil
}

// refFold is NFKC case folding for the characters that the tests draw.
var refFold = strings.NewReplacer("ß", "ss", "ẞ", "ss", "ﬁ", "fi", "ﬃ", "ffi", "É", "é", "Ａ", "a", "ａ", "a", "\u00ad", "", "\u212a", "k", "Ω", "ω", "５", "5").Replace

func foldRef(s string) string { return strings.ToLower(refFold(s)) }

var (
	refNumberForm   = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$`)
	refDurationForm = regexp.MustCompile(`^([+-]?(?:\d+\.?\d*|\.\d+))(ns|us|ms|s|m|h)$`)
	refRegexps      = map[string]*regexp.Regexp{}
)

func refNumber(s string) (*big.Float, bool) {
	if !refNumberForm.MatchString(s) {
		return nil, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, false
	}
	return big.NewFloat(f), true
}

func refInt(s string) (*big.Int, bool) {
	r, ok := new(big.Rat).SetString(strings.TrimPrefix(s, "+"))
	if _, isNumber := refNumber(s); !ok || !isNumber || !r.IsInt() || !r.Num().IsInt64() || s[len(s)-1] == '.' {
		return nil, false
	}
	return r.Num(), true
}

var refUnits = map[string]float64{"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9}

func refDuration(s string) (float64, bool) {
	m := refDurationForm.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	f, err := strconv.ParseFloat(m[1], 64)
	return math.Round(f * refUnits[m[2]]), err == nil
}

func refTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

var refSeverities = map[string]int64{"DEFAULT": 0, "DEBUG": 100, "INFO": 200, "NOTICE": 300, "WARNING": 400, "ERROR": 500,
	"CRITICAL": 600, "ALERT": 700, "EMERGENCY": 800}

func refSeverity(v any) (int64, bool) {
	text := ""
	switch v := v.(type) {
	case string:
		text = v
	case number:
		text = string(v)
	}
	if n, ok := refSeverities[strings.ToUpper(text)]; ok {
		return n, true
	}
	n, ok := refInt(text)
	if !ok {
		return 0, false
	}
	return n.Int64(), true
}

func refOrdered(op string, cmp int) bool {
	switch op {
	case "=", ":":
		return cmp == 0
	case "!=":
		return cmp != 0
	case "<":
		return cmp < 0
	case "<=":
		return cmp <= 0
	case ">":
		return cmp > 0
	}
	return cmp >= 0
}

// refCompare is one value of a field against one literal.
func refCompare(f found, op, lit string, quoted bool) bool {
	if lit == "NULL_VALUE" && !quoted {
		isNull := f.v == nil
		return op == "!=" && !isNull || (op == "=" || op == ":") && isNull
	}
	if f.v == nil {
		return false
	}
	if o, ok := f.v.(object); ok {
		typ := freeType
		if f.typ == messageType {
			typ = messageType
		}
		return op == ":" && refAnywhere(o, typ, lit, quoted)
	}
	text, isText := f.v.(string)
	if op == "=~" || op == "!~" {
		if f.typ != freeType && f.typ != protoType && f.typ != labelType && f.typ != stringType || !isText {
			return false
		}
		re := refRegexps[lit]
		if re == nil {
			re = regexp.MustCompile(lit)
			refRegexps[lit] = re
		}
		return re.MatchString(text) == (op == "=~")
	}
	switch f.typ {
	case intType:
		if n, ok := f.v.(number); ok {
			text = string(n)
		}
		a, okA := refInt(text)
		b, okB := refInt(lit)
		return okA && okB && refOrdered(op, a.Cmp(b))
	case enumType:
		a, okA := refSeverity(f.v)
		b, okB := refSeverity(lit)
		return okA && okB && refOrdered(op, big.NewInt(a).Cmp(big.NewInt(b)))
	case timeType:
		a, okA := refTime(text)
		b, okB := refTime(lit)
		return okA && okB && refOrdered(op, a.Compare(b))
	case durType:
		a, okA := refDuration(text)
		b, okB := refDuration(lit)
		return okA && okB && refOrdered(op, big.NewFloat(a).Cmp(big.NewFloat(b)))
	}
	switch v := f.v.(type) {
	case bool:
		low := foldRef(lit)
		if low != "true" && low != "false" {
			return false
		}
		bit := map[bool]int{true: 1}
		return refOrdered(op, bit[v]-bit[low == "true"])
	case number:
		a, okA := refNumber(string(v))
		if !okA { // JSON, and more than a double holds
			a, okA = big.NewFloat(math.Inf(map[bool]int{true: -1, false: 1}[v[0] == '-'])), true
		}
		b, okB := refNumber(lit)
		return okA && okB && refOrdered(op, a.Cmp(b))
	}
	if f.typ == protoType && op != ":" {
		if a, ok := refInt(text); ok && text[0] != '+' && text[0] != '.' {
			if b, ok := refInt(lit); ok {
				return refOrdered(op, a.Cmp(b))
			}
		}
		if a, ok := refDuration(text); ok && text[0] != '+' && text[0] != '.' && strings.HasSuffix(text, "s") {
			if b, ok := refDuration(lit); ok {
				return refOrdered(op, big.NewFloat(a).Cmp(big.NewFloat(b)))
			}
		}
		if a, err := time.Parse(time.RFC3339Nano, text); err == nil {
			if b, ok := refTime(lit); ok {
				return refOrdered(op, a.Compare(b))
			}
		}
	}
	if op == ":" {
		return strings.Contains(foldRef(text), foldRef(lit))
	}
	return refOrdered(op, strings.Compare(foldRef(text), foldRef(lit)))
}

// refAnywhere looks for a literal in all values, by `:`.
func refAnywhere(v any, typ refType, lit string, quoted bool) bool {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if refAnywhere(item, typ, lit, quoted) {
				return true
			}
		}
		return false
	case object:
		for k, item := range v {
			next := freeType
			if typ == messageType {
				next = refSchema[k]
			}
			if refAnywhere(item, next, lit, quoted) {
				return true
			}
		}
		return false
	}
	if refDefault(typ, v) {
		return false
	}
	if lit == "NULL_VALUE" && !quoted {
		if v == nil {
			return true
		}
		// As text, it may stand in text.
		s, isText := v.(string)
		return isText && (typ == freeType || typ == stringType) && strings.Contains(foldRef(s), "null_value")
	}
	return refCompare(found{v: v, typ: typ}, ":", lit, quoted)
}

// refSchema is the types of the names that the test's entries have in the LogEntry and its messages.
var refSchema = map[string]refType{"severity": enumType, "timestamp": timeType, "receiveTimestamp": timeType, "status": intType, "responseSize": intType,
	"cacheHit": boolType, "latency": durType, "requestUrl": stringType, "remoteIp": stringType, "httpRequest": messageType, "operation": messageType, "resource": messageType,
	"first": boolType, "id": stringType, "producer": stringType, "type": stringType, "logName": stringType, "insertId": stringType, "trace": stringType,
	"textPayload": stringType, "traceSampled": boolType, "metadata": messageType, "errorGroups": messageType}
