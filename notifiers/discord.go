package notifiers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/setting"
	"tocsin/internal/words"
)

// Discord tells a channel of Discord through a webhook of it: one message per incident, edited as the incident goes on. What must ring
// is a message of its own.
type Discord struct {
	// URLFile is the file that holds the webhook's address (https://discord.com/api/webhooks/...; with ?thread_id= for a thread). Whoever
	// knows it can post. It is read anew for each message.
	URLFile string `yaml:"url_file"`
}

// Resolve makes the relative path of its file begin where the configuration is.
func (d *Discord) Resolve(of func(path string) string) { d.URLFile = of(d.URLFile) }

// Traits say that a message can be edited. A webhook reaches no thread of a message: what is quiet is said by the edit alone.
func (d *Discord) Traits() Traits { return Traits{Edits: true} }

// Validate says everything that is wrong with the settings.
func (d *Discord) Validate() []setting.FieldError {
	return checkAddressFile(d.URLFile, "the webhook's address (in Discord: the channel, Edit Channel, Integrations, Webhooks)")
}

// New makes the notifier of a receiver.
func (d *Discord) New(receiver string) (Notifier, error) {
	return &discordNotifier{settings: *d, receiver: receiver, http: boundedClient()}, nil
}

type discordNotifier struct {
	settings Discord
	receiver string
	http     *http.Client
}

// discordMessage is a message as a webhook takes it.
type discordMessage struct {
	Content string         `json:"content"`
	Embeds  []discordEmbed `json:"embeds"`
	// Mentions says whom the text may call: nobody.
	Mentions discordMentions `json:"allowed_mentions"`
}

type discordMentions struct {
	Parse []string `json:"parse"`
}

type discordEmbed struct {
	Description string `json:"description"`
	Color       int    `json:"color"`
}

// The bounds of a message, in characters. Discord takes 2,000 of content and 4,096 in an embed's description.
const (
	discordMaxContent = 1500
	discordMaxCode    = 1800
	discordMaxFact    = 500
	discordMaxBody    = 4000
)

var discordReceipt = regexp.MustCompile(`^[0-9]{5,25}$`)

// Limits are those of a channel's webhooks: 30 messages a minute.
func (d *discordNotifier) Limits() Limits {
	name := "discord " + d.settings.URLFile
	return Limits{Account: name, Bucket: name, Every: 2 * time.Second, Burst: 5}
}

// Preview is what Send would say, as text.
func (d *discordNotifier) Preview(n Notice) string {
	s := tell(&n)
	return s.plain(&n)
}

// Send posts the incident's message or edits it. A post that does not ring is said by the edit; one that does is a message of its own. The
// receipt is the message's id.
func (d *discordNotifier) Send(ctx context.Context, n Notice) (string, error) {
	address, err := addressOf(d.receiver, "", d.settings.URLFile)
	if err != nil {
		return "", err
	}
	switch {
	case n.Kind == incident.Message && discordReceipt.MatchString(n.Parent):
		receipt, err := d.send(ctx, &n, http.MethodPatch, address, n.Parent)
		var refused refusedWith
		if errors.As(err, &refused) && refused.status == http.StatusNotFound { // it was deleted
			return d.send(ctx, &n, http.MethodPost, address, "")
		}
		return receipt, err
	case n.Kind == incident.Post && !n.Rings && n.Parent != "", n.Kind == incident.CallAcknowledge, n.Kind == incident.CallResolve:
		return n.Parent, nil
	}
	return d.send(ctx, &n, http.MethodPost, address, "")
}

// send makes the request for a new message, or for the one that id names.
func (d *discordNotifier) send(ctx context.Context, n *Notice, method string, address setting.Secret, id string) (string, error) {
	to, err := url.Parse(address.Reveal())
	if err != nil {
		return "", Permanent{fmt.Errorf("open url_file of receiver %s: it holds no URL", d.receiver)}
	}
	query := to.Query()
	query.Set("wait", "true") // else the answer does not say which message it is
	to.RawQuery = query.Encode()
	if id != "" {
		to = to.JoinPath("messages", id)
	}
	answer, err := post(ctx, d.http, n.Now, posting{to: "Discord for receiver " + d.receiver, method: method, address: setting.Secret(to.String()),
		body: d.word(n), sent: []setting.Secret{address}})
	if err != nil {
		return "", err
	}
	var message struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(answer, &message); err != nil || !discordReceipt.MatchString(message.ID) {
		return "", fmt.Errorf("send to Discord for receiver %s: the answer names no message", d.receiver)
	}
	return message.ID, nil
}

func (d *discordNotifier) word(n *Notice) discordMessage {
	t := parts(n)
	m := discordMessage{Content: "**" + words.DiscordLine(t.title, discordMaxContent/2) + "**", Mentions: discordMentions{[]string{}}}
	if t.news != "" {
		m.Content = words.DiscordLine(t.news, discordMaxContent/2) + "\n" + m.Content
	}
	var lines []string
	if t.line != "" {
		lines = append(lines, words.DiscordCode(t.line, discordMaxCode))
	}
	for _, fact := range t.facts {
		lines = append(lines, words.DiscordLine(fact, discordMaxFact))
	}
	for _, l := range t.links {
		lines = append(lines, words.DiscordLink(l.address, l.text))
	}
	for len(lines) > 1 && len([]rune(strings.Join(lines, "\n"))) > discordMaxBody { // links of thousands of characters
		lines = lines[:len(lines)-1]
	}
	m.Embeds = []discordEmbed{}
	if len(lines) > 0 {
		m.Embeds = append(m.Embeds, discordEmbed{Description: strings.Join(lines, "\n"), Color: colour(&n.Incident)})
	}
	return m
}

// colour is the bar beside a message, as 0xRRGGBB: that of the icon.
func colour(inc *incident.Incident) int {
	if inc.State == incident.Resolved || inc.State == incident.Merged {
		return 0x2eb67d
	}
	switch inc.Severity {
	case incident.Critical:
		return 0xd92d20
	case incident.High:
		return 0xf79009
	case incident.Warning:
		return 0xfac515
	}
	return 0x2e90fa
}
