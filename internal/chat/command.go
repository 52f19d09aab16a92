package chat

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"tocsin/internal/access"
	"tocsin/internal/actions"
	"tocsin/internal/incident"
	"tocsin/internal/setting"
	"tocsin/internal/store"
	"tocsin/internal/words"
)

// help is what can be typed.
const help = "*/tocsin oncall*: who is on call now, and next\n" +
	"*/tocsin incidents*: what is open, and who has it\n" +
	"*/tocsin silence* `rule=\"prow-config-load-error\" cluster=\"prow\"` *for* `2h` *because* `it is known`\n" +
	"*/tocsin declare* `[critical|high|warning|info] [drill] [service=deck ...] what is wrong`: opens an incident, told and escalated as any other\n" +
	"*/tocsin page* `NAME what for`: calls one person, or whoever is on call in a schedule, now\n" +
	"*/tocsin help*: this"

// command is one that can be typed, and the role that it takes.
type command struct {
	need access.Role
	do   func(t *turn, ctx context.Context, rest string) (string, error)
}

// commands are what can be typed behind /tocsin.
var commands = map[string]command{
	"help":      {access.Viewer, func(t *turn, ctx context.Context, _ string) (string, error) { return t.looked(ctx, help) }},
	"oncall":    {access.Viewer, (*turn).oncall},
	"incidents": {access.Viewer, (*turn).incidents},
	"silence":   {access.Silencer, (*turn).silence},
	"declare":   {access.Responder, (*turn).declare},
	"page":      {access.Responder, (*turn).call},
}

// errUsage is that what was typed cannot be understood.
type errUsage string

func (e errUsage) Error() string { return string(e) }

// command does what was typed.
func (t *turn) command(ctx context.Context) (string, error) {
	name, rest, _ := strings.Cut(strings.TrimSpace(t.h.Text), " ")
	if name == "" {
		name = "help"
	}
	c, ok := commands[strings.ToLower(name)]
	if !ok {
		c = command{access.Viewer, func(t *turn, ctx context.Context, _ string) (string, error) {
			names := []string{}
			for known := range commands {
				names = append(names, known)
			}
			return "", errUsage(setting.Unknown("command", words.Clean(name, 40), names))
		}}
	}
	if err := t.may(c.need); err != nil {
		return "", err
	}
	text, err := c.do(t, ctx, strings.TrimSpace(rest))
	if usage := errUsage(""); errors.As(err, &usage) {
		return t.looked(ctx, words.SlackLine(err.Error(), 400)+"\n"+help)
	}
	return text, err
}

// looked is the answer to what changes nothing: that it was heard is kept all the same, so that nobody who has caught a request hears the
// answer by sending it again.
func (t *turn) looked(ctx context.Context, text string) (string, error) {
	return text, t.Store.Update(ctx, nothing)
}

// oncall says who is called.
func (t *turn) oncall(ctx context.Context, _ string) (string, error) {
	duties, err := t.Oncall(ctx, t.now)
	if err != nil {
		return "", err
	}
	if len(duties) == 0 {
		return t.looked(ctx, "There is no schedule in the configuration.")
	}
	var lines []string
	for i := range duties {
		lines = append(lines, t.duty(&duties[i]))
	}
	return t.looked(ctx, strings.Join(lines, "\n"))
}

// duty is a schedule in one line.
func (t *turn) duty(d *actions.Duty) string {
	names := func(turn actions.Turn) string {
		if len(turn.People) == 0 {
			return "nobody"
		}
		return words.SlackLine(words.Names(turn.People, 5), 300)
	}
	line := "*" + words.SlackLine(d.Schedule, 80) + "*: nobody"
	for i, turn := range d.Turns {
		switch i {
		case 0:
			line = "*" + words.SlackLine(d.Schedule, 80) + "*: " + names(turn)
		case 1:
			line += fmt.Sprintf(" until %s, then %s", words.Time(turn.From, t.now), names(turn))
		}
	}
	return line
}

// mostListed is how many incidents are listed.
const mostListed = 10

// incidents lists what is open, the gravest first.
func (t *turn) incidents(ctx context.Context, _ string) (string, error) {
	var open []incident.Incident
	err := t.Store.View(ctx, func(tx *store.Tx) (err error) {
		open, err = tx.Incidents(ctx, store.IncidentFilter{States: []incident.State{incident.Open, incident.Acknowledged}, Limit: 200})
		return err
	})
	if err != nil {
		return "", err
	}
	if len(open) == 0 {
		return t.looked(ctx, "Nothing is open.")
	}
	var lines []string
	for severity := incident.Critical; severity >= incident.Info; severity-- {
		for i := range open {
			if inc := &open[i]; inc.Severity == severity {
				lines = append(lines, t.line(inc))
			}
		}
	}
	if more := len(lines) - mostListed; more > 0 {
		lines = append(lines[:mostListed], words.SlackLink(t.URL(""), fmt.Sprintf("and %d more", more)))
	}
	return t.looked(ctx, strings.Join(lines, "\n"))
}

// line is an incident in one line.
func (t *turn) line(inc *incident.Incident) string {
	has := "nobody has it"
	if a := inc.Acknowledgement; a != nil {
		has = a.By + " has it"
	}
	return fmt.Sprintf("• *%s* %s · since %s · %s · %s", inc.Severity, words.SlackLine(inc.Title, 180), words.Time(inc.FirstEntry, t.now), words.SlackLine(has, 80),
		words.SlackLink(t.URL(inc.ID), inc.ID[:min(10, len(inc.ID))]))
}

var (
	// matcher is one of a silence, with its quotation marks.
	matcher = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(?:=~|!~|!=|=)(?:"(?:[^"\\]|\\.)*"|[^\s",]+)[\s,]*`)
	// forHow is how long, and why.
	forHow = regexp.MustCompile(`(?is)^for\s+(\S+)(?:\s+because\s+(.*))?$`)
)

// silence makes one: MATCHER... for LENGTH because WHY.
func (t *turn) silence(ctx context.Context, rest string) (string, error) {
	s := incident.Silence{Owner: t.who.Name, Starts: t.now}
	for {
		m := matcher.FindString(rest)
		if m == "" {
			break
		}
		s.Matchers = append(s.Matchers, strings.TrimRight(m, " \t\n,"))
		rest = rest[len(m):]
	}
	how := forHow.FindStringSubmatch(rest)
	switch {
	case len(s.Matchers) == 0:
		return "", errUsage("Say what is to be silent.")
	case how == nil:
		return "", errUsage("Say for how long, and why: for 2h because it is known.")
	case strings.TrimSpace(how[2]) == "":
		return "", errUsage("Say why: because it is known. Others will ask.")
	}
	var length setting.Duration
	if err := length.UnmarshalText([]byte(how[1])); err != nil || length <= 0 {
		return "", errUsage(fmt.Sprintf("%q is no length: write it as 30m, 2h or 1d.", words.Clean(how[1], 40)))
	}
	s.Ends, s.Reason = t.now.Add(length.Std()), words.Clean(how[2], 300)
	made, affected, err := t.Actions.AddSilence(ctx, s, t.now)
	if err != nil {
		return "", err
	}
	hides := 0
	for _, a := range affected {
		if a.Hidden && (a.Incident.State == incident.Open || a.Incident.State == incident.Acknowledged) {
			hides++
		}
	}
	return fmt.Sprintf("%s It hides %d of what is open now.", t.silenced(&made), hides), nil
}

// label is one that somebody gives to what they declare.
var label = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=\S+$`)

// declaration reads [severity] [drill] [label=value ...] TITLE.
func (t *turn) declaration(rest string) (incident.Declaration, error) {
	d := incident.Declaration{By: t.who.Name, Labels: incident.Labels{}, Description: "in Slack"}
	for first := true; ; {
		word, more, _ := strings.Cut(rest, " ")
		var severity incident.Severity
		switch {
		case first && severity.UnmarshalText([]byte(strings.ToLower(word))) == nil:
			d.Severity, first = severity, false
		case strings.EqualFold(strings.TrimSuffix(word, ":"), "drill"):
			d.Labels[incident.DrillLabel] = "true"
		case label.MatchString(word):
			name, value, _ := strings.Cut(word, "=")
			d.Labels[name] = strings.Trim(value, `"`)
		case strings.HasPrefix(word, "--") || strings.HasPrefix(word, "—"): // as on the command line, where a phone makes one dash of two
			return d, errUsage("There are no flags here: write critical, high, warning or info alone, then labels such as service=deck, then what is wrong.")
		default:
			if d.Title = words.Clean(rest, 180); d.Title == "" {
				return d, errUsage("Say what is wrong.")
			}
			return d, nil
		}
		rest = strings.TrimSpace(more)
	}
}

// declare opens an incident.
func (t *turn) declare(ctx context.Context, rest string) (string, error) {
	d, err := t.declaration(rest)
	if err != nil {
		return "", err
	}
	id, err := t.Actions.Declare(ctx, d, t.now)
	if err != nil {
		return "", err
	}
	return "Declared: " + words.SlackLink(t.URL(id), d.Title), nil
}

// call calls somebody.
func (t *turn) call(ctx context.Context, rest string) (string, error) {
	who, text, _ := strings.Cut(rest, " ")
	if who = strings.TrimPrefix(who, "@"); who == "" {
		return "", errUsage("Say who is to be called, and what for.")
	}
	for _, p := range t.People() {
		if p.Slack == who {
			who = p.Name
		}
	}
	d, err := t.declaration(strings.TrimSpace(text))
	if err != nil {
		return "", errUsage("Say what they are called for.")
	}
	id, called, err := t.Actions.Call(ctx, who, d, t.now)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is called: %s", words.SlackLine(words.Names(called, 5), 300), words.SlackLink(t.URL(id), d.Title)), nil
}
