package words

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	amtemplate "github.com/prometheus/alertmanager/template"
)

// The bounds of one rendering. They are counted, not timed, so that the same template and data always come out the same.
const (
	maxSource = 64 << 10 // bytes of a template's text
	maxOutput = 16 << 10 // bytes that it may write; the rest is cut off
	maxString = 64 << 10 // bytes of a string that a function yields
	maxValues = 1000     // values in a list or dict, all that they hold counted
	maxDepth  = 50       // templates that call each other
	maxWork   = 4 << 20  // units: a node of the template 20, a byte given to a function 1, a byte a pattern looks at the pattern's length
	nodeWork  = 20
)

var (
	errWork   = errors.New("the template does too much: it is stopped after a bounded amount of work")
	errDepth  = fmt.Errorf("templates call each other more than %d deep", maxDepth)
	errString = fmt.Errorf("a function yields a text of more than %d bytes", maxString)
	errValues = fmt.Errorf("a list or dict holds more than %d values", maxValues)
	errFull   = errors.New("full") // the writer's, once it holds maxOutput: what came so far is kept
)

// budget is what is left of the bounds while a template runs.
type budget struct {
	work, depth int
	now         time.Time
	escape      func(string) string // for what functions decode out of data
}

func (b *budget) spend(n int) error {
	if b.work -= n; b.work < 0 {
		return errWork
	}
	return nil
}

// bounded collects what a template writes, up to its limit.
type bounded struct {
	bytes.Buffer
	limit int
}

func (w *bounded) Write(p []byte) (int, error) {
	if room := w.limit - w.Len(); len(p) > room {
		w.Buffer.Write(p[:max(room, 0)])
		return 0, errFull
	}
	return w.Buffer.Write(p)
}

// run executes t, whose trees guard has prepared, within the bounds. What was written before an error is returned with it.
func run(t *template.Template, data any, b *budget) (out string, err error) {
	w := &bounded{limit: maxOutput}
	defer func() {
		if p := recover(); p != nil {
			out, err = w.String(), fmt.Errorf("the template panics: %v", p)
		}
	}()
	t, err = t.Clone() // the functions are of this run
	if err != nil {
		return "", err
	}
	b.work = maxWork
	err = t.Funcs(functions(b)).Execute(w, data)
	if errors.Is(err, errFull) {
		err = nil
	}
	return w.String(), err
}

// guard puts into every list of nodes a call that counts what the list does, so that no loop and no recursion is endless:
// text/template itself cannot be stopped while it writes nothing.
func guard(t *template.Template) {
	for _, each := range t.Templates() {
		if each.Tree == nil || each.Tree.Root == nil {
			continue
		}
		guardList(each.Tree.Root)
		root := each.Tree.Root
		root.Nodes = append(append([]parse.Node{call("_enter", 0)}, root.Nodes...), call("_leave", 0))
	}
}

// guardList counts a list and those within it, and says how many nodes it has.
func guardList(l *parse.ListNode) int {
	if l == nil {
		return 0
	}
	n := 1
	for _, node := range l.Nodes {
		n++
		switch node := node.(type) {
		case *parse.ActionNode:
			n += size(node.Pipe)
		case *parse.TemplateNode:
			n += size(node.Pipe)
		case *parse.IfNode:
			n += size(node.Pipe) + guardList(node.List) + guardList(node.ElseList)
		case *parse.WithNode:
			n += size(node.Pipe) + guardList(node.List) + guardList(node.ElseList)
		case *parse.RangeNode:
			n += size(node.Pipe) + guardList(node.List) + guardList(node.ElseList)
		}
	}
	l.Nodes = append([]parse.Node{call("_step", n)}, l.Nodes...)
	return n
}

// size is how many nodes a pipeline has.
func size(p *parse.PipeNode) int {
	if p == nil {
		return 0
	}
	n := 1
	for _, c := range p.Cmds {
		for _, arg := range c.Args {
			n++
			if inner, ok := arg.(*parse.PipeNode); ok {
				n += size(inner)
			}
			if chain, ok := arg.(*parse.ChainNode); ok {
				if inner, ok := chain.Node.(*parse.PipeNode); ok {
					n += size(inner)
				}
			}
		}
	}
	return n
}

// call is the node of {{ name n }}.
func call(name string, n int) parse.Node {
	number := &parse.NumberNode{NodeType: parse.NodeNumber, IsInt: true, Int64: int64(n), Text: strconv.Itoa(n)}
	command := &parse.CommandNode{NodeType: parse.NodeCommand, Args: []parse.Node{parse.NewIdentifier(name), number}}
	return &parse.ActionNode{NodeType: parse.NodeAction, Pipe: &parse.PipeNode{NodeType: parse.NodePipe, Cmds: []*parse.CommandNode{command}}}
}

// functions are those a template may call: text/template's own that make text, and Alertmanager's, each counted.
func functions(b *budget) template.FuncMap {
	raw := map[string]any{
		"print": fmt.Sprint, "println": fmt.Sprintln, "printf": printf,
		"html": template.HTMLEscaper, "js": template.JSEscaper, "urlquery": template.URLQueryEscaper,
	}
	for name, f := range amtemplate.DefaultFuncs {
		raw[name] = f
	}
	raw["now"] = func() time.Time { return b.now }
	raw["since"] = func(t time.Time) time.Duration { return b.now.Sub(t) }
	funcs := template.FuncMap{}
	for name, f := range raw {
		funcs[name] = counted(b, name, f)
	}
	funcs["_step"] = func(n int) (string, error) { return "", b.spend(n * nodeWork) }
	funcs["_enter"] = func(int) (string, error) {
		if b.depth++; b.depth > maxDepth {
			return "", errDepth
		}
		return "", b.spend(nodeWork)
	}
	funcs["_leave"] = func(int) string { b.depth--; return "" }
	return funcs
}

var width = regexp.MustCompile(`%[^a-zA-Z%]*(?:[0-9]{4}|\*)`)

// printf is fmt.Sprintf without widths that are only there to fill memory.
func printf(format string, args ...any) (string, error) {
	if width.MatchString(format) {
		return "", errors.New("printf: a width of more than three digits, or *, is refused")
	}
	return fmt.Sprintf(format, args...), nil
}

// counted is f with its arguments paid for before it runs and its result bounded.
func counted(b *budget, name string, f any) any {
	v := reflect.ValueOf(f)
	t := v.Type()
	in := make([]reflect.Type, t.NumIn())
	for i := range in {
		in[i] = t.In(i)
	}
	failure := reflect.TypeFor[error]()
	outs := []reflect.Type{t.Out(0), failure}
	fail := func(err error) []reflect.Value {
		return []reflect.Value{reflect.Zero(t.Out(0)), reflect.ValueOf(&err).Elem()}
	}
	do := func(args []reflect.Value) []reflect.Value {
		if err := b.spend(price(name, args)); err != nil {
			return fail(err)
		}
		var got []reflect.Value
		if t.IsVariadic() {
			got = v.CallSlice(args)
		} else {
			got = v.Call(args)
		}
		if len(got) == 2 && !got[1].IsNil() {
			return fail(fmt.Errorf("%s: %w", name, got[1].Interface().(error)))
		}
		result := got[0].Interface()
		if s, ok := result.(string); ok {
			if len(s) > maxString {
				return fail(errString)
			}
			if b.escape != nil && (name == "base64decode" || name == "urlUnescape") {
				got[0] = reflect.ValueOf(b.escape(s))
			}
		} else if n := weigh(result, maxValues); n > maxValues {
			return fail(errValues)
		}
		return []reflect.Value{got[0], reflect.Zero(failure)}
	}
	return reflect.MakeFunc(reflect.FuncOf(in, outs, t.IsVariadic()), do).Interface()
}

// price is what a call costs: the bytes of its texts; for a pattern their product, which bounds the time that a match takes
// and what a replacement can grow to.
func price(name string, args []reflect.Value) int {
	n := nodeWork
	for _, a := range args {
		n += length(a)
	}
	if name == "match" || name == "reReplaceAll" {
		pattern, text, grown := length(args[0]), length(args[len(args)-1])+1, 0
		if len(args) == 3 {
			grown = length(args[1])
		}
		n += (pattern + grown) * text
		if grown*text > maxString*4 {
			n = maxWork + 1
		}
	}
	return n
}

// length is about how many bytes an argument has; what is no text counts as sixteen.
func length(v reflect.Value) int {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.String:
		return v.Len()
	case reflect.Slice, reflect.Array:
		n := 0
		for i := range v.Len() {
			n += length(v.Index(i))
		}
		return n
	}
	return 16
}

// weigh counts the values in what list, dict and append made, each as often as it would be printed; it stops past limit. A
// long text counts as several.
func weigh(v any, limit int) int {
	n := 1
	switch v := v.(type) {
	case []any:
		for _, each := range v {
			if n += weigh(each, limit-n); n > limit {
				break
			}
		}
	case map[string]any:
		for _, each := range v {
			if n += weigh(each, limit-n); n > limit {
				break
			}
		}
	case string:
		n += len(v) / 1024
	}
	return n
}

// errorPlace is where text/template's errors say that they are: "template: name:line: text" or "…:line:col: executing …".
var errorPlace = regexp.MustCompile(`^template: [^:]*:(\d+)(?::(\d+))?: (?s:(.*))$`)

// TemplateError is a mistake in a template, at a line and a column of its text, both from 1.
type TemplateError struct {
	Line, Col int
	Text      string
}

// Error is "line:col: text".
func (e *TemplateError) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Col, e.Text) }

var (
	quoted    = regexp.MustCompile("\"([^\"]+)\"|`([^`]+)`|<([^>]+)>|'(.)'")
	executing = regexp.MustCompile(`^executing "[^"]*" at <([^>]*)>: (?s:(.*))$`)
)

// mistake makes a TemplateError of what text/template says about source. It gives a line but, when it parses, no column: the
// first thing that it quotes is looked for in that line.
func mistake(source string, err error) *TemplateError {
	m := errorPlace.FindStringSubmatch(err.Error())
	if m == nil {
		return &TemplateError{Line: 1, Col: 1, Text: err.Error()}
	}
	e := &TemplateError{Text: m[3]}
	e.Line, _ = strconv.Atoi(m[1])
	if m[2] != "" { // of executing, in bytes from 0
		e.Col, _ = strconv.Atoi(m[2])
		e.Col++
		if parts := executing.FindStringSubmatch(e.Text); parts != nil {
			e.Text = parts[1] + ": " + parts[2]
			if strings.HasPrefix(parts[1], "_") { // our own guards, which nobody wrote
				_, e.Text, _ = strings.Cut(parts[2], ": ")
			}
		}
		return e
	}
	e.Col = 1
	lines := strings.Split(source, "\n")
	if e.Line < 1 || e.Line > len(lines) {
		return e
	}
	line := lines[e.Line-1]
	if q := quoted.FindStringSubmatch(e.Text); q != nil {
		from := max(strings.Index(line, "{{"), 0)
		if i := strings.Index(line[from:], q[1]+q[2]+q[3]+q[4]); i >= 0 {
			e.Col = from + i + 1
			return e
		}
	}
	if i := strings.LastIndex(line, "{{"); i >= 0 {
		e.Col = i + 1
	}
	return e
}
