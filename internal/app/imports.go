package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"tocsin/internal/escalation"
	"tocsin/internal/setting"
	"tocsin/internal/sources/probe"
	"tocsin/internal/store"
)

// maxImport bounds what is read of a calendar, importWithin how long it may take.
const (
	maxImport    = 4 << 20
	importWithin = 20 * time.Second
	// maxImportHops is how many redirects are followed.
	maxImportHops = 5
)

// importLook is how often it is looked whether a schedule is due to be read: a reload may bring a new one.
const importLook = 15 * time.Second

// importLoop reads the schedules that are kept elsewhere, each in its time, and keeps copies in the store.
func (a *App) importLoop(ctx context.Context) {
	const name = "reading schedules"
	defer a.watch.ended(name)
	client := importClient()
	tick := time.NewTicker(importLook)
	defer tick.Stop()
	for {
		a.watch.stepped(name)
		plan := a.generationNow().plan
		for schedule, rota := range plan.Rotas {
			a.watch.stepped(name) // one alone may take its time, all together may not be taken for a standstill
			if err := a.importSchedule(ctx, client, plan, schedule, rota, time.Now()); err != nil && ctx.Err() == nil {
				a.o.Log.Error("the copy of a schedule cannot be kept: trying again", "schedule", schedule, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// importClient asks for schedules: at no link-local or metadata address, whatever name or redirect leads there, for what it answers is
// kept and its errors are shown.
func importClient() *http.Client {
	transport := probe.Guarded()
	transport.DisableCompression, transport.Proxy = false, http.ProxyFromEnvironment
	return &http.Client{Timeout: importWithin, Transport: transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > maxImportHops {
			return fmt.Errorf("more than %d redirects", maxImportHops)
		}
		return probe.Denied(r.URL.Hostname())
	}}
}

// importSchedule reads one schedule if it is kept elsewhere and due. An error is the store's.
func (a *App) importSchedule(ctx context.Context, client *http.Client, plan *Plan, name string, rota *escalation.Rota, now time.Time) error {
	from, ok := rota.Import()
	if !ok {
		return nil
	}
	var have escalation.Copy
	err := a.store.View(ctx, func(tx *store.Tx) (err error) {
		have, err = escalation.ReadCopy(ctx, tx, name, from.Place())
		return err
	})
	if err != nil {
		return err
	}
	last := have.FetchedAt
	if have.FailedAt.After(last) {
		last = have.FailedAt
	}
	// A clock that was set back does not keep a copy fresh for longer.
	if now.Before(last.Add(from.Every)) && !last.After(now) {
		return nil
	}
	got := have
	got.Of = from.Place()
	body, err := plan.fetch(ctx, client, from)
	if err == nil {
		_, err = rota.Reading(body, now)
	}
	if err != nil {
		got.Error, got.FailedAt = err.Error(), now
		if have.Error != got.Error {
			a.o.Log.Warn("a schedule cannot be imported: the last good copy stays in force", "schedule", name, "copied", have.FetchedAt, "error", err)
		}
	} else {
		got.Body, got.FetchedAt, got.Error, got.FailedAt = string(body), now, "", time.Time{}
	}
	return a.store.Update(ctx, func(tx *store.Tx) error {
		if err := escalation.SaveCopy(ctx, tx, name, got); err != nil {
			return err
		}
		if got.Body != have.Body {
			if err := escalation.LookAgain(ctx, tx, name, now); err != nil {
				return err
			}
		}
		return tx.Report(ctx, staleness(name, got, now))
	})
}

// staleAfter is how old the copy of a schedule may be, while its place cannot be read, until that is a trouble of tocsin's own. One that
// was never read is one at once: who is on call is not known.
const staleAfter = time.Hour

func staleness(schedule string, c escalation.Copy, now time.Time) store.Trouble {
	t := store.Trouble{Kind: "schedule_stale", Labels: map[string]string{"schedule": schedule}, At: now, Over: c.Error == "" || now.Sub(c.FetchedAt) < staleAfter}
	switch {
	case t.Over:
		t.Text = fmt.Sprintf("schedule %s is read again", schedule)
	case c.FetchedAt.IsZero():
		t.Text = fmt.Sprintf("schedule %s was never read, so it is not known who is on call: %s", schedule, c.Error)
	default:
		t.Text = fmt.Sprintf("schedule %s has not been read for %s, who was on call then by it still is: %s", schedule, now.Sub(c.FetchedAt).Round(time.Minute), c.Error)
	}
	return t
}

// fetch reads what is at a place. Its errors do not tell the address, which may be a secret.
func (p *Plan) fetch(ctx context.Context, client *http.Client, from escalation.Import) ([]byte, error) {
	if from.File != "" {
		f, err := os.Open(p.File.Resolve(from.File))
		if err != nil {
			return nil, fmt.Errorf("read the calendar: %w", err)
		}
		defer f.Close() // nothing was written
		return bounded(f)
	}
	address := setting.Secret(from.URL)
	if from.URLFile != "" {
		var err error
		if address, err = setting.ReadSecret(p.File.Resolve(from.URLFile)); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.Reveal(), nil)
	if err != nil || request.URL.Host == "" {
		return nil, errors.New("its address is no URL")
	}
	if err := probe.Denied(request.URL.Hostname()); err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "tocsin")
	answer, err := client.Do(request)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err
		}
		return nil, fmt.Errorf("ask for it: %w", err)
	}
	defer answer.Body.Close() // it is read or given up
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask for it: the answer is %d", answer.StatusCode)
	}
	return bounded(answer.Body)
}

func bounded(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxImport+1))
	if err != nil {
		return nil, fmt.Errorf("read it: %w", err)
	}
	if len(body) > maxImport {
		return nil, fmt.Errorf("it is longer than %d MiB", maxImport>>20)
	}
	return body, nil
}
