package notifiers

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"html/template"
	netmail "net/mail"
	"strings"

	"github.com/wneessen/go-mail"

	"tocsin/internal/incident"
	"tocsin/internal/words"
)

// letter is what a mail says.
type letter struct{ subject, text, html string }

// letterPage is a mail's HTML: no image, nothing that is loaded, readable where styles are taken out.
var letterPage = template.Must(template.New("letter").Parse(`<div style="font-family:sans-serif;font-size:15px;max-width:46em">
{{if .News}}<p>{{.News}}</p>
{{end}}<p style="font-size:18px"><strong>{{.Title}}</strong></p>
{{if .Line}}<pre style="white-space:pre-wrap;word-break:break-word;background:#f2f4f7;color:#101828;padding:10px">{{.Line}}</pre>
{{end}}{{range .Facts}}<p>{{.}}</p>
{{end}}{{if .Links}}<p>{{range $i, $l := .Links}}{{if $i}} · {{end}}<a href="{{$l.Address}}">{{$l.Text}}</a>{{end}}</p>
{{end}}</div>
`))

// letterOf words a mail. Its subject is the incident's title and nothing of its state: mail programs make a thread of
// what has one subject.
func letterOf(n *Notice) (letter, error) {
	t := parts(n)
	type shownLink struct{ Text, Address string }
	shown := struct {
		News, Title, Line string
		Facts             []string
		Links             []shownLink
	}{News: t.news, Title: t.title, Line: t.line, Facts: t.facts}
	for _, l := range t.links {
		shown.Links = append(shown.Links, shownLink{l.text, l.address})
	}
	var html bytes.Buffer
	if err := letterPage.Execute(&html, shown); err != nil {
		return letter{}, fmt.Errorf("write HTML: %w", err)
	}
	title := words.Clean(n.Incident.Title, maxTitle)
	if title == "" {
		title = "incident " + n.Incident.ID
	}
	switch {
	case alone(n):
		title = words.Clean(n.Event.Text, maxTitle)
	case !isFirst(n):
		title = "Re: " + title
	}
	title = strings.ReplaceAll(title, "=?", "= ?") // an encoded word would be read as what it encodes
	var text []string
	for _, each := range []string{t.news, t.title, t.body()} {
		if each != "" {
			text = append(text, each)
		}
	}
	return letter{subject: title, text: strings.Join(text, "\n") + "\n", html: html.String()}, nil
}

// isFirst says whether a mail begins the incident's thread.
func isFirst(n *Notice) bool {
	return n.Kind == incident.Message && n.SentRevision == 0 && n.Reason == incident.ReasonOpened
}

// alone says whether a mail stands in no thread: it is of several incidents.
func alone(n *Notice) bool { return n.Event.Kind == incident.EventShift }

// compose makes the mail of a notice, and its Message-ID.
func (e *emailNotifier) compose(n *Notice) (*mail.Msg, string, error) {
	l, err := letterOf(n)
	if err != nil {
		return nil, "", err
	}
	from, err := netmail.ParseAddress(e.settings.From)
	if err != nil {
		return nil, "", fmt.Errorf("read sender: %w", err)
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	sum := sha256.Sum256([]byte(sending(n)))
	root := n.Incident.ID + "@tocsin." + domain
	id := fmt.Sprintf("%s.%x@tocsin.%s", n.Incident.ID, sum[:8], domain)
	if isFirst(n) {
		id = root
	}
	boundary := sha256.Sum256([]byte(id + l.text + l.html)) // nobody can write it into the text
	m := mail.NewMsg(mail.WithNoDefaultUserAgent(), mail.WithBoundary(fmt.Sprintf("%x", boundary[:15])))
	if err := m.From(e.settings.From); err != nil {
		return nil, "", fmt.Errorf("write sender: %w", err)
	}
	if err := m.To(e.settings.Recipients...); err != nil {
		return nil, "", fmt.Errorf("write recipients: %w", err)
	}
	m.Subject(l.subject)
	m.SetDateWithValue(n.Now.UTC())
	m.SetMessageIDWithValue(id)
	if id != root && !alone(n) {
		m.SetGenHeader(mail.HeaderInReplyTo, "<"+root+">")
		m.SetGenHeader(mail.HeaderReferences, "<"+root+">")
	}
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader(mail.HeaderXAutoResponseSuppress, "All")
	if n.Rings && (n.Kind == incident.Call || n.Incident.Severity == incident.Critical) {
		m.SetImportance(mail.ImportanceHigh)
	}
	m.SetBodyString(mail.TypeTextPlain, l.text)
	m.AddAlternativeString(mail.TypeTextHTML, l.html)
	return m, "<" + id + ">", nil
}
