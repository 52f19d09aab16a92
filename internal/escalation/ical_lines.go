package escalation

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Mistake is one thing in a calendar that nobody can read. Line counts from one.
type Mistake struct {
	Line int
	Text string
}

// Mistakes are those of a calendar, in the order of their lines. As many are looked for as a person mends at once.
type Mistakes []Mistake

const mostMistakes = 50

// Error is all of them in one line, each beginning with its line.
func (m Mistakes) Error() string {
	const most = 5
	texts := make([]string, 0, most+1)
	for _, one := range m[:min(len(m), most)] {
		texts = append(texts, fmt.Sprintf("line %d: %s", one.Line, one.Text))
	}
	if rest := len(m) - most; rest > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", rest))
	}
	return strings.Join(texts, "; ")
}

// contentLine is NAME;PARAM=VALUE:value, unfolded.
type contentLine struct {
	number int
	name   string
	params map[string]string
	value  string
	// err says that it is none.
	err error
}

func (l contentLine) is(name, value string) bool {
	return l.name == name && strings.EqualFold(l.value, value)
}

// contentLines takes a calendar apart: a line that begins with white space goes on with the one before.
func contentLines(data []byte) []contentLine {
	var texts []string
	var numbers []int
	number := 0
	for line := range bytes.Lines(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))) {
		number++
		text := strings.TrimRight(string(line), "\r\n")
		switch {
		case text == "":
		case (text[0] == ' ' || text[0] == '\t') && len(texts) > 0:
			texts[len(texts)-1] += text[1:]
		default:
			texts, numbers = append(texts, text), append(numbers, number)
		}
	}
	out := make([]contentLine, len(texts))
	for i, text := range texts {
		l, ok := parseContentLine(text)
		switch l.number = numbers[i]; {
		case !utf8.ValidString(text):
			l = contentLine{number: numbers[i], err: errors.New("it is not UTF-8")}
		case !ok:
			l.err = errors.New("it is no calendar's line: want NAME:value")
		}
		out[i] = l
	}
	return out
}

func parseContentLine(text string) (contentLine, bool) {
	quoted, colon := false, -1
	var parts []string // the name and the parameters
	start := 0
	for i := 0; i < len(text) && colon < 0; i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ';' || c == ':':
			parts, start = append(parts, text[start:i]), i+1
			if c == ':' {
				colon = i
			}
		}
	}
	if colon <= 0 {
		return contentLine{}, false
	}
	l := contentLine{name: strings.ToUpper(parts[0]), params: map[string]string{}, value: text[colon+1:]}
	for _, p := range parts[1:] {
		name, value, _ := strings.Cut(p, "=")
		l.params[strings.ToUpper(name)] = strings.Trim(value, `"`)
	}
	return l, true
}
