package actions

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin/internal/access"
	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// mostNote bounds a note, in bytes.
const mostNote = 4000

// Note writes down in an incident's timeline what somebody has found, also after it is over. It tells nobody.
func (a *Actions) Note(ctx context.Context, id, by, text string, now time.Time) error {
	by, text = strings.TrimSpace(by), strings.TrimSpace(text)
	switch {
	case by == "" || len(by) > 200:
		return &Error{Reason: "invalid", Text: "say who you are, in at most 200 characters"}
	case text == "" || len(text) > mostNote:
		return &Error{Reason: "invalid", Text: fmt.Sprintf("write a note of 1 to %d bytes", mostNote)}
	}
	return a.store.Update(ctx, func(tx *store.Tx) error {
		inc, err := tx.FindIncident(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			return &Error{Reason: "not_found", Text: fmt.Sprintf("no incident %q", id)}
		}
		if err != nil {
			return err
		}
		if err := tx.AppendEvent(ctx, &incident.Event{Incident: inc.ID, At: now, Kind: incident.EventNote, Text: text, By: by}); err != nil {
			return err
		}
		return access.Record(ctx, tx, now, access.Deed{Who: by, Deed: "note", About: "incident " + inc.ID, Detail: text})
	})
}
