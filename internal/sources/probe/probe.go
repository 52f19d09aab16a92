package probe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tocsin/internal/logs"
)

// Source probes. Make it with New.
type Source struct {
	name, project string
	settings      Settings
	checks        checks
	client        *http.Client
	control       *http.Client
	tell          func(error)
	spoken        string
}

// New makes the source of that name whose entries are of project. transport nil means the network; tell hears why a probe is
// blind, and nil when it sees again. The settings must be valid.
func New(name, project string, s Settings, transport http.RoundTripper, tell func(error)) (*Source, error) {
	if project == "" {
		return nil, fmt.Errorf("source %s: a probe's entries need a project: set `project` in the configuration", name)
	}
	c, err := newChecks(&s)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", name, err)
	}
	return &Source{name: name, project: project, settings: s, checks: c, client: newClient(transport, s.FollowRedirects),
		control: newClient(transport, false), tell: tell}, nil
}

// Read probes at once and then every so often, and sends an entry for each until ctx ends. It needs no cursor and is always
// caught up.
func (s *Source) Read(ctx context.Context, _ logs.Cursor, out chan<- logs.Batch) error {
	tick := time.NewTicker(s.settings.Every.Std())
	defer tick.Stop()
	for n := int64(0); ; n++ {
		b := s.probe(ctx)
		if ctx.Err() != nil {
			return nil // what it saw was its own end
		}
		b.Offset = n
		select {
		case out <- b:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// outcome is what one probe observed.
type outcome struct {
	result
	error string // why it is not well; "" when it is
	cause string
	blind bool
}

// probe makes one request and, when it fails, asks the control target.
func (s *Source) probe(ctx context.Context) logs.Batch {
	o := s.ask(ctx)
	if o.error != "" && !o.blind && s.settings.Control != "" {
		if why := s.askControl(ctx); why != "" {
			o.blind = true
			o.error += "; the control target fails too: " + why
		}
	}
	if ctx.Err() == nil {
		s.speak(o)
	}
	now := time.Now()
	return logs.Batch{Source: s.name, Data: append(s.entry(o, now), '\n'), Received: now, CaughtUp: true, Blind: o.blind}
}

func (s *Source) ask(ctx context.Context) outcome {
	req, err := s.settings.newRequest(ctx)
	if err != nil { // its own trouble, such as a secret that cannot be read: this says nothing of the service
		return outcome{result: result{start: time.Now()}, error: err.Error(), cause: "request", blind: true}
	}
	o := outcome{result: attempt(ctx, s.client, req, s.settings.Timeout.Std())}
	o.error, o.cause = s.checks.judge(o.result)
	o.blind = o.cause == "denied"
	return o
}

// askControl says why the control target does not answer; "" if it does.
func (s *Source) askControl(ctx context.Context) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.settings.Control, nil)
	if err != nil {
		return err.Error()
	}
	req.Header.Set("User-Agent", s.settings.UserAgent)
	r := attempt(ctx, s.control, req, s.settings.Timeout.Std())
	switch {
	case r.status == 0:
		return r.err.Error()
	case r.status >= 500:
		return fmt.Sprintf("status %d", r.status)
	default:
		return ""
	}
}

// speak tells of blindness when that has changed.
func (s *Source) speak(o outcome) {
	text := ""
	if o.blind {
		text = fmt.Sprintf("source %s: probe %s: %s", s.name, s.settings.URL, o.error)
	}
	if text == s.spoken || s.tell == nil {
		return
	}
	s.spoken = text
	if text == "" {
		s.tell(nil)
		return
	}
	s.tell(errors.New(text))
}

const (
	errorBytes   = 500
	excerptBytes = 256
)

// entry writes what was observed as a LogEntry, in the form that design promises to rules.
func (s *Source) entry(o outcome, now time.Time) []byte {
	request := []logs.Member{
		{Name: "requestMethod", Value: text(s.settings.method())},
		{Name: "requestUrl", Value: text(s.settings.URL)},
	}
	if o.status != 0 {
		request = append(request, logs.Member{Name: "status", Value: number(o.status)})
	}
	request = append(request,
		logs.Member{Name: "latency", Value: text(fmt.Sprintf("%.6fs", o.latency.Seconds()))},
		logs.Member{Name: "userAgent", Value: text(s.settings.UserAgent)})
	severity := "INFO"
	switch {
	case o.blind:
		severity = "WARNING"
	case o.error != "":
		severity = "ERROR"
	}
	stamp := func(t time.Time) logs.Value { return text(t.UTC().Format(time.RFC3339Nano)) }
	id := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%d", s.project, s.name, s.settings.URL, o.start.UnixNano()))
	entry := object(
		logs.Member{Name: "logName", Value: text("projects/" + s.project + "/logs/tocsin%2Fprobe")},
		logs.Member{Name: "resource", Value: object(
			logs.Member{Name: "type", Value: text("uptime_url")},
			logs.Member{Name: "labels", Value: object(
				logs.Member{Name: "project_id", Value: text(s.project)},
				logs.Member{Name: "host", Value: text(hostPort(s.settings.URL))})})},
		logs.Member{Name: "labels", Value: object(logs.Member{Name: "probe", Value: text(s.name)})},
		logs.Member{Name: "severity", Value: text(severity)},
		logs.Member{Name: "httpRequest", Value: object(request...)},
		logs.Member{Name: "jsonPayload", Value: s.payload(o)},
		logs.Member{Name: "timestamp", Value: stamp(o.start)},
		logs.Member{Name: "receiveTimestamp", Value: stamp(now)},
		logs.Member{Name: "insertId", Value: text(hex.EncodeToString(id[:10]))},
	)
	return entry.AppendJSON(nil)
}

func (s *Source) payload(o outcome) logs.Value {
	p := []logs.Member{{Name: "probe", Value: text(s.name)}}
	if o.blind {
		p = append(p, logs.Member{Name: "blind", Value: logs.Value{Kind: logs.Bool, Bool: true}})
	} else {
		p = append(p, logs.Member{Name: "success", Value: logs.Value{Kind: logs.Bool, Bool: o.error == ""}})
	}
	p = append(p, logs.Member{Name: "error", Value: text(bounded(o.error, errorBytes))})
	if o.cause != "" {
		p = append(p, logs.Member{Name: "cause", Value: text(o.cause)})
	}
	if o.tlsDaysLeft != nil {
		p = append(p, logs.Member{Name: "tlsDaysLeft", Value: number(*o.tlsDaysLeft)})
	}
	p = append(p, logs.Member{Name: "answeredBy", Value: text(answeredBy(o.result))})
	if o.error != "" && len(o.body) > 0 {
		p = append(p, logs.Member{Name: "body", Value: text(bounded(string(o.body[:min(len(o.body), 4*excerptBytes)]), excerptBytes))})
	}
	var phases []logs.Member
	for _, ph := range o.phases {
		ms := strconv.FormatFloat(float64(ph.took.Microseconds())/1000, 'f', -1, 64)
		phases = append(phases, logs.Member{Name: ph.name, Value: logs.Value{Kind: logs.Number, Str: ms}})
	}
	p = append(p, logs.Member{Name: "phases", Value: object(phases...)})
	return object(p...)
}

// hostPort is the host of a URL, with its port if it names one.
func hostPort(url string) string {
	_, rest, _ := strings.Cut(url, "//")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// bounded makes one line of at most n bytes of a text that came from outside.
func bounded(s string, n int) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\ufffd"), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if len(s) <= n {
		return s
	}
	s = s[:n]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}

func text(s string) logs.Value           { return logs.Value{Kind: logs.String, Str: s} }
func number(n int) logs.Value            { return logs.Value{Kind: logs.Number, Str: strconv.Itoa(n)} }
func object(m ...logs.Member) logs.Value { return logs.Value{Kind: logs.Object, Members: m} }
