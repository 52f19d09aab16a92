package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tocsin/internal/logs"
	"tocsin/internal/postmortem"
	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

// Relived is an incident of a replay, whole, and when the replay ended.
type Relived struct {
	client.Detail
	Ended time.Time
}

// Relive replays entries under a plan and returns the incidents that came of them, the oldest first.
func Relive(ctx context.Context, plan *Plan, entries func() (logs.Batch, error), until time.Time) ([]Relived, error) {
	var all []Relived
	r := &Replay{Plan: plan, Entries: entries, Until: until, Tell: newWitness()}
	r.Keep = func(ctx context.Context, db *store.Store) error {
		return db.View(ctx, func(tx *store.Tx) error {
			found, err := tx.Incidents(ctx, store.IncidentFilter{})
			for i := len(found) - 1; i >= 0 && err == nil; i-- {
				one := Relived{Detail: client.Detail{Incident: found[i]}, Ended: r.Ended}
				if one.Events, err = tx.Events(ctx, found[i].ID); err == nil {
					one.Notifications, err = tx.Notifications(ctx, found[i].ID)
				}
				all = append(all, one)
			}
			return err
		})
	}
	return all, r.Run(ctx)
}

// Pick is the incident of that id, or of that beginning of one; with none given, the only one there is.
func Pick(all []Relived, id string) (Relived, error) {
	var fit []Relived
	var names []string
	for _, d := range all {
		if strings.HasPrefix(d.Incident.ID, strings.ToUpper(id)) {
			fit = append(fit, d)
		}
		names = append(names, fmt.Sprintf("%s (%s: %s)", d.Incident.ID, d.Incident.Severity, plain(d.Incident.Title, 80)))
	}
	switch {
	case len(all) == 0:
		return Relived{}, errors.New("nothing came of these entries: no incident")
	case len(fit) == 0:
		return Relived{}, fmt.Errorf("no incident of these entries begins with %q: there are\n  %s", plain(id, 40), strings.Join(names, "\n  "))
	case len(fit) > 1:
		return Relived{}, fmt.Errorf("several incidents came of these entries: name one of\n  %s", strings.Join(names, "\n  "))
	}
	return fit[0], nil
}

// Papers are what is to be written after an incident.
type Papers struct {
	// Draft is the post-mortem as markdown, Note what to write into the channel, Mail what to send to the developers, with its subject.
	Draft, Note, Mail string
	// Day is the day that the incident is called by.
	Day time.Time
}

// PapersOf writes the papers of an incident. replayed says that it is a replay's; url is its page's address, "" for none.
func PapersOf(d client.Detail, now time.Time, replayed bool, url string) Papers {
	r := &postmortem.Record{Incident: d.Incident, Events: d.Events, Notifications: d.Notifications, Now: now, Replayed: replayed, URL: url}
	lags := postmortem.LagsOf(r)
	return Papers{Draft: postmortem.Draft(r), Note: postmortem.Note(r), Mail: postmortem.Mail(r), Day: lags.Day()}
}

// draftOf is the draft of an incident's post-mortem, of the service that serves.
func draftOf(d client.Detail, now time.Time, url string) string {
	return PapersOf(d, now, false, url).Draft
}

// Write puts the papers into a directory, which it makes, as DATE.md, DATE-note.txt and DATE-mail.txt, and returns their names. It
// overwrites nothing.
func (p Papers) Write(dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the directory of the papers: %w", err)
	}
	var names []string
	date := p.Day.UTC().Format(time.DateOnly)
	for _, file := range []struct{ end, text string }{{".md", p.Draft}, {"-note.txt", p.Note}, {"-mail.txt", p.Mail}} {
		name := filepath.Join(dir, date+file.end)
		if err := writeNew(name, []byte(file.text)); err != nil {
			return names, err
		}
		names = append(names, name)
	}
	return names, nil
}

// writeNew writes a file that is not there yet.
func writeNew(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already: somebody may have worked on it, so it is not overwritten", name)
	}
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
