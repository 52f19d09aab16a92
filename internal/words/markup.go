package words

import (
	"strings"
	"unicode/utf8"
)

// CutBytes is Cut for what is counted in bytes.
func CutBytes(s string, max int) string {
	for n := max; n > 0; n = n * 3 / 4 {
		if cut := Cut(s, n); len(cut) <= max {
			return cut
		}
	}
	return ""
}

// htmlEscaper leaves quotes as they are: text never stands in an attribute.
var htmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// HTML is s as text of HTML, outside of tags. Line breaks stay.
func HTML(s string) string { return htmlEscaper.Replace(strip(s)) }

// discordSigns are what Discord's markdown is made of, and what makes an address a link. Behind a backslash each is itself.
const discordSigns = "\\*_~`|<>@#:[]()-+=.&"

// DiscordLine is one line of data for Discord's markdown, cleaned and redacted, at most max characters: escaped.
func DiscordLine(s string, max int) string {
	return fit(max, func(n int) string { return discordEscape(Clean(s, n)) })
}

func discordEscape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < utf8.RuneSelf && strings.IndexByte(discordSigns, byte(r)) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// DiscordCode is data as a code block, cleaned and redacted, at most max characters with its fences. The text cannot close the block.
func DiscordCode(s string, max int) string {
	const fence = "```"
	inner := strings.ReplaceAll(Block(s, max-2*len(fence)-2), fence, "ˋˋˋ")
	return fence + "\n" + inner + "\n" + fence
}

// DiscordLink is a link to address, shown as text, which is data; only the text, if address is none that WebAddress lets through.
func DiscordLink(address, text string) string {
	shown := DiscordLine(text, 200)
	clean := WebAddress(address)
	if clean == "" {
		return shown
	}
	return "[" + shown + "](<" + strings.NewReplacer("(", "%28", ")", "%29", "\\", "%5C").Replace(clean) + ">)"
}
