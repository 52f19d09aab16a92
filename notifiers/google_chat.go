package notifiers

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/setting"
	"tocsin/internal/words"
)

// GoogleChat tells a space of Google Chat through an incoming webhook: one thread per incident. A webhook cannot edit, so what is new is
// said in the thread.
type GoogleChat struct {
	// URLFile is the file that holds the webhook's address (https://chat.googleapis.com/v1/spaces/...). Whoever knows it can post. It is
	// read anew for each message.
	URLFile string `yaml:"url_file"`
}

// Resolve makes the relative path of its file begin where the configuration is.
func (g *GoogleChat) Resolve(of func(path string) string) { g.URLFile = of(g.URLFile) }

// Traits say that it neither rings nor edits.
func (g *GoogleChat) Traits() Traits { return Traits{} }

// Validate says everything that is wrong with the settings.
func (g *GoogleChat) Validate() []setting.FieldError {
	return checkAddressFile(g.URLFile, "the webhook's address (in Google Chat: the space, Apps & integrations, Webhooks)")
}

// New makes the notifier of a receiver.
func (g *GoogleChat) New(receiver string) (Notifier, error) {
	return &googleChatNotifier{settings: *g, receiver: receiver, http: boundedClient()}, nil
}

type googleChatNotifier struct {
	settings GoogleChat
	receiver string
	http     *http.Client
}

// chatMessage is a message of Google Chat: a card, and what a notification shows of it.
type chatMessage struct {
	Fallback string     `json:"fallbackText"`
	Thread   chatThread `json:"thread"`
	Cards    []chatCard `json:"cardsV2"`
}

type chatThread struct {
	Key string `json:"threadKey"`
}

type chatCard struct {
	ID   string `json:"cardId"`
	Card struct {
		Header   chatHeader    `json:"header"`
		Sections []chatSection `json:"sections"`
	} `json:"card"`
}

type chatHeader struct {
	Title    string `json:"title"`
	Subtitle string `json:"subtitle,omitempty"`
}

type chatSection struct {
	Widgets []chatWidget `json:"widgets"`
}

// chatWidget is one of the two.
type chatWidget struct {
	Text    *chatText    `json:"textParagraph,omitempty"`
	Buttons *chatButtons `json:"buttonList,omitempty"`
}

type chatText struct {
	Text string `json:"text"`
}

type chatButtons struct {
	Buttons []chatButton `json:"buttons"`
}

type chatButton struct {
	Text    string      `json:"text"`
	OnClick chatOnClick `json:"onClick"`
}

type chatOnClick struct {
	OpenLink struct {
		URL string `json:"url"`
	} `json:"openLink"`
}

// Limits are those of a space: one message a second.
func (g *googleChatNotifier) Limits() Limits {
	name := "google_chat " + g.settings.URLFile
	return Limits{Account: name, Bucket: name, Every: time.Second, Burst: 1}
}

// Preview is what Send would say, as text.
func (g *googleChatNotifier) Preview(n Notice) string {
	s := tell(&n)
	return s.plain(&n)
}

// Send posts into the incident's thread, or begins it. The same notification has the same request id, so that Google Chat makes one
// message of an attempt that is repeated. The receipt is the notification's key.
func (g *googleChatNotifier) Send(ctx context.Context, n Notice) (string, error) {
	address, err := addressOf(g.receiver, "", g.settings.URLFile)
	if err != nil {
		return "", err
	}
	to, err := url.Parse(address.Reveal())
	if err != nil {
		return "", Permanent{fmt.Errorf("open url_file of receiver %s: it holds no URL", g.receiver)}
	}
	query := to.Query()
	query.Set("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD")
	query.Set("requestId", messageID(sending(&n)))
	to.RawQuery = query.Encode()
	_, err = post(ctx, g.http, n.Now, posting{to: "Google Chat for receiver " + g.receiver, method: http.MethodPost, address: setting.Secret(to.String()),
		body: g.word(&n), sent: []setting.Secret{address, setting.Secret(query.Get("key")), setting.Secret(query.Get("token"))}})
	if err != nil {
		return "", err
	}
	return n.Key, nil
}

// sending names what one attempt says: repeated, the name is the same; the next revision of a message has another.
func sending(n *Notice) string {
	if n.Kind == incident.Message {
		return fmt.Sprintf("%s/%d", n.Key, n.Wanted)
	}
	return n.Key
}

// chatSigns are what mentions are written with, in look-alikes: for what knows no escape.
var chatSigns = strings.NewReplacer("<", "‹", ">", "›")

func (g *googleChatNotifier) word(n *Notice) chatMessage {
	t := parts(n)
	m := chatMessage{Fallback: chatSigns.Replace(t.lead()), Thread: chatThread{n.Notification.Incident}, Cards: []chatCard{{ID: "incident"}}}
	card := &m.Cards[0].Card
	card.Header = chatHeader{Title: t.title, Subtitle: t.news}
	var widgets []chatWidget
	for _, text := range append([]string{t.line}, t.facts...) {
		if text != "" {
			widgets = append(widgets, chatWidget{Text: &chatText{words.HTML(text)}})
		}
	}
	if len(t.links) > 0 {
		buttons := &chatButtons{}
		for _, l := range t.links {
			b := chatButton{Text: l.text}
			b.OnClick.OpenLink.URL = l.address
			buttons.Buttons = append(buttons.Buttons, b)
		}
		widgets = append(widgets, chatWidget{Buttons: buttons})
	}
	card.Sections = []chatSection{{widgets}}
	if len(widgets) == 0 {
		card.Sections = []chatSection{}
	}
	return m
}
