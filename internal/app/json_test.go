package app

import (
	"bytes"
	"encoding/json"
	"testing"
)

// What PrintJSON writes means the same, and holds nothing that a terminal would obey.
func TestPrintJSONIsVisible(t *testing.T) {
	for text, want := range map[string]string{
		"plain, caf\u00e9, \u65e5\u672c, \U0001f534": "plain, caf\u00e9, \u65e5\u672c, \U0001f534",
		"\x1b[2J\x07":                 `\u001b[2J\u0007`,
		"\x7f":                        `\u007f`,
		"a\u009b31m":                  `a\u009b31m`,
		"\u202etxt.exe\u2066":         `\u202etxt.exe\u2066`,
		"\u200bno width\ufeff":        `\u200bno width\ufeff`,
		"tag \U000e0041 of no width ": `tag \udb40\udc41 of no width `,
		"line\u2028end":               `line\u2028end`,
		"\xff":                        `\ufffd`,
		"\u009b\u009b":                `\u009b\u009b`,
	} {
		var b bytes.Buffer
		if err := PrintJSON(&b, []string{text}); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); got != "[\n  \""+want+"\"\n]\n" {
			t.Errorf("%q is written as %s, want %s", text, got, want)
		}
		var back []string
		if err := json.Unmarshal(b.Bytes(), &back); err != nil || text != "\xff" && back[0] != text {
			t.Errorf("%q came back as %q (%v)", text, back, err)
		}
	}
}
