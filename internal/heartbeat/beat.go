package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"tocsin/internal/setting"
	"tocsin/internal/store"
)

const (
	// unsent is how old a page may be that nobody has got yet.
	unsent = 5 * time.Minute
	// failuresTold is how many beats in a row must fail to be a trouble.
	failuresTold = 3
	// failedAfter is how long something must be wrong until it is said with /fail.
	failedAfter = 30 * time.Second
	// lookEvery is how often it is looked whether all is well, where a beat is due and it is not.
	lookEvery = 5 * time.Second
)

// BeatOptions are what a beat is made of beside its store.
type BeatOptions struct {
	Settings Settings
	// Audit is what must be clean.
	Audit *Audit
	// Ailments say, besides, what is wrong with the service, a line each, the worst first; none while it is well.
	Ailments func(now time.Time) []string
	// Summary is what a beat says of the service, in a few lines.
	Summary func() string
	// Transport makes the requests. It must be given: it refuses the addresses that must not be asked.
	Transport http.RoundTripper
	Log       *slog.Logger
}

// Beat tells somebody outside that all is well, while it is.
type Beat struct {
	store  *store.Store
	o      BeatOptions
	client *http.Client

	mu       sync.Mutex
	status   Status
	due      time.Time
	ill      time.Time // since when something is wrong
	said     bool      // that it is, with /fail
	failures int
	reported bool // the trouble may stand: one before this process may have left it
}

// Status is how the beat is.
type Status struct {
	// SentAt is when the last beat was taken; zero for never.
	SentAt time.Time
	// Blocked says why none goes out, a line each; none while they do.
	Blocked []string
	// Failure is why the last one was not taken, "" if it was.
	Failure string
}

// NewBeat makes a beat.
func NewBeat(s *store.Store, o BeatOptions) *Beat {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Beat{store: s, o: o, reported: true, client: &http.Client{Transport: o.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Status is how it is.
func (b *Beat) Status() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

// Blocked says why no heartbeat may go out now, a line each; none if one may.
func (b *Beat) Blocked(now time.Time) []string {
	out := b.o.Ailments(now)
	switch last := b.o.Audit.Last(); {
	case last.At.IsZero():
		out = append(out, "no audit has been run yet")
	case now.Sub(last.At) > fresh:
		out = append(out, fmt.Sprintf("the last audit that could be run and written is of %s ago", now.Sub(last.At).Round(time.Second)))
	default:
		for _, f := range last.Findings {
			out = append(out, "audit: "+f.Text)
		}
		if age := now.Sub(last.OldestCall); !last.OldestCall.IsZero() && age > unsent {
			out = append(out, fmt.Sprintf("a page has waited for %s", age.Round(time.Second)))
		}
	}
	return out
}

// Step sends a beat if one is due and all is well. A beat that is not taken is tried again soon and, if that goes on, is a trouble of
// tocsin's own; it is no error of the step: that is the store's.
func (b *Beat) Step(ctx context.Context, now time.Time) (next time.Time, err error) {
	b.mu.Lock()
	due, ill, said := b.due, b.ill, b.said
	b.mu.Unlock()
	blocked := b.Blocked(now)
	if len(blocked) > 0 {
		if ill.IsZero() {
			ill = now
			b.o.Log.Warn("no heartbeat goes out", "why", strings.Join(blocked, "; "))
		}
		if !said && b.o.Settings.Signals == SignalsHealthchecks && now.Sub(ill) >= failedAfter {
			said = b.send(ctx, "/fail", strings.Join(blocked, "\n")) == nil
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.ill, b.said, b.status.Blocked = ill, said, blocked
		return now.Add(lookEvery), nil
	}
	if !ill.IsZero() {
		b.o.Log.Info("heartbeats go out again")
		due = now // whoever was alarmed hears of it at once
	}
	b.mu.Lock()
	b.ill, b.said, b.status.Blocked = time.Time{}, false, nil
	b.mu.Unlock()
	if now.Before(due) && due.Sub(now) <= b.o.Settings.Every.Std() { // further off: a clock was set back
		return earliest(due, now.Add(lookEvery)), nil
	}
	return b.beat(ctx, now)
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// beat sends one and keeps what came of it.
func (b *Beat) beat(ctx context.Context, now time.Time) (time.Time, error) {
	failure := b.send(ctx, "", b.o.Summary())
	b.mu.Lock()
	every := b.o.Settings.Every.Std()
	t := store.Trouble{Kind: "heartbeat_failed", At: now, Severity: "WARNING"}
	var report bool
	if failure == nil {
		b.failures, b.status.SentAt, b.status.Failure = 0, now, ""
		b.due = now.Add(every - rand.N(every/10)) // that many do not beat at once
		t.Over, t.Severity, t.Text, report = true, "", "it is taken again", b.reported
	} else {
		b.failures++
		b.status.Failure = failure.Error()
		b.due = now.Add(every/4 + rand.N(every/20))
		t.Text, report = failure.Error(), b.failures >= failuresTold
	}
	due := b.due
	b.mu.Unlock()
	if failure != nil {
		b.o.Log.Warn("heartbeat not taken", "error", failure)
	}
	if !report {
		return due, nil
	}
	if err := b.store.Update(ctx, func(tx *store.Tx) error { return tx.Report(ctx, t) }); err != nil {
		return due, fmt.Errorf("report that the heartbeat is not taken: %w", err)
	}
	b.mu.Lock()
	b.reported = !t.Over
	b.mu.Unlock()
	return due, nil
}

// Stopping announces a planned end: with the signals of Healthchecks as the start of a restart, which its grace time bounds, else by a
// last beat, if all is well, so that the whole time to the next is there for it.
func (b *Beat) Stopping(ctx context.Context, now time.Time) error {
	if b.o.Settings.Signals == SignalsHealthchecks {
		return b.send(ctx, "/start", "tocsin stops as it was told to: a restart should follow\n"+b.o.Summary())
	}
	if blocked := b.Blocked(now); len(blocked) > 0 {
		return nil
	}
	return b.send(ctx, "", b.o.Summary())
}

// send makes one request. Its errors never hold the address: it is a secret.
func (b *Beat) send(ctx context.Context, signal, body string) error {
	address := setting.Secret(b.o.Settings.URL)
	if b.o.Settings.URLFile != "" {
		var err error
		if address, err = setting.ReadSecret(b.o.Settings.URLFile); err != nil {
			return err
		}
	}
	if text := badURL(address.Reveal()); text != "" {
		return errors.New("the heartbeat's address: " + text)
	}
	u, _ := url.Parse(strings.TrimSpace(address.Reveal())) // badURL has parsed it
	if signal != "" {
		u = u.JoinPath(signal)
	}
	ctx, cancel := context.WithTimeout(ctx, b.o.Settings.Timeout.Std())
	defer cancel()
	var content io.Reader
	if b.o.Settings.Method == "POST" {
		content = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, b.o.Settings.Method, u.String(), content)
	if err != nil {
		return fmt.Errorf("%s %s: %w", b.o.Settings.Method, u.Host, bare(err))
	}
	req.Header.Set("User-Agent", "tocsin-heartbeat/1")
	if content != nil {
		req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", b.o.Settings.Method, u.Host, bare(err))
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // what it says beyond its status does not matter
	resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("%s %s: %s", b.o.Settings.Method, u.Host, resp.Status)
	}
	return nil
}

// bare takes the address off an error of the HTTP client.
func bare(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
