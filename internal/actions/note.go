package actions

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/access"
	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// mostNote bounds a note, in bytes.
const mostNote = 4000

// Note writes down in an incident's timeline what somebody has found, also after it is over. It rings nobody; who has the incident's message
// gets it in its thread.
func (a *Actions) Note(ctx context.Context, id, by, text string, now time.Time) error {
	return a.NoteFrom(ctx, id, by, text, "", now)
}

// NoteFrom is Note of what somebody wrote in the thread of the message at a receiver: there it is not told again.
func (a *Actions) NoteFrom(ctx context.Context, id, by, text, receiver string, now time.Time) error {
	by, text = strings.TrimSpace(by), strings.TrimSpace(text)
	switch {
	case by == "" || len(by) > 200:
		return &Error{Reason: "invalid", Text: "say who you are, in at most 200 characters"}
	case text == "" || len(text) > mostNote:
		return &Error{Reason: "invalid", Text: fmt.Sprintf("write a note of 1 to %d bytes", mostNote)}
	}
	return a.store.Update(ctx, func(tx *store.Tx) error {
		inc, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := a.say(ctx, tx, now, &incident.Event{Incident: inc.ID, At: now, Kind: incident.EventNote, Text: text, By: by}, receiver); err != nil {
			return err
		}
		return access.Record(ctx, tx, now, access.Deed{Who: by, Deed: "note", About: "incident " + inc.ID, Detail: text})
	})
}

// say writes an event that changes nothing of its incident, and posts it in the threads of the incident's messages, except that at one
// receiver.
func (a *Actions) say(ctx context.Context, tx *store.Tx, now time.Time, e *incident.Event, except string) error {
	rows, err := tx.Notifications(ctx, e.Incident)
	if err == nil {
		err = tx.AppendEvent(ctx, e)
	}
	if err != nil {
		return err
	}
	traits := a.desk().Traits
	for _, m := range rows {
		if m.Kind != incident.Message || m.Target == except || !traits[m.Target].Edits || m.State == incident.Cancelled {
			continue
		}
		post := &incident.Notification{Incident: e.Incident, Target: m.Target, Kind: incident.Post, Key: m.Incident + "/" + m.Target + "/" + strconv.FormatInt(e.ID, 10),
			Reason: incident.ReasonUpdated, Event: e.ID, Text: e.Text, State: incident.Pending, CreatedAt: now, Due: now}
		if _, err := tx.AddNotification(ctx, post); err != nil {
			return err
		}
	}
	return nil
}
