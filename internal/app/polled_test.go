package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/outbox"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// asked is a pager that fails as it is told to, or hangs.
type asked struct {
	notifiers.Notifier
	err   error
	hangs bool
	at    []time.Time
}

func (p *asked) Poll(ctx context.Context, _ []string) ([]notifiers.Answer, error) {
	p.at = append(p.at, time.Now())
	if p.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, p.err
}

// polling is a service whose pagers are asked.
type polling struct {
	*App
	t *testing.T
}

func newPolling(t *testing.T, pagers map[string]*asked) polling {
	s, err := store.Open(t.Context(), ":memory:", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := polling{&App{store: s, o: Options{Log: slog.New(slog.DiscardHandler)}}, t}
	p.configure(pagers)
	return p
}

func (p polling) configure(pagers map[string]*asked) {
	p.current.targets = map[string]outbox.Target{}
	for name, pager := range pagers {
		p.current.targets[name] = outbox.Target{Notifier: pager}
	}
}

// incident has an incident in a state, of which that receiver was called.
func (p polling) incident(state incident.State, receiver string) {
	p.t.Helper()
	ctx, now, id := p.t.Context(), time.Now(), "01D1VX0000AAAAAAAABBBB"+receiver
	err := p.store.Update(ctx, func(tx *store.Tx) error {
		inc := incident.Incident{ID: id, State: state, Severity: incident.High, FirstEntry: now, OpenedAt: now, Round: 1}
		n := incident.Notification{Incident: id, Target: receiver, Kind: incident.Call, Round: 1, Key: id, Rings: true, State: incident.Sent, CreatedAt: now, Due: now}
		_, err := tx.AddNotification(ctx, &n)
		return errors.Join(err, tx.SaveIncident(ctx, &inc))
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// standing polls and is whose troubles stand then.
func (p polling) standing() string {
	p.t.Helper()
	_ = p.poll(p.t.Context()) // what fails there is what is looked at
	var names []string
	err := p.store.View(p.t.Context(), func(tx *store.Tx) error {
		all, err := tx.Standing(p.t.Context())
		for _, t := range all {
			names = append(names, t.Kind+" "+t.Labels["receiver"])
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.Join(names, ", ")
}

func (p polling) want(when, want string) {
	p.t.Helper()
	if got := p.standing(); got != want {
		p.t.Errorf("%s: %q stands, want %q", when, got, want)
	}
}

var (
	errGateway = errors.New("502")
	errToken   = notifiers.Permanent{Err: errors.New("401")}
)

// TestAPagerThatDoesNotSayWhatWasAnswered: what it refuses for good is a trouble at once, any other failure when it goes on for two
// minutes, and it is over when the pager can be asked again.
func TestAPagerThatDoesNotSayWhatWasAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pager := &asked{}
		p := newPolling(t, map[string]*asked{"duty": pager})
		defer p.store.Close()
		p.incident(incident.Open, "duty")
		for _, step := range []struct {
			when string
			err  error
			wait time.Duration
			want string
		}{
			{"it begins to fail", errGateway, 0, ""}, {"a minute later", errGateway, time.Minute, ""},
			{"two minutes later", errGateway, time.Minute, "pager_unread duty"}, {"it is well", nil, time.Second, ""},
			{"its token is refused", errToken, time.Second, "pager_unread duty"}, {"its token is taken", nil, time.Second, ""},
		} {
			time.Sleep(step.wait)
			pager.err = step.err
			p.want(step.when, step.want)
		}
	})
}

// TestAPagerThatIsAskedNoMore: what was wrong with it is over once there is nothing to ask it, or it is no longer configured, also where
// the process before found it; and a failure at its last time does not count for the next one, days later.
func TestAPagerThatIsAskedNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		duty, other := &asked{err: errToken}, &asked{err: errToken}
		p := newPolling(t, map[string]*asked{"duty": duty, "othr": other})
		defer p.store.Close()
		p.incident(incident.Open, "duty")
		p.incident(incident.Acknowledged, "othr")
		if got := p.standing(); len(got) != len("pager_unread duty, pager_unread othr") {
			t.Errorf("both refuse: %q stands", got)
		}
		p.incident(incident.Resolved, "duty")
		p.want("what was open at one is over", "pager_unread othr")
		p.unread = nil // as after a start
		p.configure(map[string]*asked{"duty": duty})
		p.want("the other is no longer configured", "")

		duty.err = errGateway
		p.incident(incident.Open, "duty")
		p.want("it fails once", "")
		p.incident(incident.Resolved, "duty")
		p.want("it is over", "")
		time.Sleep(72 * time.Hour)
		p.incident(incident.Open, "duty")
		p.want("it fails once, days later", "")
		time.Sleep(unreadAfter)
		p.want("it goes on", "pager_unread duty")
	})
}

// TestAPagerThatHangsHoldsUpNoOther: all are asked at once, for each has to be asked before anybody is called again.
func TestAPagerThatHangsHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pagers := map[string]*asked{"aaaa": {hangs: true}, "bbbb": {hangs: true}, "cccc": {}}
		p := newPolling(t, pagers)
		defer p.store.Close()
		for name := range pagers {
			p.incident(incident.Open, name)
		}
		began := time.Now()
		p.want("two hang", "")
		for name, pager := range pagers {
			if len(pager.at) != 1 || !pager.at[0].Equal(began) {
				t.Errorf("%s was asked at %v, want %v", name, pager.at, began)
			}
		}
	})
}
