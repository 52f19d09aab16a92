package notifiers_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/notifiers"
)

// postOffice is a mail server that takes mail over STARTTLS from who signs in as tocsin, and writes down what it was told.
type postOffice struct {
	address string
	roots   *x509.CertPool
	// answers are the replies to verbs, in the place of the good ones; "hang" as one says nothing more, "drop" ends the connection.
	answers map[string]string
	// implicit says that TLS begins with the connection, plain that there is none.
	implicit, plain bool

	mu    sync.Mutex
	log   bytes.Buffer
	mails []string
}

func newPostOffice(t *testing.T, p *postOffice) *postOffice {
	t.Helper()
	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS()
	t.Cleanup(certified.Close)
	p.roots = x509.NewCertPool()
	p.roots.AddCert(certified.Certificate())
	config := &tls.Config{Certificates: certified.TLS.Certificates}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = l.Addr().String()
	var open sync.WaitGroup
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop); l.Close(); open.Wait() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer conn.Close()
				p.serve(conn, config, stop)
			})
		}
	}()
	return p
}

func (p *postOffice) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(&p.log, format+"\n", args...)
}

// serve speaks SMTP until the other side ends.
func (p *postOffice) serve(conn net.Conn, config *tls.Config, stop <-chan struct{}) {
	if p.implicit {
		conn = tls.Server(conn, config)
	}
	encrypted := p.implicit
	in := bufio.NewReader(conn)
	say := func(text string) { _, _ = io.WriteString(conn, strings.ReplaceAll(text, "\n", "\r\n")+"\r\n") }
	say("220 mail.example.com ESMTP")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, rest, _ := strings.Cut(line, " ")
		verb = strings.ToUpper(verb)
		switch answer := p.answers[verb]; {
		case answer == "hang":
			<-stop
			return
		case answer == "drop":
			return
		case answer != "":
			say(answer)
			continue
		}
		switch verb {
		case "EHLO":
			offer := "250-mail.example.com\n"
			if !encrypted && !p.plain {
				offer += "250-STARTTLS\n"
			}
			if encrypted {
				offer += "250-AUTH PLAIN LOGIN\n"
			}
			say(offer + "250 ENHANCEDSTATUSCODES")
			continue
		case "STARTTLS":
			say("220 go on")
			conn, encrypted = tls.Server(conn, config), true
			in = bufio.NewReader(conn)
			p.note("STARTTLS")
			continue
		case "AUTH":
			_, token, _ := strings.Cut(rest, " ")
			user, err := base64.StdEncoding.DecodeString(token)
			p.note("AUTH %s", strings.ReplaceAll(string(user), "\x00", " "))
			if err != nil || string(user) != "\x00tocsin\x00xoxb-the-token" {
				say("535 5.7.8 no, not with xoxb-other")
				continue
			}
			say("235 2.7.0 welcome")
			continue
		case "DATA":
			say("354 go on")
			mail := p.data(in)
			if answer := p.answers["."]; answer == "drop" {
				return
			} else if answer != "" {
				say(answer)
				continue
			}
			p.mu.Lock()
			p.mails = append(p.mails, mail)
			p.mu.Unlock()
		case "QUIT":
			say("221 bye")
			return
		case "MAIL", "RCPT":
			p.note("%s", line)
		}
		say("250 2.0.0 ok")
	}
}

// data reads a mail up to its dot.
func (p *postOffice) data(in *bufio.Reader) string {
	var b strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == ".\r\n" {
			break
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
	mail := strings.ReplaceAll(b.String(), "\r\n", "\n")
	p.note("%s", mail)
	return mail
}

func (p *postOffice) heard() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// emailTo makes the receiver ops, whose mail goes to p.
func emailTo(t *testing.T, p *postOffice, change func(*notifiers.Email)) notifiers.Notifier {
	t.Helper()
	spec := &notifiers.Email{Server: p.address, From: "Tocsin <tocsin@example.com>", Recipients: []string{"ana@example.com", "ben@example.com"},
		Username: "tocsin", PasswordFile: secretFile(t, "xoxb-the-token"), Roots: p.roots}
	if change != nil {
		change(spec)
	}
	if errs := spec.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	n, err := spec.New("ops")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEmailVerdicts(t *testing.T) {
	for _, c := range []struct {
		verb, answer, want string
	}{
		{"", "", "receipt <"},
		{"AUTH", "535 5.7.8 wrong password xoxb-the-token", "permanent: send mail of receiver ops"},
		{"AUTH", "454 4.7.0 later", "later, after 1m0s"},
		{"MAIL", "550 5.7.1 not you", "permanent"},
		{"RCPT", "550 5.1.1 nobody of that name", "permanent"},
		{"RCPT", "450 4.2.0 greylisted", "later, after 1m0s"},
		{".", "554 5.7.1 this is spam", "permanent"},
		{".", "451 4.3.0 queue is full", "later"},
		{".", "drop", "unclear"}, // it may have been taken
		{"QUIT", "drop", "receipt <"},
		{"RSET", "drop", "receipt <"}, // the mail was taken before
		{"EHLO", "drop", "unclear"},
		{"STARTTLS", "drop", "unclear"},
	} {
		p := newPostOffice(t, &postOffice{answers: map[string]string{c.verb: c.answer}})
		got := outcome(emailTo(t, p, nil).Send(t.Context(), notice("config", incident.Message, "m-1")))
		if !strings.HasPrefix(got, c.want) || strings.Contains(got, "the-token") {
			t.Errorf("%s %s: %swant %s", c.verb, c.answer, got, c.want)
		}
	}
}

func TestEmailProtected(t *testing.T) {
	n := notice("config", incident.Message, "m-1")
	implicit := newPostOffice(t, &postOffice{implicit: true})
	send(t, emailTo(t, implicit, func(e *notifiers.Email) { e.TLS = "implicit" }), n)
	bare := newPostOffice(t, &postOffice{plain: true})
	if _, err := emailTo(t, bare, nil).Send(t.Context(), n); err == nil || strings.Contains(bare.heard(), "MAIL") || strings.Contains(bare.heard(), "AUTH") {
		t.Errorf("a server without STARTTLS is sent nothing: %v, %s", err, bare.heard())
	}
	send(t, emailTo(t, bare, func(e *notifiers.Email) { e.TLS, e.Username, e.PasswordFile = "none", "", "" }), n)
	strange := newPostOffice(t, &postOffice{})
	if _, err := emailTo(t, strange, func(e *notifiers.Email) { e.Roots = x509.NewCertPool() }).Send(t.Context(), n); err == nil || strings.Contains(strange.heard(), "AUTH") {
		t.Errorf("a certificate that nobody vouches for: %v, %s", err, strange.heard())
	}
	slow := newPostOffice(t, &postOffice{answers: map[string]string{"MAIL": "hang"}})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := emailTo(t, slow, nil).Send(ctx, n); !errors.Is(err, context.DeadlineExceeded) || notifiers.IsPermanent(err) {
		t.Errorf("a server that says nothing more: %v", err)
	}
}

// TestEmailThread: the mails of an incident refer to the first, their subject stays, and one that is repeated is the same.
func TestEmailThread(t *testing.T) {
	p := newPostOffice(t, &postOffice{})
	ops := emailTo(t, p, nil)
	n := notice("config", incident.Message, "m-1")
	n.Incident.Title = "hook\r\nBcc: everybody@example.com\r\n\r\nis down \u202e<b> =?utf-8?q?=E2=80=AEpaid?="
	n.Wanted = 1
	send(t, ops, n)
	send(t, ops, n)
	n.Wanted, n.SentRevision, n.Reason, n.Incident.State = 2, 1, incident.ReasonResolved, incident.Resolved
	send(t, ops, n)
	call := n
	call.Kind, call.Key, call.Text = incident.Call, n.Incident.ID+".2", "nobody acknowledged"
	send(t, ops, call)
	var ids, subjects []string
	for i, text := range p.mails {
		m, err := netmail.ReadMessage(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(subject, "= ?utf-8?q?=E2=80=AEpaid?=") {
			t.Errorf("an encoded word of the log's is decoded: %q", subject)
		}
		ids, subjects = append(ids, m.Header.Get("Message-Id")), append(subjects, subject)
		if refers := m.Header.Get("References"); i > 1 && (refers != ids[0] || m.Header.Get("In-Reply-To") != ids[0]) {
			t.Errorf("mail %d refers to %q, want %q", i, refers, ids[0])
		}
		if m.Header.Get("Bcc") != "" || m.Header.Get("To") != "<ana@example.com>, <ben@example.com>" {
			t.Errorf("headers of the log's: %v", m.Header)
		}
		for kind, part := range bodies(t, m) {
			if strings.ContainsAny(part, "\u202e\x1b") || strings.Contains(kind, "html") && strings.Contains(part, "<b>") {
				t.Errorf("%s: %s", kind, part)
			}
		}
	}
	if len(ids) != 4 || ids[0] != ids[1] || ids[2] == ids[0] || ids[3] == ids[2] || subjects[2] != "Re: "+subjects[0] || subjects[3] != subjects[2] {
		t.Errorf("ids %q, subjects %q", ids, subjects)
	}
}

// bodies are a mail's parts by their type.
func bodies(t *testing.T, m *netmail.Message) map[string]string {
	t.Helper()
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		out[part.Header.Get("Content-Type")] = string(text)
	}
	if len(out) != 2 {
		t.Errorf("a text and a HTML part are wanted: %v", out)
	}
	return out
}
