package words

import (
	"fmt"
	"strings"
	"text/template"
	"time"
)

// maxAnnotation is how many runes a rendered annotation may have.
const maxAnnotation = 500

// AnnotationData is what the templates of a rule's annotations see when an alert fires.
type AnnotationData struct {
	// Entry is the entry that let the alert fire: {{ .Entry.jsonPayload.error }}. A path that is missing is nothing.
	Entry Fields
	// Labels are the alert's.
	Labels map[string]string
	// Count is how many entries matched; List the distinct values that the rule collects.
	Count int64
	List  []string
	// First and Last are the times of the first and the newest matching entry.
	First, Last time.Time
	// Value is the number that the detector compared, if its kind has one.
	Value float64
}

// Annotation is a template of a rule's annotation, parsed. It is safe to render from several goroutines.
type Annotation struct {
	source string
	parsed *template.Template // nil for a text without actions
}

// NewAnnotation parses a template and tries it on an entry that holds nothing. An error is a *TemplateError. There are
// Alertmanager's functions; now is the time of the newest entry.
func NewAnnotation(source string) (*Annotation, error) {
	if len(source) > maxSource {
		return nil, &TemplateError{1, 1, fmt.Sprintf("the template has %d bytes, at most %d are read", len(source), maxSource)}
	}
	if !strings.Contains(source, "{{") {
		return &Annotation{source: source}, nil
	}
	b := &budget{}
	t, err := template.New("annotation").Option("missingkey=zero").Funcs(functions(b)).Funcs(entryFuncs(b, Fields{})).Parse(source)
	if err != nil {
		return nil, hint(mistake(source, err))
	}
	rewriteEntry(t.Tree)
	guard(t)
	a := &Annotation{source: source, parsed: t}
	if _, err := a.execute(AnnotationData{Labels: map[string]string{}, Count: 1}); err != nil {
		if m := mistake(source, err); structural(m.Text) {
			return nil, hint(m)
		}
	}
	return a, nil
}

// structural says of an error of a trial run without data that it would come with any data.
func structural(text string) bool {
	for _, sign := range []string{"can't evaluate field", "wrong number of args", "wrong type for value", "range can't iterate over",
		"can't give argument", "is not a method but has arguments", "nil data", "non-function", "error calling index"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// hint adds to a mistake what would be right, where that can be known.
func hint(e *TemplateError) *TemplateError {
	switch {
	case strings.Contains(e.Text, `undefined variable "$labels"`):
		e.Text += ": write .Labels"
	case strings.Contains(e.Text, `undefined variable "$value"`):
		e.Text += ": write .Value"
	case strings.Contains(e.Text, "can't evaluate field"):
		e.Text += ": there are .Entry, .Labels, .Count, .List, .First, .Last and .Value"
	case strings.Contains(e.Text, "bad character") || strings.Contains(e.Text, "unexpected \"/\""):
		e.Text += `: a name with such a character is reached by index: {{ index .Entry.labels "k8s-pod/app" }}`
	}
	return e
}

// entryFuncs is the function that chains into the entry are rewritten to call.
func entryFuncs(b *budget, entry Fields) template.FuncMap {
	return template.FuncMap{entryFunction: func(path ...any) (string, error) {
		names := make([]string, len(path))
		for i, p := range path {
			names[i] = fmt.Sprint(p)
		}
		text := Excerpt(entry.Text(names...))
		return text, b.spend(nodeWork + len(text))
	}}
}

// Render is the annotation for an alert: at most 500 runes, cleaned and redacted. On an error the text that comes with it is
// the template's own, with … for what could not be filled in; it may be empty.
func (a *Annotation) Render(d AnnotationData) (string, error) {
	if a.parsed == nil {
		return Block(a.source, maxAnnotation), nil
	}
	d.Labels = cleaned(d.Labels)
	list := make([]string, len(d.List))
	for i, s := range d.List {
		list[i] = Clean(Excerpt(s), maxField)
	}
	d.List = list
	out, err := a.execute(d)
	if err != nil {
		return Block(literal(a.source), maxAnnotation), fmt.Errorf("render annotation: %w", mistake(a.source, err))
	}
	return Block(strings.TrimSpace(out), maxAnnotation), nil
}

func (a *Annotation) execute(d AnnotationData) (string, error) {
	b := &budget{now: d.Last}
	t, err := a.parsed.Clone()
	if err != nil {
		return "", err
	}
	return run(t.Funcs(entryFuncs(b, d.Entry)), d, b)
}

// cleaned is a copy of labels with every value fit to leave.
func cleaned(labels map[string]string) map[string]string {
	c := make(map[string]string, len(labels))
	for name, value := range labels {
		c[name] = Clean(Excerpt(value), maxField)
	}
	return c
}
