package words

import (
	"regexp"
	"strings"
)

// Markdown is one line of data as text of a markdown page (GitHub's kind), cleaned and redacted, at most so many runes before it is escaped:
// it can mention nobody, link nowhere, and be neither a heading nor markup. Words that the page would make something of by itself, such
// as addresses, @names and #numbers, stand as code.
func Markdown(s string, most int) string {
	fields := strings.Fields(Clean(s, most))
	for i, word := range fields {
		switch {
		case live.MatchString(word):
			fields[i] = MarkdownCode(word, most)
		case i == 0 && leading.MatchString(word):
			fields[i] = `\` + word
			if end := strings.IndexAny(word, ".)"); end > 0 {
				fields[i] = word[:end] + `\` + word[end:]
			}
		default:
			fields[i] = markdownEscaper.Replace(word)
		}
	}
	return strings.Join(fields, " ")
}

// MarkdownCell is Markdown for a cell of a table.
func MarkdownCell(s string, most int) string {
	return strings.ReplaceAll(Markdown(s, most), "|", `\|`)
}

// MarkdownCode is one line of data as code within a line.
func MarkdownCode(s string, most int) string {
	s = Clean(s, most)
	if s == "" {
		return ""
	}
	fence := strings.Repeat("`", longest(s, '`')+1)
	if len(fence) > 1 { // what begins or ends with one would be taken for the fence
		s = " " + s + " "
	}
	return fence + s + fence
}

// MarkdownBlock is data as a block of code of its own, cleaned and redacted, at most so many runes.
func MarkdownBlock(s string, most int) string {
	fence := strings.Repeat("`", max(3, longest(s, '`')+1))
	return fence + "text\n" + strings.TrimRight(Block(s, most), "\n") + "\n" + fence
}

var (
	// live are words that a page makes links or mentions of, and that hold what ends a word's being escaped.
	live = regexp.MustCompile(`(?i)://|^[^0-9a-z]*www\.|@|#[0-9]|^[^0-9a-z]*gh-[0-9]`)
	// leading are words that make something else of a line that begins with them.
	leading = regexp.MustCompile(`^([-+=]+|#{1,6}|[0-9]{1,9}[.)])$`)

	markdownEscaper = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`, "&", `\&`,
		"~", `\~`, "$", `\$`)
)

// longest is the length of the longest run of c in s.
func longest(s string, c byte) int {
	most, run := 0, 0
	for i := range len(s) {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		most = max(most, run)
	}
	return most
}
