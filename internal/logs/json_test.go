package logs

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// plain is the value as encoding/json's Decoder with UseNumber gives it.
func plain(v Value) any {
	switch v.Kind {
	case Bool:
		return v.Bool
	case Number:
		return json.Number(v.Str)
	case String:
		return v.Str
	case Array:
		out := []any{}
		for _, item := range v.Items {
			out = append(out, plain(item))
		}
		return out
	case Object:
		out := map[string]any{}
		for _, m := range v.Members {
			out[m.Name] = plain(m.Value)
		}
		return out
	}
	return nil
}

var jsonSeeds = []string{
	`{}`, `[]`, `null`, `true`, `false`, `0`, `-0.5e+3`, `1e400`, `"x"`, `""`, ` { "a" : [ 1 , { "b" : null } ] } `,
	`{"a":1,"a":2}`, `"\u00e9\ud83d\ude00\ud800x\"\\\/\b\f\n\r\t"`, `"` + "\xff\xfe" + `"`, `{"a":"` + "é" + `"}`,
	`{"a"`, `{"a":`, `[1,`, `[1 2]`, `{"a":1,}`, `01`, `+1`, `.5`, `1.`, `1e`, `--1`, `tru`, `nulll`, `'x'`, `"\x"`, `"\u12"`, `{1:2}`,
	`[` + strings.Repeat(`[`, 150) + strings.Repeat(`]`, 150) + `]`, strings.Repeat("[", 100000), strings.Repeat(`{"a":`, 100000),
	`9223372036854775807`, `{"":{"":""}}`,
}

func checkJSON(t *testing.T, in []byte) {
	t.Helper()
	got, err := ParseJSON(in)
	d := json.NewDecoder(bytes.NewReader(in))
	d.UseNumber()
	var want any
	wantErr := d.Decode(&want)
	if wantErr == nil && d.More() {
		return // something behind the value: not what is compared here
	}
	if wantErr == nil && err != nil && !strings.Contains(err.Error(), "deeper") && !strings.Contains(err.Error(), "after the JSON value") {
		t.Fatalf("ParseJSON(%.200q): %v, encoding/json takes it", in, err)
	}
	if wantErr != nil || err != nil {
		return
	}
	// Not cmp.Diff: its time grows exponentially with the nesting.
	if ours := plain(got); !reflect.DeepEqual(want, ours) {
		t.Fatalf("ParseJSON(%.200q) is %v, for encoding/json %v", in, ours, want)
	}
	again, err := ParseJSON(got.AppendJSON(nil))
	if err != nil {
		t.Fatalf("AppendJSON(%.200q) gives no JSON: %v", in, err)
	}
	if !reflect.DeepEqual(plain(got), plain(again)) {
		t.Fatalf("%.200q changes on its way through AppendJSON: %v", in, plain(again))
	}
}

func TestJSONAsEncodingJSON(t *testing.T) {
	for _, s := range jsonSeeds {
		checkJSON(t, []byte(s))
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range jsonSeeds {
		if len(s) < 1000 {
			f.Add([]byte(s))
		}
	}
	f.Fuzz(checkJSON)
}

func TestJSONErrors(t *testing.T) {
	for in, want := range map[string]string{
		``:                        "byte 0: the JSON ends too early",
		`{"a":`:                   "byte 5: the JSON ends too early",
		`{"a":1 "b"`:              "byte 7: unexpected '\"', a comma or '}' should stand here",
		`{a:1}`:                   "byte 1: unexpected 'a', a name in double quotes should stand here",
		`[1] x`:                   "byte 4: unexpected 'x' after the JSON value",
		`"\q"`:                    `byte 1: bad escape \q`,
		`1.x`:                     "byte 0: unexpected 'x', not a JSON value",
		strings.Repeat("[", 201):  "byte 200: the JSON nests deeper than 200 levels",
		`{"a":` + "\x00" + `}`:    `byte 5: unexpected '\x00', not a JSON value`,
		strings.Repeat("[", 1e6):  "byte 200: the JSON nests deeper than 200 levels",
		`{"a":tru`:                "byte 5: the JSON ends too early",
		`{"a":trux`:               "byte 5: not a JSON value",
		`{"a":"` + "\xff" + `\u1`: "byte 7: the JSON ends too early",
	} {
		if _, err := ParseJSON([]byte(in)); err == nil || err.Error() != want {
			t.Errorf("ParseJSON(%.40q): %v, want %s", in, err, want)
		}
	}
}

func TestJSONForgives(t *testing.T) {
	v, err := ParseJSON([]byte("{\"a\":\"x\ty\xffz\\ud800\",\"n\":1e400}"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := v.Get("a").Str, "x\ty\uFFFDz\uFFFD"; got != want {
		t.Errorf("a is %q, want %q", got, want)
	}
	if got := v.Get("n").Str; got != "1e400" {
		t.Errorf("n is %q, its text should be kept", got)
	}
}

// TestManyNames would take minutes if each name were compared with each.
func TestManyNames(t *testing.T) {
	var b bytes.Buffer
	b.WriteByte('{')
	for range 100000 {
		b.WriteString(`"a":1,"b":2,`)
	}
	for i := range 100000 {
		b.WriteString(`"k` + string(rune('a'+i%26)) + strings.Repeat("x", i%50) + `":`)
		b.WriteString("3,")
	}
	b.WriteString(`"a":4}`)
	v, err := ParseJSON(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Get("a").Str; got != "4" {
		t.Errorf("a is %s, the last one is 4", got)
	}
	if n := len(v.Members); n > 2+26*50 {
		t.Errorf("%d members, repeated names should be one", n)
	}
}
