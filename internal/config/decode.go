package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"tocsin/internal/setting"
)

// validator is what settings implement that know more about themselves than their types say.
type validator interface{ Validate() []setting.FieldError }

var nodeType = reflect.TypeFor[Node]()

// Decode puts n into what target points to, strictly: an unknown key, a wrong type, a value out of range are mistakes, and all
// are returned, sorted by place. It knows structs by their `yaml:"name"` tags (",inline" for an embedded struct, ",refused"
// for a name that is never suggested; a field without a tag is not a setting), maps with text keys, slices, pointers, scalars, any, encoding.TextUnmarshaler, and Node for what is
// kept as it is. What is not written keeps the value it has in target, so defaults are set before. What has a method
// Validate() []setting.FieldError, at any depth, is asked once it is decoded; that something is missing is its affair.
func Decode(n Node, target any) Errors {
	v := reflect.ValueOf(target)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return Errors{n.position.Errorf("cannot decode into %T: a pointer is wanted", target)}
	}
	var d decoder
	d.value(n, v.Elem(), "")
	return d.errs.Sorted()
}

// decoder gathers the mistakes of one Decode.
type decoder struct{ errs Errors }

// wrong says that the value of that name is not what is wanted.
func (d *decoder) wrong(n Node, name, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if name != "" {
		text = name + ": " + text
	}
	d.errs = append(d.errs, Error{Position: n.position, Text: text})
}

// value decodes n into v, which can be set. name is the key or "item 3", for the message.
func (d *decoder) value(n Node, v reflect.Value, name string) {
	if v.Type() == nodeType {
		v.Set(reflect.ValueOf(n))
		return
	}
	if v.Kind() == reflect.Pointer {
		if n.Kind() == Null || n.Kind() == Absent {
			if v.Type().Elem().Kind() != reflect.Struct || n.Kind() == Absent {
				return
			}
		}
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.value(n, v.Elem(), name)
		return
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		start := len(d.errs)
		d.text(n, text, name)
		d.validate(n, v, name, start, nil)
		return
	}
	start := len(d.errs)
	var meant []string
	switch v.Kind() {
	case reflect.Struct:
		meant = d.structure(n, v, name)
	case reflect.Map:
		d.mapping(n, v, name)
	case reflect.Slice:
		d.list(n, v, name)
	case reflect.Interface:
		d.anything(n, v, name)
	default:
		d.scalar(n, v, name)
	}
	d.validate(n, v, name, start, meant)
}

// text gives a scalar to a type that reads its own text.
func (d *decoder) text(n Node, into encoding.TextUnmarshaler, name string) {
	text, ok := n.Scalar()
	if !ok {
		d.wrong(n, name, "found %s, want one value", found(n))
		return
	}
	if err := into.UnmarshalText([]byte(text)); err != nil {
		if _, isTime := into.(interface{ UnixNano() int64 }); isTime {
			d.wrong(n, name, "%q is not a time: write it as 2006-01-02T15:04:05Z or with an offset, 2006-01-02T15:04:05-08:00", bounded(text))
			return
		}
		d.wrong(n, name, "%v", err)
	}
}

// structure decodes a mapping into a struct. It returns the names that misspelt keys were probably meant to be.
func (d *decoder) structure(n Node, v reflect.Value, name string) (meant []string) {
	fields := map[string]reflect.Value{}
	names := collectFields(v, fields)
	switch n.Kind() {
	case Absent, Null, Mapping:
	default:
		d.wrong(n, name, "found %s, want a mapping with %s", found(n), strings.Join(names, ", "))
		return nil
	}
	for _, m := range n.Members() {
		f, ok := fields[m.Key]
		if ok {
			d.value(m.Value, f, m.Key)
			continue
		}
		if near := setting.Nearest(m.Key, names); near != "" {
			meant = append(meant, near)
		}
		d.errs = append(d.errs, Error{Position: m.KeyPosition, Text: setting.Unknown("key", m.Key, names)})
	}
	return meant
}

// collectFields finds the settings of a struct by name. It returns the names to tell people, sorted: those of all but the fields
// that are there only to say why they are not wanted (",refused").
func collectFields(v reflect.Value, into map[string]reflect.Value) (names []string) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if options == "inline" && f.Type.Kind() == reflect.Struct {
			names = append(names, collectFields(v.Field(i), into)...)
			continue
		}
		if !f.IsExported() || name == "" || name == "-" {
			continue
		}
		into[name] = v.Field(i)
		if options != "refused" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (d *decoder) mapping(n Node, v reflect.Value, name string) {
	switch {
	case n.Kind() == Absent || n.Kind() == Null:
		return
	case n.Kind() != Mapping:
		d.wrong(n, name, "found %s, want a mapping of names to values", found(n))
		return
	case v.Type().Key().Kind() != reflect.String:
		d.wrong(n, name, "cannot decode into %s: its keys are no text", v.Type())
		return
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.Members())))
	for _, m := range n.Members() {
		if m.Key == "" {
			d.errs = append(d.errs, m.KeyPosition.Errorf("the name is empty: give it one"))
			continue
		}
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(m.Value, element, m.Key)
		v.SetMapIndex(reflect.ValueOf(m.Key).Convert(v.Type().Key()), element)
	}
}

func (d *decoder) list(n Node, v reflect.Value, name string) {
	switch n.Kind() {
	case Absent, Null:
		return
	case List:
	case Scalar:
		d.wrong(n, name, "found %s, want a list: write [%s]", found(n), bounded(n.v.text))
		return
	default:
		d.wrong(n, name, "found %s, want a list: put it in [ ], or begin each item with a dash", found(n))
		return
	}
	items := n.Items()
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		d.value(item, v.Index(i), strings.TrimPrefix(fmt.Sprintf("%s.%d", name, i), "."))
	}
}

// anything decodes into a variable of type any: map[string]any, []any, string, bool, int64, uint64, float64 or nil.
func (d *decoder) anything(n Node, v reflect.Value, name string) {
	if v.NumMethod() != 0 {
		d.wrong(n, name, "cannot decode into %s", v.Type())
		return
	}
	switch n.Kind() {
	case Scalar:
		if x, ok := parseAny(n.v); ok {
			v.Set(reflect.ValueOf(x))
			return
		}
		d.wrong(n, name, "%q is a number that no int64 and no float64 can hold: put it in quotes", bounded(n.v.text))
	case List:
		items := []any{}
		d.value(n, reflect.ValueOf(&items).Elem(), name)
		v.Set(reflect.ValueOf(items))
	case Mapping:
		members := map[string]any{}
		d.value(n, reflect.ValueOf(&members).Elem(), name)
		v.Set(reflect.ValueOf(members))
	}
}

// validate asks v what is wrong with it. start is where the mistakes of decoding v begin: what the author has been told
// already (this value cannot be read, this key is misspelt) is not said again in other words.
func (d *decoder) validate(n Node, v reflect.Value, name string, start int, meant []string) {
	settings, ok := v.Addr().Interface().(validator)
	if !ok {
		return
	}
	told := map[Position]bool{}
	for _, e := range d.errs[start:] {
		told[e.Position] = true
	}
	for _, e := range settings.Validate() {
		first, _, _ := strings.Cut(e.Path, ".")
		at, found := n.at(e.Path)
		if slices.Contains(meant, first) || (found && e.Path != "" && told[at]) {
			continue
		}
		if e.Path == "" && len(meant) > 0 || n.Kind() != Mapping && told[n.position] {
			continue
		}
		if e.Path == "" && name != "" {
			e.Text = name + ": " + e.Text
		}
		d.errs = append(d.errs, Error{Position: at, Text: fieldText(e)})
	}
}
