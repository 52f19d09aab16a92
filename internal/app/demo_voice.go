package app

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"tocsin/internal/fakes"
	"tocsin/internal/words"
)

// voice tells a demo's story on a terminal. Its methods may be called from any goroutine.
type voice struct {
	w       io.Writer
	color   bool
	channel func(id string) string // the name of one of Slack's channels

	mu    sync.Mutex
	shown map[string][]string // the lines of each of Slack's messages, as shown last
}

func newVoice(w io.Writer, color bool, channel func(id string) string) *voice {
	return &voice{w: w, color: color, channel: channel, shown: map[string][]string{}}
}

// The columns: the time, who or what, and the text.
const (
	voiceWho   = 10
	voiceWidth = 78
)

const (
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	cyan   = "\x1b[36m"
)

func (v *voice) paint(colour, text string) string {
	if !v.color || colour == "" || text == "" {
		return text
	}
	return colour + text + "\x1b[0m"
}

// opening says what is set up, and where.
func (v *voice) opening(s *stage) {
	v.mu.Lock()
	defer v.mu.Unlock()
	logs := s.log.Name()
	if s.cloud != nil {
		logs = "hook's from a stand-in of Cloud Logging at " + s.cloud.logging.Addr() + ", tailed; tide's from one of Pub/Sub at " + s.cloud.pubsub.Addr()
	}
	fmt.Fprintf(v.w, "%s\n\n", v.paint(bold, "tocsin demo: the whole service through one outage of Prow, with stand-ins on this machine. ^C ends it."))
	for _, row := range [][2]string{
		{"the page", v.paint(bold, s.app.URL())},
		{"hook", s.hookURL + ", asked once a second"},
		{"the logs", logs},
		{"the rules", fmt.Sprintf("Prow's own, shorter in time: half a minute is %s", words.Duration(s.pace.of(time.Second)))},
		{"times", "UTC"},
	} {
		fmt.Fprintf(v.w, "  %-10s %s\n", row[0], row[1])
	}
	if s.cloud != nil {
		fmt.Fprintf(v.w, "  %-10s tocsin doctor --config %s --endpoint %s\n", "try", s.config, s.cloud.project.Addr())
	}
	fmt.Fprintln(v.w)
}

// say writes a line of its own.
func (v *voice) say(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	fmt.Fprintf(v.w, "\n%s\n", fmt.Sprintf(format, args...))
}

// event writes that something happened to somebody.
func (v *voice) event(who, format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.line(cyan, who, fmt.Sprintf(format, args...))
}

// line writes the time, who and a text, wrapped. v.mu is held.
func (v *voice) line(colour, who, text string) {
	at := time.Now().UTC().Format(time.TimeOnly)
	for _, part := range wrap(text, voiceWidth) {
		fmt.Fprintf(v.w, "%-8s  %s%s  %s\n", at, v.paint(colour, who), strings.Repeat(" ", max(0, voiceWho-len(who))), part)
		at, who = "", ""
	}
}

// quote writes who says something, and beside a bar what, as it would be shown elsewhere. v.mu is held.
func (v *voice) quote(colour, who, how string, lines []string) {
	v.line(colour, who, how)
	for _, line := range lines {
		for _, part := range wrap(words.Terminal(line), voiceWidth-2) {
			fmt.Fprintf(v.w, "%*s%s %s\n", len(time.TimeOnly)+voiceWho+4, "", v.paint(colour, "│"), part)
		}
	}
}

// slack shows a message that was posted, or what an edit changed of it.
func (v *voice) slack(e fakes.SlackEvent) {
	v.mu.Lock()
	defer v.mu.Unlock()
	m := e.Message
	lines := slackLines(m)
	before, known := v.shown[m.TS]
	v.shown[m.TS] = lines
	where := v.channel(m.Channel)
	switch {
	case e.Kind == "posted" && m.Broadcast:
		v.quote(yellow, "Slack", "in the message's thread, and in "+where+":", lines)
	case e.Kind == "posted" && m.ThreadTS != "":
		v.quote(dim, "Slack", "in the message's thread:", lines)
	case e.Kind == "posted":
		v.quote(yellow, "Slack", "a message in "+where+":", lines)
	default:
		lines = slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return known && slices.Contains(before, line) })
		if len(lines) > 0 {
			v.quote(yellow, "Slack", "the message is edited:", lines)
		}
	}
}

// pager shows what happens at PagerDuty.
func (v *voice) pager(e fakes.PagerDutyEvent) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case e.Kind == "rang":
		v.quote(red, "PagerDuty", "RINGS whoever is on call:", []string{e.Alert.Summary})
	case e.Alert.By == "tocsin":
		v.line(green, "PagerDuty", e.Kind+" there too, by tocsin")
	default:
		v.line(green, "PagerDuty", e.Kind+" by "+words.Terminal(e.Alert.By))
	}
}

// summary ends the story: what came of it, and what was not as it should be.
func (v *voice) summary(wrong []string, format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	colour := green
	if len(wrong) > 0 {
		colour = red
	}
	fmt.Fprintf(v.w, "\n%s %s\n", v.paint(colour, "Demo over:"), fmt.Sprintf(format, args...))
	for _, w := range wrong {
		fmt.Fprintf(v.w, "%s %s\n", v.paint(red, "Not as it should be:"), words.Terminal(w))
	}
}

// slackLink is a link as Slack writes it: <address|text>.
var slackLink = regexp.MustCompile(`<([^|<>]+)\|([^<>]*)>`)

// slackLines are the lines that Slack would show of a message.
func slackLines(m fakes.SlackMessage) []string {
	var blocks []struct {
		Text struct{ Text string }
	}
	var texts []string
	if json.Unmarshal(m.Blocks, &blocks) == nil {
		for _, b := range blocks {
			texts = append(texts, b.Text.Text)
		}
	}
	if len(texts) == 0 {
		texts = []string{m.Text}
	}
	text := slackLink.ReplaceAllString(strings.Join(texts, "\n"), "$2: $1")
	var lines []string
	for line := range strings.Lines(html.UnescapeString(text)) {
		if line = strings.Trim(line, "\n"); line != "" && line != "```" {
			lines = append(lines, strings.ReplaceAll(line, "*", ""))
		}
	}
	return lines
}

// wrap breaks a text at spaces, or where a word is too long within it, into lines of at most width runes. There is always one.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.SplitSeq(text, " ") {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
		for utf8.RuneCountInString(line) > width {
			runes := []rune(line)
			lines, line = append(lines, string(runes[:width])), string(runes[width:])
		}
	}
	return append(lines, line)
}
