package notifiers

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/setting"
	"tocsin/internal/words"
)

// Ntfy publishes to a topic of ntfy, at ntfy.sh or a server of one's own: a push on the phones of who subscribes to it. What calls
// somebody has the highest priority, which rings through a phone's "do not disturb" where its owner allows that.
type Ntfy struct {
	// URL is the server; https://ntfy.sh if left out.
	URL string `yaml:"url"`
	// Topic is where to publish to. On a server where anybody may read, whoever knows its name does.
	Topic string `yaml:"topic"`
	// TokenFile, if set, is the file that holds an access token (tk_...). It is read anew for each message.
	TokenFile string `yaml:"token_file"`
}

// Resolve makes the relative path of its file begin where the configuration is.
func (n *Ntfy) Resolve(of func(path string) string) { n.TokenFile = of(n.TokenFile) }

// Traits say that it neither edits nor rings until somebody answers.
func (n *Ntfy) Traits() Traits { return Traits{} }

var ntfyTopic = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Validate says everything that is wrong with the settings.
func (n *Ntfy) Validate() []setting.FieldError {
	var errs []setting.FieldError
	if !ntfyTopic.MatchString(n.Topic) {
		errs = append(errs, setting.FieldError{Path: "topic", Text: "is no topic of ntfy: write 1 to 64 letters, digits, - and _"})
	}
	if strings.HasPrefix(n.TokenFile, "tk_") {
		errs = append(errs, setting.FieldError{Path: "token_file", Text: "holds the token itself: write it into a file and name the file here"})
	}
	if n.URL != "" {
		if text := checkURL(n.URL); text != "" {
			errs = append(errs, setting.FieldError{Path: "url", Text: text})
		}
	}
	return errs
}

// New makes the notifier of a receiver.
func (n *Ntfy) New(receiver string) (Notifier, error) {
	s := *n
	if s.URL == "" {
		s.URL = "https://ntfy.sh"
	}
	return &ntfyNotifier{settings: s, receiver: receiver, http: boundedClient()}, nil
}

// To is the person's own topic, on the same server.
func (n *Ntfy) To(p Person) (Spec, bool) {
	if !ntfyTopic.MatchString(p.Ntfy) {
		return nil, false
	}
	own := *n
	own.Topic = p.Ntfy
	return direct{&own}, true
}

type ntfyNotifier struct {
	settings Ntfy
	receiver string
	http     *http.Client
}

// ntfyMessage is what ntfy takes at the root of the server.
type ntfyMessage struct {
	Topic    string       `json:"topic"`
	Title    string       `json:"title"`
	Message  string       `json:"message"`
	Priority int          `json:"priority"`
	Click    string       `json:"click,omitempty"`
	Actions  []ntfyAction `json:"actions,omitempty"`
	// Sequence names the notification on the phone: one of the same name takes the place of the one before. Servers before 2.16 show
	// each.
	Sequence string `json:"sequence_id"`
}

type ntfyAction struct {
	Action string `json:"action"`
	Label  string `json:"label"`
	URL    string `json:"url"`
}

// The bounds of a message in bytes: above 4,096 ntfy makes a file of it.
const (
	ntfyMaxTitle   = 900
	ntfyMaxMessage = 3900
)

// Limits are what ntfy takes of a visitor unless its owner sets others: 60 at once, then one every five seconds.
func (n *ntfyNotifier) Limits() Limits {
	name := "ntfy " + n.settings.URL
	return Limits{Account: name, Bucket: name, Every: 5 * time.Second, Burst: 60}
}

// Preview is what Send would say, as text.
func (n *ntfyNotifier) Preview(notice Notice) string {
	m := n.word(&notice)
	return m.Title + "\n" + m.Message
}

// Send publishes. The receipt is the notification's key.
func (n *ntfyNotifier) Send(ctx context.Context, notice Notice) (string, error) {
	header := http.Header{}
	token, err := authorized(n.receiver, n.settings.TokenFile, header)
	if err != nil {
		return "", err
	}
	_, err = post(ctx, n.http, notice.Now, posting{to: "ntfy for receiver " + n.receiver, method: http.MethodPost, address: setting.Secret(n.settings.URL),
		header: header, body: n.word(&notice), sent: []setting.Secret{token}})
	if err != nil {
		return "", err
	}
	return notice.Key, nil
}

func (n *ntfyNotifier) word(notice *Notice) ntfyMessage {
	t := parts(notice)
	m := ntfyMessage{Topic: n.settings.Topic, Title: words.CutBytes(t.lead(), ntfyMaxTitle), Message: words.CutBytes(t.body(), ntfyMaxMessage),
		Priority: ntfyPriority(notice), Sequence: notice.Incident.ID}
	if notice.Kind == incident.Call { // each must ring
		m.Sequence = "call-" + strings.ReplaceAll(notice.Key, ".", "-")
	}
	if !ntfyTopic.MatchString(m.Sequence) {
		m.Sequence = ""
	}
	if m.Message == "" { // ntfy would write "triggered"
		m.Message = m.Title
	}
	for _, l := range t.links {
		if l.text == "Incident" {
			m.Click = l.address
		}
		m.Actions = append(m.Actions, ntfyAction{"view", l.text, l.address})
	}
	return m
}

// ntfyPriority is 1 to 5: what calls somebody is the highest, what is over is low.
func ntfyPriority(n *Notice) int {
	switch {
	case n.Incident.State == incident.Resolved || n.Incident.State == incident.Merged || !n.Rings && n.Reason != incident.ReasonOpened:
		return 2
	case n.Kind == incident.Call || n.Incident.Severity == incident.Critical:
		return 5
	case n.Incident.Severity == incident.High:
		return 4
	case n.Incident.Severity == incident.Warning:
		return 3
	}
	return 2
}
