package notifiers

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"tocsin/internal/incident"
	"tocsin/internal/setting"
	"tocsin/internal/words"
)

// Slack tells a channel: one message per incident, edited as the incident goes on, its evidence in the message's thread. It
// needs a bot token with the scopes chat:write, channels:history (groups:history for a private channel) and, where channel is
// a name, channels:read (groups:read); and the bot in the channel.
type Slack struct {
	// Channel is the channel's name (#testing-ops) or, better, its id (C0123456789), which survives a renaming.
	Channel string `yaml:"channel"`
	// TokenFile is the file that holds the bot token (xoxb-...). It is read anew for each message.
	TokenFile string `yaml:"token_file"`
	// APIURL is where Slack's API is, if not at https://slack.com/api/.
	APIURL string `yaml:"api_url"`
	// SigningSecretFile is the file that holds the app's signing secret, AppTokenFile that with its app-level token (xapp-..., with the scope
	// connections:write). With either its messages have buttons, and what people press, type and write in threads comes in: as requests to
	// /slack/ that the secret signs, or over Socket Mode, which needs no way in from outside.
	SigningSecretFile string `yaml:"signing_secret_file"`
	AppTokenFile      string `yaml:"app_token_file"`
	// Title and Text, if set, are templates over Alertmanager's data in place of the message's first line, and of what stands
	// below it. Text from logs is escaped before the templates see it.
	Title string `yaml:"title"`
	Text  string `yaml:"text"`
	// Templates are the texts of the configuration's template files, which Title and Text may use by name. They are set by who
	// builds the program.
	Templates []string `yaml:"-"`
}

// Resolve makes the relative paths of its files begin where the configuration is.
func (s *Slack) Resolve(of func(path string) string) {
	s.TokenFile, s.SigningSecretFile, s.AppTokenFile = of(s.TokenFile), of(s.SigningSecretFile), of(s.AppTokenFile)
}

// Traits say that a message can be edited and has a thread, and whether it goes to one person.
func (s *Slack) Traits() Traits { return Traits{Edits: true, Direct: slackUser.MatchString(s.Channel)} }

var (
	slackID     = regexp.MustCompile(`^[CGD][A-Z0-9]{7,20}$`)
	slackName   = regexp.MustCompile(`^#?[\p{Ll}\p{Lo}\p{N}_-]{1,80}$`)
	slackUser   = regexp.MustCompile(`^[UW][A-Z0-9]{2,20}$`)
	slackGroup  = regexp.MustCompile(`^S[A-Z0-9]{2,20}$`)
	slackOldest = time.Minute // how far Slack's clock and ours may be apart
)

// Validate says everything that is wrong with the settings.
func (s *Slack) Validate() []setting.FieldError {
	var errs []setting.FieldError
	add := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	switch {
	case s.Channel == "":
		add("channel", `is missing: write the channel's name ("#testing-ops") or its id`)
	case !slackID.MatchString(s.Channel) && !slackName.MatchString(s.Channel):
		add("channel", "%q is no channel: write its name, lower case, such as #testing-ops, or its id, such as C0123456789", words.Clean(s.Channel, 80))
	}
	if s.TokenFile == "" {
		add("token_file", "is missing: write the path of the file that holds the bot token (xoxb-...)")
	} else if strings.HasPrefix(s.TokenFile, "xox") {
		add("token_file", "holds the token itself: write it into a file and name the file here")
	}
	if signingSecret.MatchString(s.SigningSecretFile) {
		add("signing_secret_file", "holds the secret itself: write it into a file and name the file here")
	}
	if strings.HasPrefix(s.AppTokenFile, "xapp-") {
		add("app_token_file", "holds the token itself: write it into a file and name the file here")
	}
	if s.APIURL != "" {
		if err := checkURL(s.APIURL); err != "" {
			add("api_url", "%s", err)
		}
	}
	for _, t := range []struct{ path, source string }{{"title", s.Title}, {"text", s.Text}} {
		if t.source == "" {
			continue
		}
		if _, err := words.NewTemplate(t.source); err != nil {
			add(t.path, "is no template: %v", err)
		}
	}
	return errs
}

// New makes the notifier of a receiver.
func (s *Slack) New(receiver string) (Notifier, error) {
	n := &slackNotifier{settings: *s, receiver: receiver, http: boundedClient()}
	n.api = strings.TrimSuffix(s.APIURL, "/") + "/"
	if s.APIURL == "" {
		n.api = slack.APIURL
	}
	for source, into := range map[*string]**words.Template{&s.Title: &n.title, &s.Text: &n.text} {
		if *source == "" {
			continue
		}
		t, err := words.NewTemplate(*source, s.Templates...)
		if err != nil {
			return nil, fmt.Errorf("parse template of receiver %s: %w", receiver, err)
		}
		*into = t
	}
	return n, nil
}

// slackNotifier is a channel. It remembers nothing but the channel's id, which it can find again.
type slackNotifier struct {
	settings    Slack
	receiver    string
	api         string
	http        *http.Client
	title, text *words.Template

	mu sync.Mutex
	id string // the channel's, once known
}

// client makes a client with the token as it is now. It never retries: that belongs to the outbox.
func (s *slackNotifier) client() (*slack.Client, error) {
	token, err := setting.ReadSecret(s.settings.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("open token of receiver %s: %w", s.receiver, err)
	}
	return slack.New(token.Reveal(), slack.OptionHTTPClient(s.http), slack.OptionAPIURL(s.api)), nil
}

// Preview is what Send would say, as text.
func (s *slackNotifier) Preview(n Notice) string {
	t := tell(&n)
	if n.Kind != incident.Message || (s.title == nil && s.text == nil) {
		return t.plain(&n)
	}
	head, body := s.templated(&n, t.icon+" "+t.title, strings.Join([]string{t.since, t.state}, "\n"), false)
	return head + "\n" + t.line + "\n" + body
}

// Send posts the notice, or edits the incident's message. An edit that Slack refuses for good (the message was deleted, or is
// too old to edit) is posted anew, after a look for one that an earlier attempt may have posted. The receipt is "channel/ts".
func (s *slackNotifier) Send(ctx context.Context, n Notice) (string, error) {
	client, err := s.client()
	if err != nil {
		return "", err
	}
	m := s.word(&n)
	channel, ts := splitReceipt(n.Parent)
	switch n.Kind {
	case incident.CallAcknowledge, incident.CallResolve:
		return n.Parent, nil // the message's edit says it
	case incident.Message:
		if ts == "" {
			return s.post(ctx, client, &n, m, "")
		}
		receipt, err := s.send(ctx, client, channel, m, slack.MsgOptionUpdate(ts))
		if !refusedEdit(err) {
			return receipt, verdict(err)
		}
		found, ok, err := s.find(ctx, client, &n, channel, "", ts)
		if err != nil {
			return "", verdict(err)
		}
		if ok {
			_, ts = splitReceipt(found)
			receipt, err = s.send(ctx, client, channel, m, slack.MsgOptionUpdate(ts))
			return receipt, verdict(err)
		}
		return s.post(ctx, client, &n, m, "")
	default:
		return s.post(ctx, client, &n, m, ts)
	}
}

// post sends a new message, into the thread of ts if that is not empty.
func (s *slackNotifier) post(ctx context.Context, client *slack.Client, n *Notice, m slackWords, ts string) (string, error) {
	channel, _ := splitReceipt(n.Parent)
	if channel == "" {
		channel = s.channel()
	}
	options := []slack.MsgOption{
		slack.UnsafeMsgOptionEndpoint(s.api+"chat.postMessage", func(v url.Values) { v.Set("client_msg_id", messageID(n.Key)) }),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
	if ts != "" {
		options = append(options, slack.MsgOptionTS(ts))
		if n.Rings {
			options = append(options, slack.MsgOptionBroadcast())
		}
	}
	receipt, err := s.send(ctx, client, channel, m, options...)
	if ts != "" && n.Rings && errorCode(err) == "thread_not_found" {
		return s.post(ctx, client, n, m, "") // what rings must be heard, in a thread or not
	}
	if id, _ := splitReceipt(receipt); id != "" {
		s.mu.Lock()
		s.id = id
		s.mu.Unlock()
	}
	return receipt, verdict(err)
}

// send makes one call that posts or edits; where Slack surely refused the blocks, a second one with the text alone.
func (s *slackNotifier) send(ctx context.Context, client *slack.Client, channel string, m slackWords, options ...slack.MsgOption) (string, error) {
	common := []slack.MsgOption{slack.MsgOptionMetadata(m.metadata), slack.MsgOptionParse(false), slack.MsgOptionLinkNames(false)}
	rich := append(append(common[:3:3], slack.MsgOptionText(m.text, false), slack.MsgOptionBlocks(m.blocks...)), options...)
	id, ts, _, err := client.SendMessageContext(ctx, channel, rich...)
	if refusedForm[errorCode(err)] {
		plain := append(append(common[:3:3], slack.MsgOptionText(m.short, false), slack.MsgOptionBlocks()), options...)
		id, ts, _, err = client.SendMessageContext(ctx, channel, plain...)
	}
	if err != nil {
		return "", fmt.Errorf("send to Slack channel %s: %w", words.Clean(channel, 80), err)
	}
	if id == "" || ts == "" {
		return "", fmt.Errorf("send to Slack channel %s: the answer names no message", words.Clean(channel, 80))
	}
	return id + "/" + ts, nil
}

// channel is where to post: the id if it is known, else what the settings say.
func (s *slackNotifier) channel() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id != "" {
		return s.id
	}
	if slackID.MatchString(s.settings.Channel) || slackUser.MatchString(s.settings.Channel) {
		return s.settings.Channel
	}
	return "#" + strings.TrimPrefix(s.settings.Channel, "#")
}

// slackWords is a notice as Slack takes it: as blocks, as the text that a phone shows of them, and as text alone for when the
// blocks are refused.
type slackWords struct {
	blocks      []slack.Block
	text, short string
	metadata    slack.SlackMetadata
}

// Bounds of the parts of a message, in characters. Slack takes 3,000 in a block and refuses about 13,000 in all.
const (
	slackMaxTitle = 700
	slackMaxCode  = 2400
	slackMaxBody  = 2800
	slackMaxShort = 3000
)

// word makes the words of a notice. A template that fails is replaced by our own words: a message is always sent.
func (s *slackNotifier) word(n *Notice) slackWords {
	t := tell(n)
	quiet := n.Kind == incident.Post && !n.Rings
	if n.Kind != incident.Message {
		t.who = nil // they are mentioned
	}
	title := words.SlackLine(t.title, slackMaxTitle)
	head, text, body, code := t.icon+" *"+title+"*", t.icon+" "+title, slackBody(&t), t.line
	switch {
	case n.Kind == incident.Message:
		if s.title != nil || s.text != nil {
			head, body = s.templated(n, head, body, true)
			text = head
		}
	case quiet: // it stands in the incident's thread: only what is new
		if body = ""; t.news != "" {
			head = words.SlackLine(t.news, slackMaxTitle)
			text = head
		}
		if len(t.evidence) == 0 {
			code = ""
		}
	default: // a call, or a post that rings: all that is needed, for whoever reads only this
		lead := slackMentions(n.People)
		if t.news != "" {
			lead = strings.TrimSpace(lead + " 📣 " + words.SlackLine(t.news, slackMaxTitle))
		}
		if lead != "" {
			head, text = lead+"\n"+head, lead+"\n"+text
		}
	}
	if quiet {
		if mentions := slackMentions(n.People); mentions != "" {
			head, text = mentions+" "+head, mentions+" "+text
		}
	}
	if head == "" {
		head, text = title, title
	}
	m := slackWords{metadata: slackMetadata(n), blocks: []slack.Block{slackSection(head)}}
	if code != "" {
		m.blocks = append(m.blocks, slackSection(words.SlackCode(code, slackMaxCode)))
		text += "\n" + words.SlackCode(code, slackMaxTitle)
	}
	if body != "" {
		m.blocks = append(m.blocks, slackSection(body))
	}
	if buttons := s.buttons(n); buttons != nil {
		m.blocks = append(m.blocks, buttons)
	}
	m.text, m.short = text, text
	if body != "" && len(text)+len(body) < slackMaxShort {
		m.short = text + "\n" + body
	}
	return m
}

// slackBody is what stands below the line: since when, what else, who has it, where to go on.
func slackBody(t *story) string {
	var lines []string
	for _, text := range []string{t.since, t.before, t.folded(), t.state, t.oncall()} {
		if text != "" {
			lines = append(lines, words.SlackLine(text, 1000))
		}
	}
	if t.runbookText != "" {
		lines = append(lines, words.SlackLine("Runbook: "+t.runbookText, 1000))
	}
	var links []string
	if t.runbook != "" {
		links = append(links, words.SlackLink(t.runbook, "Runbook"))
	}
	if t.url != "" {
		links = append(links, words.SlackLink(t.url, "Incident"))
	}
	if len(links) > 0 {
		lines = append(lines, strings.Join(links, " · "))
	}
	body := strings.Join(lines, "\n")
	for len(body) > slackMaxBody && len(lines) > 1 { // links of thousands of characters
		lines = lines[:len(lines)-1]
		body = strings.Join(lines, "\n")
	}
	return body
}

// templated puts the user's templates in place of our words, where there are some and they work. The data is escaped for
// Slack unless only a preview is wanted.
func (s *slackNotifier) templated(n *Notice, head, body string, escape bool) (string, string) {
	failed := ""
	for _, each := range []struct {
		t    *words.Template
		max  int
		into *string
	}{{s.title, slackMaxTitle, &head}, {s.text, slackMaxBody, &body}} {
		if each.t == nil {
			continue
		}
		var out string
		var err error
		if escape {
			out, err = each.t.RenderSlack(&n.Incident, s.receiver, n.URL, n.Reason, n.Now)
		} else {
			out, err = each.t.Render(words.Data(&n.Incident, s.receiver, n.URL, n.Reason, nil), n.Now, nil)
		}
		if err != nil {
			failed = "\n" + words.SlackLine("(tocsin's own words: the template of receiver "+s.receiver+" fails: "+err.Error()+")", 300)
		} else if out = strings.TrimSpace(words.CutSlack(out, each.max)); out != "" {
			*each.into = out
		}
	}
	return head, body + failed
}

// slackSection is a block of mrkdwn in which nothing becomes a link or a mention that is not written as one.
func slackSection(text string) slack.Block {
	return slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, text, false, true), nil, nil)
}

// slackMentions calls people by their ids, which the configuration holds; what is no id is left out.
func slackMentions(people []Person) string {
	var out []string
	for _, p := range people {
		switch {
		case slackUser.MatchString(p.Slack):
			out = append(out, "<@"+p.Slack+">")
		case slackGroup.MatchString(p.Slack):
			out = append(out, "<!subteam^"+p.Slack+">")
		case p.Name != "":
			out = append(out, words.SlackLine(p.Name, maxWho))
		}
	}
	return strings.Join(out, " ")
}

func slackMetadata(n *Notice) slack.SlackMetadata {
	return slack.SlackMetadata{EventType: metadataType, EventPayload: map[string]any{
		"nonce": n.Key, "incident": n.Notification.Incident, "hash": incident.HashOf(n.Notification.Incident), "kind": string(n.Kind), "state": string(n.Incident.State),
	}}
}
