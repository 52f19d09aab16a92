package outbox

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// day is when everything begins; tests count seconds from it.
var day = time.Date(2019, 1, 23, 12, 49, 0, 0, time.UTC)

func at(seconds int) time.Time { return day.Add(time.Duration(seconds) * time.Second) }

// provider is a stand-in that remembers what it took. It is a Notifier, and with the methods of channel or pager more.
type provider struct {
	name string
	// before answers in place of the provider, which then takes nothing; after answers when it has taken it.
	before, after func(n notifiers.Notice) error
	// taken are the notices it took, in order, with the receipts it gave.
	taken    []notifiers.Notice
	receipts []string
	tries    []time.Time
}

func (p *provider) Send(ctx context.Context, n notifiers.Notice) (string, error) {
	p.tries = append(p.tries, n.Now)
	if p.before != nil {
		if err := p.before(n); err != nil {
			return "", err
		}
	}
	if _, bounded := ctx.Deadline(); !bounded {
		return "", errors.New("the call has no deadline")
	}
	p.taken = append(p.taken, n)
	receipt := n.Parent
	if receipt == "" || n.Kind != incident.Message {
		receipt = fmt.Sprintf("%s/%d", p.name, len(p.taken))
	}
	p.receipts = append(p.receipts, receipt)
	if p.after != nil {
		if err := p.after(n); err != nil {
			return "", err
		}
	}
	return receipt, nil
}

func (p *provider) Preview(n notifiers.Notice) string {
	return fmt.Sprintf("%s %s r%d", n.Kind, n.Incident.Title, n.Incident.Revision)
}

// said is what it took, a word a notice: kind:key, with the revision and what it hangs under for what is no page.
func (p *provider) said() string {
	var words []string
	for _, n := range p.taken {
		word := string(n.Kind) + ":" + n.Key
		if n.Kind == incident.Message {
			word += fmt.Sprintf(":%d", n.Incident.Revision)
		}
		if n.Parent != "" {
			word += "@" + n.Parent
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// triesAt are the seconds at which it was tried.
func (p *provider) triesAt() string {
	var words []string
	for _, t := range p.tries {
		words = append(words, fmt.Sprint(int(t.Sub(day).Seconds())))
	}
	return strings.Join(words, " ")
}

// channel is a provider like Slack: it knows no keys, but its history can be searched.
type channel struct {
	provider
	// blind is what a search answers in place of a result.
	blind error
	// past is the receipt of a message that an earlier life has posted.
	past string
}

func (c *channel) Find(_ context.Context, n notifiers.Notice) (string, bool, error) {
	if c.blind != nil {
		return "", false, c.blind
	}
	for i, t := range c.taken {
		if t.Key == n.Key && (t.Kind != incident.Message || t.Parent == "") {
			return c.receipts[i], true, nil
		}
	}
	return "", false, nil
}

func (c *channel) Adopt(context.Context, string) (notifiers.Earlier, error) {
	return notifiers.Earlier{Receipt: c.past}, c.blind
}

// pager is a provider like PagerDuty: one key rings once, until it is resolved.
type pager struct {
	provider
	// past are the keys of alerts that an earlier life has left open, by hash; blind is what is answered in place of them.
	past  map[string][]string
	blind error
	// asked are the hashes that were asked for; meanwhile, if set, is what happens while it is asked.
	asked     []string
	meanwhile func()
}

func (p *pager) Adopt(_ context.Context, hash string) (notifiers.Earlier, error) {
	p.asked = append(p.asked, hash)
	if p.meanwhile != nil {
		p.meanwhile()
	}
	return notifiers.Earlier{Keys: p.past[hash]}, p.blind
}

// left lets an earlier life have left keys open, the newest first.
func (p *pager) left(keys ...string) {
	p.past = map[string][]string{}
	for _, key := range keys {
		p.past[incident.HashOf(key)] = append(p.past[incident.HashOf(key)], key)
	}
}

// rang is how often each key made something ring.
func (p *pager) rang() map[string]int {
	rang, open := map[string]int{}, map[string]bool{}
	for _, n := range p.taken {
		switch n.Kind {
		case incident.Call:
			if !open[n.Key] {
				rang[n.Key]++
			}
			open[n.Key] = true
		case incident.CallResolve:
			delete(open, n.Key)
		}
	}
	return rang
}

// world is a store with an outbox and the providers ops (a channel), oncall (a pager) and hook (neither).
type world struct {
	t      *testing.T
	path   string
	born   time.Time
	store  *store.Store
	outbox *Outbox
	o      Options
	now    time.Time
	told   []string

	ops    *channel
	oncall *pager
	hook   *provider
}

// onFile gives a world a store that outlives a restart.
func onFile(w *world) { w.path = filepath.Join(w.t.TempDir(), "tocsin.db") }

// born makes a world's store at day: it is young.
func born(w *world) { w.born = day }

// newWorld is a world whose store is in memory and two hours old, unless a change says otherwise.
func newWorld(t *testing.T, change ...func(w *world)) *world {
	w := &world{t: t, path: ":memory:", born: day.Add(-2 * time.Hour), now: day,
		ops: &channel{provider: provider{name: "ops"}}, oncall: &pager{provider: provider{name: "oncall"}}, hook: &provider{name: "hook"}}
	w.o = Options{
		Targets: map[string]Target{
			"ops":    {w.ops, notifiers.Traits{Edits: true}},
			"oncall": {w.oncall, notifiers.Traits{Pages: true}},
			"hook":   {w.hook, notifiers.Traits{}},
		},
		People: map[string]notifiers.Person{"first": {Name: "first", Slack: "U1"}},
		URL:    func(id string) string { return "https://tocsin/" + id },
		Told: func(now time.Time, n notifiers.Notice, text string) {
			w.told = append(w.told, fmt.Sprintf("%d %s rings=%v %s: %s", int(now.Sub(day).Seconds()), n.Target, n.Rings, n.Reason, text))
		},
	}
	for _, c := range change {
		c(w)
	}
	w.open()
	t.Cleanup(func() { w.store.Close() })
	return w
}

// open opens the store.
func (w *world) open() {
	w.t.Helper()
	s, err := store.Open(context.Background(), w.path, store.Options{Now: func() time.Time { return w.born }})
	if err != nil {
		w.t.Fatal(err)
	}
	w.store, w.outbox = s, New(s, w.o)
}

// restart is the next life.
func (w *world) restart() {
	w.t.Helper()
	if err := w.store.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

func (w *world) update(do func(ctx context.Context, tx *store.Tx) error) {
	w.t.Helper()
	ctx := context.Background()
	if err := w.store.Update(ctx, func(tx *store.Tx) error { return do(ctx, tx) }); err != nil {
		w.t.Fatal(err)
	}
}

// incident saves an incident at a revision.
func (w *world) incident(id string, state incident.State, revision int64) {
	w.t.Helper()
	inc := incident.Incident{ID: id, Title: "title of " + id, State: state, Revision: revision, OpenedAt: w.now}
	if state == incident.Acknowledged {
		inc.Acknowledgement = &incident.Acknowledgement{By: "first", At: w.now}
	}
	w.update(func(ctx context.Context, tx *store.Tx) error { return tx.SaveIncident(ctx, &inc) })
}

// add adds rows, due now.
func (w *world) add(rows ...incident.Notification) {
	w.t.Helper()
	for _, n := range rows {
		n.CreatedAt = w.now
		n.Due = later(n.Due, w.now)
		w.update(func(ctx context.Context, tx *store.Tx) error {
			added, err := tx.AddNotification(ctx, &n)
			if err == nil && !added {
				err = errors.New("the row is there already")
			}
			return err
		})
	}
}

func message(id, target string, wanted int64) incident.Notification {
	return incident.Notification{Incident: id, Target: target, Kind: incident.Message, Key: id + "/" + target, Wanted: wanted, Rings: true, Reason: incident.ReasonOpened}
}

func page(id, target string, round int) incident.Notification {
	return incident.Notification{Incident: id, Target: target, Kind: incident.Call, Round: round, Key: fmt.Sprintf("%s.%d", id, round), Rings: true, Reason: incident.ReasonOpened}
}

func follow(n incident.Notification, kind incident.NotificationKind) incident.Notification {
	n.Kind, n.Rings, n.Reason = kind, false, incident.ReasonResolved
	return n
}

// post adds an event and the row that tells it.
func (w *world) post(id, target, text string) {
	w.t.Helper()
	e := incident.Event{Incident: id, At: w.now, Kind: incident.EventAlertFired, Text: text}
	w.update(func(ctx context.Context, tx *store.Tx) error { return tx.AppendEvent(ctx, &e) })
	w.add(incident.Notification{Incident: id, Target: target, Kind: incident.Post, Key: text, Event: e.ID, Reason: incident.ReasonUpdated})
}

// want asks for a new revision of a message, as the engine does.
func (w *world) want(id, target string, revision int64) {
	w.t.Helper()
	w.incident(id, incident.Open, revision)
	w.update(func(ctx context.Context, tx *store.Tx) error {
		rows, err := tx.Notifications(ctx, id)
		for i := range rows {
			n := &rows[i]
			if n.Kind != incident.Message || n.Target != target {
				continue
			}
			n.Wanted, n.Reason = revision, incident.ReasonUpdated
			if n.State == incident.Sent {
				n.State, n.Due = incident.Pending, w.now
			}
			err = errors.Join(err, tx.SaveNotification(ctx, n))
		}
		return err
	})
}

// run makes steps, moving time on to whenever there is more to do, until that many seconds after day or nothing waits.
func (w *world) run(until int) {
	w.t.Helper()
	for range 10000 {
		next, err := w.outbox.Step(context.Background(), w.now)
		if err != nil {
			w.t.Fatal(err)
		}
		if next.IsZero() || next.After(at(until)) {
			w.now = at(until)
			return
		}
		if next.Before(w.now) {
			w.t.Fatalf("next is %v, before now, %v", next, w.now)
		}
		w.now = next
	}
	w.t.Fatalf("the outbox does not come to rest at %v", w.now)
}

// rows are the rows of an incident, each as "kind target state".
func (w *world) rows(id string) string {
	w.t.Helper()
	var words []string
	for _, n := range w.all(id) {
		word := fmt.Sprintf("%s %s %s", n.Kind, n.Target, n.State)
		if n.Cause != "" {
			word += " (" + n.Cause + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

func (w *world) all(id string) (rows []incident.Notification) {
	w.t.Helper()
	w.update(func(ctx context.Context, tx *store.Tx) (err error) {
		rows, err = tx.Notifications(ctx, id)
		return err
	})
	return rows
}

// row is an incident's first row.
func (w *world) row(ctx context.Context, tx *store.Tx, id string) incident.Notification {
	w.t.Helper()
	rows, err := tx.Notifications(ctx, id)
	if err != nil || len(rows) == 0 {
		w.t.Fatalf("incident %s has no rows: %v", id, err)
	}
	return rows[0]
}

// timeline is what the outbox has written into an incident's timeline.
func (w *world) timeline(id string) string {
	w.t.Helper()
	var words []string
	w.update(func(ctx context.Context, tx *store.Tx) error {
		events, err := tx.Events(ctx, id)
		for _, e := range events {
			if e.Kind == incident.EventSent || e.Kind == incident.EventFailed {
				words = append(words, e.Text)
			}
		}
		return err
	})
	return strings.Join(words, "; ")
}

// equal complains when two texts differ.
func (w *world) equal(what, got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

// failing answers the first n times with err.
func failing(n int, err error) func(notifiers.Notice) error {
	return func(notifiers.Notice) error {
		if n--; n >= 0 {
			return err
		}
		return nil
	}
}

var (
	errUnclear = errors.New("connection reset")
	errRefused = notifiers.Permanent{Err: errors.New("channel is archived")}
)

func count(list []string, word string) (n int) {
	for _, w := range list {
		if w == word {
			n++
		}
	}
	return n
}

// keysOf are the keys of what a provider took that was no edit.
func keysOf(taken []notifiers.Notice) []string {
	var keys []string
	for _, n := range taken {
		if n.Kind != incident.Message || n.Parent == "" {
			keys = append(keys, n.Key)
		}
	}
	slices.Sort(keys)
	return keys
}
