package config

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

var syntaxLine = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)

// comment finds one that begins within braces or brackets, where a value may be meant.
var comment = regexp.MustCompile(`[\[{][^\]}#]*[:,\[{]\s+(#\S)`)

var unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced`)

// hints say what the parser's messages mostly mean.
var hints = []struct{ text, hint string }{
	{"unknown anchor", "an anchor is set as &name before *name uses it; text that begins with * needs quotes"},
	{"mapping values are not allowed", "text that holds \": \" needs quotes; or the line is indented too far"},
	{"could not find expected ':'", "a key needs a colon and a space behind it; or the text of the line before goes on here"},
	{"did not find expected key", "this line does not fit what it stands in: look at its indentation"},
	{"did not find expected '-' indicator", "a list goes on here: begin the item with a dash, or look at the indentation"},
	{"did not find expected ',' or", "what is opened here is not closed as it should be"},
	{"found unexpected end of stream", "a quote that is opened here is not closed"},
	{"cannot start any token", "text that begins with @, `, % or a tab needs quotes"},
	{"unknown escape character", "in double quotes a backslash is \\\\; in single quotes it is itself"},
}

// syntaxError gives the parser's message its place. The parser says a line only, counts from nought or one, and names sometimes
// where the trouble is and sometimes what it is in; placed asks it again to find out.
func syntaxError(file string, data []byte, err error) Error {
	line, text := placed(data, err)
	for _, h := range hints {
		if strings.Contains(text, h.text) {
			text += ": " + h.hint
			break
		}
	}
	lines := bytes.Split(data, []byte("\n"))
	at := Position{File: file, Line: min(max(line, 1), len(lines))}
	if cut, ok := commented(lines[:at.Line], text); ok {
		cut.File = file
		return cut.Errorf("what begins with # is a comment, so that what is opened before it is not closed: put text that begins with # in quotes, such as \"#channel\"")
	}
	content := lines[at.Line-1]
	indent := content[:len(content)-len(bytes.TrimLeft(content, " \t"))]
	at.Column = utf8.RuneCount(indent) + 1
	if tab := bytes.IndexByte(indent, '\t'); tab >= 0 {
		at.Column = tab + 1
		text = "a tab is here: indent with spaces"
	}
	return at.Errorf("%s", text)
}

// commented is the place of a comment that is probably meant as a value, where what is opened before it is never closed.
func commented(lines [][]byte, text string) (Position, bool) {
	if !strings.Contains(text, "did not find expected ',' or") && !strings.Contains(text, "did not find expected node content") {
		return Position{}, false
	}
	for i := len(lines) - 1; i >= 0; i-- {
		if m := comment.FindSubmatchIndex(lines[i]); m != nil {
			return Position{Line: i + 1, Column: utf8.RuneCount(lines[i][:m[2]]) + 1}, true
		}
	}
	return Position{}, false
}

// placed is the line, counted from one, and the text of a mistake that the parser found in data. With a line before the text
// the parser always names the line of what the trouble is in: the scanner counts it from one, the parser from nought. Asked
// again from there on, the parser has nothing to name but the trouble's own line.
func placed(data []byte, err error) (line int, text string) {
	_, text = messageOf(err)
	if m := unknownAnchor.FindStringSubmatch(text); m != nil {
		before, _, _ := bytes.Cut(data, []byte("*"+m[1]))
		return bytes.Count(before, []byte("\n")) + 1, text
	}
	line, again := failure(append([]byte("#\n"), data...))
	if again != text {
		line, _ = messageOf(err)
		return line, text
	}
	if !strings.HasPrefix(text, "did not find expected") {
		return line - 1, text
	}
	if strings.HasPrefix(text, "did not find expected ',' or") {
		return line, text
	}
	rest := data
	for range line - 1 {
		_, rest, _ = bytes.Cut(rest, []byte("\n"))
	}
	if more, again := failure(rest); again == text {
		line += more
	}
	return line, text
}

// failure is what the parser says of data; no text if it says nothing.
func failure(data []byte) (line int, text string) {
	if _, err := document(yaml.NewDecoder(bytes.NewReader(data))); err != nil {
		return messageOf(err)
	}
	return 0, ""
}

func messageOf(err error) (line int, text string) {
	m := syntaxLine.FindStringSubmatch(err.Error())
	if m == nil {
		return 0, err.Error()
	}
	line, _ = strconv.Atoi(m[1]) // nothing but digits, or no line
	return line, m[2]
}
