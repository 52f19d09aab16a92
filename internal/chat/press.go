package chat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin/internal/access"
	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/internal/words"
	"tocsin/notifiers"
)

// needs are the roles that the buttons take.
var needs = map[string]access.Role{
	notifiers.ButtonAcknowledge: access.Responder, notifiers.ButtonResolve: access.Responder, notifiers.ButtonEscalate: access.Responder,
	notifiers.ButtonSilence1h: access.Silencer, notifiers.ButtonSilence8h: access.Silencer, notifiers.ButtonNotUseful: access.Silencer,
}

// press does what a button says.
func (t *turn) press(ctx context.Context) (string, error) {
	need, ok := needs[t.h.Button]
	if !ok {
		return "This button is of another version of tocsin.", nil
	}
	if err := t.may(need); err != nil {
		return "", err
	}
	id, by := t.h.Incident, t.who.Name
	switch t.h.Button {
	case notifiers.ButtonAcknowledge:
		return t.acknowledge(ctx)
	case notifiers.ButtonResolve:
		return "Resolved. What still fires in ten minutes reopens it.", t.Actions.Resolve(ctx, id, by, t.now)
	case notifiers.ButtonEscalate:
		return "The next step of its escalation is taken now.", t.Actions.Escalate(ctx, id, by, t.now)
	case notifiers.ButtonSilence1h:
		return t.hush(ctx, time.Hour)
	case notifiers.ButtonSilence8h:
		return t.hush(ctx, 8*time.Hour)
	}
	s, err := t.Actions.NotUseful(ctx, id, by, func(a *incident.Alert) string { return t.Proof(a, by, t.now) }, t.Morning(t.now), t.now)
	if err != nil {
		return "", err
	}
	return t.silenced(&s) + " The case to mend the rule by is in the thread.", nil
}

// acknowledge takes an incident, and says from whom.
func (t *turn) acknowledge(ctx context.Context) (string, error) {
	if err := t.Actions.Acknowledge(ctx, t.h.Incident, t.who.Name, t.now); err != nil {
		return "", err
	}
	text := "You have it"
	err := t.Store.View(ctx, func(tx *store.Tx) error {
		inc, err := tx.FindIncident(ctx, t.h.Incident)
		if ack := inc.Acknowledgement; err == nil && ack != nil && ack.By == t.who.Name && ack.From != "" {
			text += ", taken over from " + words.SlackLine(ack.From, 80)
		}
		return err
	})
	if err != nil { // it is done all the same
		t.Log.Warn("cannot say from whom an incident was taken over", "incident", t.h.Incident, "error", err)
	}
	return text + ": nobody is called any more until something new happens.", nil
}

// hush silences an incident for a time.
func (t *turn) hush(ctx context.Context, length time.Duration) (string, error) {
	made, err := t.Actions.Hush(ctx, t.h.Incident, t.who.Name, "silenced in Slack for "+words.Duration(length), t.now.Add(length), t.now)
	if err != nil {
		return "", err
	}
	text := t.silenced(&made[0])
	if more := len(made) - 1; more > 0 {
		text += fmt.Sprintf(" So are %d more of it.", more)
	}
	return text, nil
}

// silenced says what a silence hides, and until when.
func (t *turn) silenced(s *incident.Silence) string {
	return fmt.Sprintf("Silenced until %s, as silence %d: %s.", words.Time(s.Ends, t.now), s.ID, words.SlackLine(strings.Join(s.Matchers, ", "), 600))
}

// mostWritten is how much of a note is kept, in characters.
const mostWritten = 1300

// note keeps what was written in the thread of an incident's message in its timeline. What is written elsewhere is none of ours.
func (t *turn) note(ctx context.Context) (string, error) {
	var of incident.Notification
	err := t.Store.View(ctx, func(tx *store.Tx) (err error) {
		of, err = tx.MessageAt(ctx, t.h.Message)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if err := t.may(access.Responder); err != nil {
		return "", err
	}
	text := t.h.Text
	for _, p := range t.People() {
		if p.Slack != "" {
			text = strings.ReplaceAll(text, "@"+p.Slack, "@"+p.Name)
		}
	}
	text = words.Block(text, mostWritten)
	if t.h.Edited {
		text = "(edited) " + text
	}
	return "", t.Actions.NoteFrom(ctx, of.Incident, t.who.Name, text, of.Target, t.now)
}
