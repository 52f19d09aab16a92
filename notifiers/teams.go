package notifiers

import (
	"context"
	"net/http"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/setting"
)

// Teams tells a channel of Microsoft Teams through a workflow ("Post to a channel when a webhook request is received"), as an adaptive
// card. A workflow can neither edit nor reply: what is new is a card of its own.
type Teams struct {
	// URLFile is the file that holds the workflow's address. Whoever knows it can post. It is read anew for each message.
	URLFile string `yaml:"url_file"`
}

// Resolve makes the relative path of its file begin where the configuration is.
func (t *Teams) Resolve(of func(path string) string) { t.URLFile = of(t.URLFile) }

// Traits say that it neither rings nor edits.
func (t *Teams) Traits() Traits { return Traits{} }

// Validate says everything that is wrong with the settings.
func (t *Teams) Validate() []setting.FieldError {
	return checkAddressFile(t.URLFile, "the workflow's address (in Teams: the channel, Workflows, Post to a channel when a webhook request is received)")
}

// New makes the notifier of a receiver.
func (t *Teams) New(receiver string) (Notifier, error) {
	return &teamsNotifier{settings: *t, receiver: receiver, http: boundedClient()}, nil
}

type teamsNotifier struct {
	settings Teams
	receiver string
	http     *http.Client
}

// teamsMessage is a message with one card.
type teamsMessage struct {
	Type        string            `json:"type"`
	Summary     string            `json:"summary"`
	Attachments []teamsAttachment `json:"attachments"`
}

type teamsAttachment struct {
	ContentType string    `json:"contentType"`
	Content     teamsCard `json:"content"`
}

type teamsCard struct {
	Schema  string        `json:"$schema"`
	Type    string        `json:"type"`
	Version string        `json:"version"`
	Teams   teamsWidth    `json:"msteams"`
	Body    []teamsBlock  `json:"body"`
	Actions []teamsAction `json:"actions,omitempty"`
}

type teamsWidth struct {
	Width string `json:"width"`
}

// teamsBlock is a RichTextBlock: unlike a TextBlock it takes its text as it is, and knows no markdown in it.
type teamsBlock struct {
	Type    string     `json:"type"`
	Inlines []teamsRun `json:"inlines"`
}

type teamsRun struct {
	Type   string `json:"type"`
	Text   string `json:"text"`
	Weight string `json:"weight,omitempty"`
	Color  string `json:"color,omitempty"`
	Font   string `json:"fontType,omitempty"`
}

type teamsAction struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

// Limits are those of a workflow's address: four requests a second.
func (t *teamsNotifier) Limits() Limits {
	name := "teams " + t.settings.URLFile
	return Limits{Account: name, Bucket: name, Every: time.Second, Burst: 4}
}

// Preview is what Send would say, as text.
func (t *teamsNotifier) Preview(n Notice) string {
	s := tell(&n)
	return s.plain(&n)
}

// Send posts a card. The receipt is the notification's key.
func (t *teamsNotifier) Send(ctx context.Context, n Notice) (string, error) {
	address, err := addressOf(t.receiver, "", t.settings.URLFile)
	if err != nil {
		return "", err
	}
	if _, err = post(ctx, t.http, n.Now, posting{to: "Teams for receiver " + t.receiver, method: http.MethodPost, address: address, body: t.word(&n)}); err != nil {
		return "", err
	}
	return n.Key, nil
}

func (t *teamsNotifier) word(n *Notice) teamsMessage {
	p := parts(n)
	card := teamsCard{Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.4", Teams: teamsWidth{"Full"}}
	say := func(run teamsRun) {
		if run.Type = "TextRun"; run.Text != "" {
			card.Body = append(card.Body, teamsBlock{"RichTextBlock", []teamsRun{run}})
		}
	}
	say(teamsRun{Text: p.news})
	say(teamsRun{Text: p.title, Weight: "Bolder", Color: teamsColor(&n.Incident)})
	say(teamsRun{Text: p.line, Font: "Monospace"})
	for _, fact := range p.facts {
		say(teamsRun{Text: fact})
	}
	for _, l := range p.links {
		card.Actions = append(card.Actions, teamsAction{"Action.OpenUrl", l.text, l.address})
	}
	return teamsMessage{"message", p.lead(), []teamsAttachment{{"application/vnd.microsoft.card.adaptive", card}}}
}

// teamsColor is the headline's colour, of those that cards know.
func teamsColor(inc *incident.Incident) string {
	switch {
	case inc.State == incident.Resolved || inc.State == incident.Merged:
		return "Good"
	case inc.Severity >= incident.High:
		return "Attention"
	case inc.Severity == incident.Warning:
		return "Warning"
	}
	return "Accent"
}
