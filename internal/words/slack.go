package words

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// slackEscaper writes the three characters that Slack's markup is made of as the entities that stand for them. The ampersand
// too, so that text that came escaped is shown as it came and never becomes markup. Three backticks become look-alikes: they
// would end, or begin, a block of code.
var slackEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "```", "ˋˋˋ")

// Slack is s as text of Slack's mrkdwn: it cannot mention anybody, link anywhere or hide anything.
func Slack(s string) string { return slackEscaper.Replace(strip(s)) }

// SlackLine is one line of data for mrkdwn, cleaned and redacted, at most max characters as Slack counts them: escaped.
func SlackLine(s string, max int) string {
	return fit(max, func(n int) string { return slackEscaper.Replace(Clean(s, n)) })
}

// SlackCode is data as a code block of mrkdwn, cleaned and redacted, at most max characters with its fences. The text cannot
// close the block.
func SlackCode(s string, max int) string {
	const fence = "```"
	inner := fit(max-2*len(fence)-2, func(n int) string { return slackEscaper.Replace(Block(s, n)) })
	if inner == "" {
		inner = " "
	}
	return fence + "\n" + inner + "\n" + fence
}

// fit is the longest of make's results, for smaller and smaller bounds on the data, that has at most max runes.
func fit(max int, make func(n int) string) string {
	for n := max; n > 0; n = n * 3 / 4 {
		if s := make(n); utf8.RuneCountInString(s) <= max {
			return s
		}
	}
	return ""
}

// SlackLink is a link of mrkdwn to address, shown as text, which is data; only the text, if address is none of http or https
// that WebAddress lets through.
func SlackLink(address, text string) string {
	shown := strings.ReplaceAll(SlackLine(text, 200), "|", "¦")
	clean := WebAddress(address)
	if clean == "" {
		return shown
	}
	return "<" + strings.ReplaceAll(clean, "&", "&amp;") + "|" + shown + ">"
}

// WebAddress is address if it is an absolute http or https URL without a user in it, written so that no character of it can
// end a link or a line; else "".
func WebAddress(address string) string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || len(address) > 2000 {
		return ""
	}
	s := u.String()
	if !plain(s) || strings.ContainsAny(s, "\n `") {
		return ""
	}
	return strings.NewReplacer("<", "%3C", ">", "%3E", "|", "%7C").Replace(s)
}

// slackEmbedded says, of mrkdwn that a user's template made of escaped data, which of its mentions and broadcasts are not
// written so in the template itself, and takes their power: only what the template's author wrote may call people.
func slackEmbedded(out, source string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(out, '<')
		if i < 0 || i+1 >= len(out) {
			break
		}
		b.WriteString(out[:i])
		out = out[i:]
		end := strings.IndexByte(out, '>')
		if strings.IndexByte("!@#", out[1]) >= 0 && (end < 0 || !strings.Contains(source, out[:end+1])) {
			b.WriteString("&lt;")
			out = out[1:]
			continue
		}
		b.WriteByte('<')
		out = out[1:]
	}
	b.WriteString(out)
	return b.String()
}

// CutSlack is mrkdwn of at most max runes: of longer text the beginning, up to where no entity, link or mention is cut in two.
func CutSlack(s string, max int) string {
	if utf8.RuneCountInString(s) <= max {
		return s
	}
	n, end := 0, 0
	for end = range s {
		if n++; n >= max {
			break
		}
	}
	s = s[:end]
	if i := strings.LastIndexByte(s, '<'); i >= 0 && strings.IndexByte(s[i:], '>') < 0 {
		s = s[:i]
	}
	if i := strings.LastIndexByte(s, '&'); i >= 0 && i > len(s)-6 && strings.IndexByte(s[i:], ';') < 0 {
		s = s[:i]
	}
	if strings.Count(s, "```")%2 == 1 {
		return s + "…\n```"
	}
	return s + "…"
}
