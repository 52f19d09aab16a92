package store

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"tocsin/internal/incident"
)

// The ends of the times that fit nanoseconds in 64 bits. A log may claim any year.
var (
	earliest = time.Unix(0, math.MinInt64)
	latest   = time.Unix(0, math.MaxInt64)
)

// stamp is a time as it is stored: nanoseconds since 1970, nil for the zero time.
func stamp(t time.Time) any {
	switch {
	case t.IsZero():
		return nil
	case t.Before(earliest):
		return int64(math.MinInt64)
	case t.After(latest):
		return int64(math.MaxInt64)
	}
	return t.UnixNano()
}

// stampInto reads a stamp into a field.
type stampInto struct{ t *time.Time }

// Scan reads a column of nanoseconds; NULL is the zero time.
func (s stampInto) Scan(src any) error {
	switch n := src.(type) {
	case nil:
		*s.t = time.Time{}
	case int64:
		*s.t = time.Unix(0, n).UTC()
	default:
		return fmt.Errorf("a time is stored as %T", src)
	}
	return nil
}

// nested is a value as JSON, and nothing for an empty one.
func nested(v any, empty bool) (string, error) {
	if empty {
		return "", nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

// nestedInto reads what nested has written.
type nestedInto struct{ v any }

// Scan reads a column of JSON; nothing leaves the value as it is.
func (n nestedInto) Scan(src any) error {
	s, ok := src.(string)
	switch {
	case !ok:
		return fmt.Errorf("a nested value is stored as %T", src)
	case s == "":
		return nil
	}
	return json.Unmarshal([]byte(s), n.v)
}

// severityInto reads a severity by its name.
type severityInto struct{ v *incident.Severity }

// Scan reads a column that holds a severity's name.
func (s severityInto) Scan(src any) error {
	name, ok := src.(string)
	if !ok {
		return fmt.Errorf("a severity is stored as %T", src)
	}
	return s.v.UnmarshalText([]byte(name))
}

// columns names the columns of a noun in the order in which it is read and written.
type columns []string

// list is the names for a SELECT.
func (c columns) list() string { return strings.Join(c, ", ") }

// of is the names for a SELECT that joins tables.
func (c columns) of(table string) string { return table + "." + strings.Join(c, ", "+table+".") }

// values is "$1, $2, ...".
func (c columns) values() string {
	var b strings.Builder
	for i := range c {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", i+1)
	}
	return b.String()
}

// someIDs is how many ids a statement is asked for at a time; someList is the list of them in it.
const someIDs = 50

var someList = make(columns, someIDs).values()

// ofSome reads the rows that belong to any of some ids: one statement for many of them, for over a network each is a way there and back.
// A short list repeats its first.
func ofSome[T any](ctx context.Context, tx *Tx, scan func(row, *T) error, text string, ids []string) ([]T, error) {
	var out []T
	for chunk := range slices.Chunk(ids, someIDs) {
		args := make([]any, someIDs)
		for i := range args {
			args[i] = chunk[0]
			if i < len(chunk) {
				args[i] = chunk[i]
			}
		}
		some, err := list(ctx, tx, scan, text, args...)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

// upsert inserts a row of all columns or, when one of that key is there, rewrites it.
func (c columns) upsert(table string, key ...string) string {
	return "INSERT INTO " + table + " (" + c.list() + ") VALUES (" + c.values() + ") ON CONFLICT (" + strings.Join(key, ", ") +
		") DO UPDATE SET " + c.assign(len(key), func(name string, _ int) string { return "excluded." + name })
}

// assign is "name = value, ..." for the columns behind the first skip.
func (c columns) assign(skip int, value func(name string, n int) string) string {
	parts := make([]string, 0, len(c))
	for i, name := range c[skip:] {
		parts = append(parts, name+" = "+value(name, skip+i+1))
	}
	return strings.Join(parts, ", ")
}
