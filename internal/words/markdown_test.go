package words_test

import (
	"strings"
	"testing"

	"tocsin/internal/words"
)

func TestMarkdown(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain words", "duplicated preset label : preset-aws-credential", "duplicated preset label : preset-aws-credential"},
		{"markup", "*a* _b_ `c` ~~d~~ [e](f) <b>g</b> &lt; $x$", "\\*a\\* \\_b\\_ \\`c\\` \\~\\~d\\~\\~ \\[e\\](f) \\<b\\>g\\</b\\> \\&lt; \\$x\\$"},
		{"a mention", "ask @kubernetes/sig-testing now", "ask `@kubernetes/sig-testing` now"},
		{"an address", "see https://evil.example/a_b.", "see `https://evil.example/a_b.`"},
		{"an address without a scheme", "see www.evil.example", "see `www.evil.example`"},
		{"an issue", "fixes #123, org/repo#4 and GH-5", "fixes `#123,` `org/repo#4` and `GH-5`"},
		{"an address with backticks", "https://x/``y`", "``` https://x/``y` ```"},
		{"a heading", "## all is well", `\## all is well`},
		{"a list", "- all is well", `\- all is well`},
		{"a numbered list", "12. all is well", `12\. all is well`},
		{"a quote", "> all is well", `\> all is well`},
		{"a rule", "---", `\---`},
		{"lines", "a\n\n# b", "a # b"},
		{"an escape", `\*a*`, `\\\*a\*`},
		{"hidden", "a\u202eb\x1b[31mc", "abc"},
		{"a secret", "xoxb-123456-abcdef", `\<redacted\>`},
		{"nothing", " \n ", ""},
	} {
		if got := words.Markdown(c.in, 500); got != c.want {
			t.Errorf("%s: Markdown(%q) = %q, want %q", c.name, c.in, got, c.want)
		}
	}
	if got := words.MarkdownCell("a|b https://x|y", 500); got != `a\|b `+"`https://x\\|y`" {
		t.Errorf("in a cell: %q", got)
	}
	if got := []rune(words.Markdown(strings.Repeat("a", 5000), 100)); len(got) > 101 {
		t.Errorf("of 5000 runes %d are left, at most 100 were wanted", len(got))
	}
}

func TestMarkdownBlock(t *testing.T) {
	got := words.MarkdownBlock("a\n```\n# out of it\n````` b\n", 500)
	if want := "``````text\na\n```\n# out of it\n````` b\n``````"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := words.MarkdownCode("a`b", 10); got != "`` a`b ``" {
		t.Errorf("got %q", got)
	}
}
