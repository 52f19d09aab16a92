package notifiers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"tocsin/internal/setting"
	"tocsin/internal/words"
)

// Email sends mail, as text and as HTML: the mails of one incident are one thread.
type Email struct {
	// Server is the mail server to hand the mail to, as HOST:PORT (smtp.example.com:587).
	Server string `yaml:"server"`
	// From is the sender's address, with a name before it if there is to be one: "Tocsin <tocsin@example.com>".
	From string `yaml:"from"`
	// Recipients are the addresses to send to. A mail that the server refuses for one of them is sent to none.
	Recipients []string `yaml:"to"`
	// Username and PasswordFile sign in at the server; the file is read anew for each mail.
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
	// TLS is starttls (if left out: the server must offer it), implicit (if left out at port 465), or none.
	TLS string `yaml:"tls"`
	// Roots, if set, are trusted instead of the machine's. They are set by who builds the program, not by its configuration.
	Roots *x509.CertPool `yaml:"-"`
}

// Resolve makes the relative path of its file begin where the configuration is.
func (e *Email) Resolve(of func(path string) string) { e.PasswordFile = of(e.PasswordFile) }

// Traits say that it neither rings nor edits.
func (e *Email) Traits() Traits { return Traits{} }

// Validate says everything that is wrong with the settings.
func (e *Email) Validate() []setting.FieldError {
	var errs []setting.FieldError
	add := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	if host, port, err := net.SplitHostPort(e.Server); err != nil || host == "" || !isPort(port) {
		add("server", "is no mail server: write it with its port, such as smtp.example.com:587")
	}
	if _, err := netmail.ParseAddress(e.From); err != nil {
		add("from", `is no address: write it as tocsin@example.com, or "Tocsin <tocsin@example.com>"`)
	}
	if len(e.Recipients) == 0 {
		add("to", "is missing: write the addresses to send to, as a list")
	}
	for i, to := range e.Recipients {
		if !isMailbox(to) {
			add(fmt.Sprintf("to.%d", i), "%q is no address: write it as ana@example.com", words.Clean(to, 80))
		}
	}
	switch {
	case (e.Username == "") != (e.PasswordFile == ""):
		add("password_file", "username and password_file belong together: write both, or none")
	case e.Username != "" && e.tls() == "none":
		add("tls", "none would send the password in the clear: write starttls or implicit")
	}
	if e.TLS != "" && e.TLS != "starttls" && e.TLS != "implicit" && e.TLS != "none" {
		add("tls", "%q is not known: write starttls, implicit or none", words.Clean(e.TLS, 80))
	}
	return errs
}

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

// isMailbox says whether text is an address and nothing beside it.
func isMailbox(text string) bool {
	a, err := netmail.ParseAddress(text)
	return err == nil && a.Address == text
}

// tls is how the connection is protected.
func (e *Email) tls() string {
	switch {
	case e.TLS != "":
		return e.TLS
	case strings.HasSuffix(e.Server, ":465"):
		return "implicit"
	}
	return "starttls"
}

// New makes the notifier of a receiver.
func (e *Email) New(receiver string) (Notifier, error) {
	return &emailNotifier{settings: *e, receiver: receiver}, nil
}

// To is mail to the person alone.
func (e *Email) To(p Person) (Spec, bool) {
	if !isMailbox(p.Email) {
		return nil, false
	}
	own := *e
	own.Recipients = []string{p.Email}
	return direct{&own}, true
}

type emailNotifier struct {
	settings Email
	receiver string
}

// Preview is what Send would say, as text.
func (e *emailNotifier) Preview(n Notice) string {
	l, err := letterOf(&n)
	if err != nil {
		return err.Error()
	}
	return "Subject: " + l.subject + "\n\n" + strings.TrimSuffix(l.text, "\n")
}

// Send hands one mail over to the server. The receipt is its Message-ID; an attempt that is repeated has the same, by which many servers
// know what they have.
func (e *emailNotifier) Send(ctx context.Context, n Notice) (string, error) {
	m, id, err := e.compose(&n)
	if err != nil {
		return "", Permanent{fmt.Errorf("write mail of receiver %s: %w", e.receiver, err)}
	}
	var password setting.Secret
	if e.settings.PasswordFile != "" {
		if password, err = setting.ReadSecret(e.settings.PasswordFile); err != nil {
			return "", fmt.Errorf("open password of receiver %s: %w", e.receiver, err)
		}
	}
	if err := e.hand(ctx, m, password); err != nil && !m.IsDelivered() { // what goes wrong behind the server's yes does not matter
		return "", e.verdict(err, password)
	}
	return id, nil
}

// hand gives the mail to the server within ctx, and leaves no connection behind.
func (e *emailNotifier) hand(ctx context.Context, m *mail.Msg, password setting.Secret) error {
	host, port, err := net.SplitHostPort(e.settings.Server)
	if err != nil {
		return fmt.Errorf("read server: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("read port of server: %w", err)
	}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, RootCAs: e.settings.Roots}
	dial, policy := new(net.Dialer).DialContext, mail.TLSMandatory
	switch e.settings.tls() {
	case "implicit":
		dial, policy = (&tls.Dialer{Config: config}).DialContext, mail.TLSOpportunistic
	case "none":
		policy = mail.NoTLS
	}
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			_ = c.Close() // it may be closed already
		}
	}()
	options := []mail.Option{mail.WithPort(number), mail.WithTLSPolicy(policy), mail.WithTLSConfig(config), mail.WithTimeout(time.Minute), mail.WithoutNoop(),
		mail.WithDialContextFunc(func(dialing context.Context, network, address string) (net.Conn, error) {
			c, err := dial(dialing, network, address)
			if err == nil {
				conns = append(conns, c)
				context.AfterFunc(ctx, func() { _ = c.Close() }) // the library looks at ctx only while it dials
			}
			return c, err
		})}
	if e.settings.Username != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(e.settings.Username), mail.WithPassword(password.Reveal()))
	}
	client, err := mail.NewClient(host, options...)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	if err = client.DialAndSendWithContext(ctx, m); err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

// verdict sorts what a server says: 4xx is Later, 5xx Permanent, all else unclear.
func (e *emailNotifier) verdict(err error, password setting.Secret) error {
	code := 0
	var sending *mail.SendError
	var said *textproto.Error
	switch {
	case errors.As(err, &sending) && sending.ErrorCode() != 0:
		code = sending.ErrorCode()
	case errors.As(err, &said):
		code = said.Code
	}
	text := fmt.Errorf("send mail of receiver %s: %s", e.receiver, excerpt([]byte(err.Error()), password))
	switch {
	case code/100 == 4:
		return Later{text, time.Minute}
	case code/100 == 5:
		return Permanent{text}
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", text, context.DeadlineExceeded)
	}
	return text
}
