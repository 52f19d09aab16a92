package outbox_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/actions"
	"tocsin/internal/escalation"
	"tocsin/internal/incident"
	"tocsin/internal/outbox"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// taken is something that a stand-in took.
type taken struct {
	at time.Time
	n  notifiers.Notice
}

// provider is a stand-in that keeps what it took. While it is down it lets each caller wait until his patience ends.
type provider struct {
	mu   sync.Mutex
	down bool
	all  []taken
}

func (p *provider) Send(ctx context.Context, n notifiers.Notice) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		p.mu.Unlock()
		<-ctx.Done()
		p.mu.Lock()
		return "", errors.New("send: " + ctx.Err().Error())
	}
	p.all = append(p.all, taken{time.Now(), n})
	return cmp.Or(n.Parent, fmt.Sprint("r/", len(p.all))), nil
}

func (p *provider) Preview(n notifiers.Notice) string { return n.Text }

func (p *provider) set(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// took is all that it took so far.
func (p *provider) took() []taken {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.all)
}

// calls are the pages it took.
func (p *provider) calls() (calls []taken) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.all {
		if t.n.Kind == incident.Call {
			calls = append(calls, t)
		}
	}
	return calls
}

// drill is a store on a file, the two steps behind the engine in loops of their own, a pager and the fallback's channel.
type drill struct {
	t      *testing.T
	ctx    context.Context
	store  *store.Store
	desk   *store.Desk
	people *actions.Actions
	began  time.Time
	oncall *provider
	ops    *provider
	ids    map[string]string
	// severity is that of what opens, critical if not said.
	severity incident.Severity
	bells    []chan struct{} // of the loops: the escalation's first
	// held and direct are what the desk says, set while the loops ask.
	held   atomic.Pointer[func(*incident.Incident, incident.Around) incident.Held]
	direct atomic.Pointer[incident.Direction]
}

func (d *drill) hold(by func(*incident.Incident, incident.Around) incident.Held) { d.held.Store(&by) }

// play runs a drill in a bubble of virtual time. Every incident pages oncall once by its policy.
func play(t *testing.T, do func(d *drill)) {
	t.Helper()
	playAt(t, notifiers.Traits{Pages: true}, do)
}

// playAt is play with an oncall of those traits.
func playAt(t *testing.T, traits notifiers.Traits, do func(d *drill)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(context.Background())
		s, err := store.Open(ctx, filepath.Join(t.TempDir(), "tocsin.db"), store.Options{Now: func() time.Time { return time.Now().Add(-24 * time.Hour) }})
		if err != nil {
			t.Fatal(err)
		}
		d := &drill{t: t, ctx: ctx, store: s, began: time.Now(), oncall: &provider{}, ops: &provider{}, ids: map[string]string{}}
		d.desk = &store.Desk{Traits: map[string]incident.Traits{"oncall": incident.Traits(traits), "ops": {Edits: true}},
			Direct: func(*incident.Incident, time.Time) incident.Direction { return *d.direct.Load() },
			Held: func(inc *incident.Incident, now incident.Around) incident.Held {
				if by := d.held.Load(); by != nil {
					return (*by)(inc, now)
				}
				return incident.Held{}
			}}
		d.direct.Store(&incident.Direction{Policy: "page"})
		plan, errs := escalation.NewPlan(escalation.Policy{Steps: []escalation.Step{{Notify: []string{"oncall"}}}}, escalation.Known{Receivers: []string{"oncall"}})
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		esc := escalation.New(s, func() escalation.Program {
			return escalation.Program{Plans: map[string]*escalation.Plan{"page": plan}, Fallback: "ops", Desk: d.desk}
		}, nil)
		box := outbox.New(s, outbox.Options{Fallback: "ops", Targets: map[string]outbox.Target{
			"oncall": {Notifier: d.oncall, Traits: traits}, "ops": {Notifier: d.ops, Traits: notifiers.Traits{Edits: true}}}})
		d.people = actions.New(s, func() *store.Desk { return d.desk })
		var loops sync.WaitGroup
		for range 3 {
			d.bells = append(d.bells, make(chan struct{}, 1))
		}
		for i, step := range []func(ctx context.Context, now time.Time) (time.Time, error){esc.Step,
			func(ctx context.Context, now time.Time) (time.Time, error) { return box.StepTarget(ctx, now, "oncall") },
			func(ctx context.Context, now time.Time) (time.Time, error) { return box.StepTarget(ctx, now, "ops") }} {
			loops.Go(func() { d.loop(i, step) })
		}
		do(d)
		stop()
		loops.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// loop steps whenever something is due or its bell rings, and looks each minute. What the escalation has done may be due for the others.
func (d *drill) loop(i int, step func(ctx context.Context, now time.Time) (time.Time, error)) {
	for d.ctx.Err() == nil {
		next, err := step(d.ctx, time.Now())
		if err != nil && d.ctx.Err() == nil {
			d.t.Error(err)
			return
		}
		if i == 0 {
			d.ring(d.bells[1:])
		}
		wait := time.Until(next)
		if next.IsZero() || wait > time.Minute {
			wait = time.Minute
		}
		select {
		case <-d.ctx.Done():
		case <-d.bells[i]:
		case <-time.After(wait):
		}
	}
}

func (d *drill) ring(bells []chan struct{}) {
	for _, bell := range bells {
		select {
		case bell <- struct{}{}:
		default:
		}
	}
}

// until sleeps until a time after the beginning.
func (d *drill) until(after time.Duration) { time.Sleep(time.Until(d.began.Add(after))) }

// within does something in a book with what is there of an incident.
func (d *drill) within(id string, do func(b *incident.Book)) {
	d.t.Helper()
	err := d.store.Update(d.ctx, func(tx *store.Tx) error {
		var around []incident.Incident
		if id != "" {
			inc, err := tx.Incident(d.ctx, id)
			if err != nil {
				return err
			}
			around = append(around, inc)
		}
		book := incident.NewBook(time.Now(), around)
		do(book)
		return d.desk.Settle(d.ctx, tx, time.Now(), book)
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.ring(d.bells)
}

func key(name string) incident.Key { return incident.Key{Rule: name, Group: "{}"} }

func (d *drill) opens(name string) {
	d.t.Helper()
	d.within("", func(b *incident.Book) {
		d.ids[name] = b.Fire(incident.Alert{Key: key(name), Labels: incident.Labels{"project": name}, Severity: cmp.Or(d.severity, incident.Critical), Mode: incident.Page,
			Annotations: map[string]string{"summary": name}, First: time.Now(), Last: time.Now()}).ID
	})
}

func (d *drill) ends(name string) {
	d.t.Helper()
	d.within(d.ids[name], func(b *incident.Book) { b.Clear(d.ids[name], key(name), "quiet") })
}

// names are the incidents of what was taken, by the names they were opened by.
func (d *drill) names(all []taken) (names []string) {
	for _, t := range all {
		name := "storm"
		for n, id := range d.ids {
			if id == t.n.Incident.ID {
				name = n
			}
		}
		names = append(names, name)
	}
	return names
}

// TestThePagerIsDownForSixHours: nothing is lost, the fallback hears of each within a minute, and once the pager is back there is one page
// for each incident that is still open, the newest first, and none for what is over.
func TestThePagerIsDownForSixHours(t *testing.T) {
	play(t, func(d *drill) {
		d.oncall.set(true)
		var open, all []string
		opened := map[string]time.Time{}
		for i := range 18 { // one each 20 minutes: a third is over after 10 minutes, a third after two hours, a third stays
			name := fmt.Sprintf("i%02d", i)
			at := time.Duration(i) * 20 * time.Minute
			d.until(at)
			d.opens(name)
			all, opened[name] = append(all, name), time.Now()
			switch {
			case i%3 == 0:
				d.until(at + 10*time.Minute)
				d.ends(name)
			case i%3 == 2 && i >= 6:
				d.until(at + time.Minute) // keep the order of times
				d.ends(fmt.Sprintf("i%02d", i-6))
				fallthrough
			default:
				open = append(open, name)
			}
		}
		over := []string{"i02", "i05", "i08", "i11"}
		open = slices.DeleteFunc(open, func(name string) bool { return slices.Contains(over, name) })
		d.until(6 * time.Hour)
		if n := len(d.oncall.calls()); n != 0 {
			t.Fatalf("%d pages while the pager was down", n)
		}
		heard := map[string]time.Time{}
		for _, c := range d.ops.calls() {
			name := d.names([]taken{c})[0]
			if heard[name].IsZero() {
				heard[name] = c.at
			}
		}
		for _, name := range all {
			if took := heard[name].Sub(opened[name]); heard[name].IsZero() || took > time.Minute {
				t.Errorf("the fallback heard of %s after %s", name, took)
			}
		}
		d.oncall.set(false)
		d.until(6*time.Hour + 3*time.Minute)
		calls := d.oncall.calls()
		got := d.names(calls)
		if sorted := slices.Sorted(slices.Values(got)); !slices.Equal(sorted, open) {
			t.Errorf("pages for %v, want one for each of %v", sorted, open)
		}
		for _, c := range calls {
			if !strings.Contains(c.n.Text, " late: oncall did not take it before") {
				t.Errorf("a late page says %q", c.n.Text)
			}
		}
		// The first is whichever was tried when it came back.
		if rest := got[1:]; !slices.IsSortedFunc(rest, func(a, b string) int { return cmp.Compare(b, a) }) {
			t.Errorf("they came in the order %v, want the newest first", got)
		}
	})
}

// TestAStormIsOnePage: of 200 incidents within ten seconds a few are paged by themselves, the others by one page that says how many; its
// acknowledge is theirs, and with them it is over.
func TestAStormIsOnePage(t *testing.T) {
	play(t, func(d *drill) {
		for i := range 200 {
			d.opens(fmt.Sprintf("i%03d", i))
			time.Sleep(50 * time.Millisecond)
		}
		d.until(2 * time.Minute)
		calls := d.oncall.calls()
		if len(calls) > 8 {
			t.Fatalf("%d pages: %v", len(calls), d.names(calls))
		}
		storms := slices.DeleteFunc(slices.Clone(calls), func(c taken) bool { return !c.n.Incident.IsStorm() })
		if len(storms) != 1 {
			t.Fatalf("%d pages of storms", len(storms))
		}
		storm := storms[0].n
		others := 200 - len(calls) + 1
		if want := fmt.Sprintf("Storm: %d incidents at once, in one page: i0", others); !strings.HasPrefix(storm.Incident.Title, want) ||
			!strings.HasSuffix(storm.Incident.Title, fmt.Sprintf("; and %d more", others-5)) {
			t.Errorf("it says %q, want %q", storm.Incident.Title, want)
		}
		d.opens("later") // its page goes out by itself: the receiver can take it again
		d.until(3 * time.Minute)
		if err := d.people.Answered(d.ctx, "oncall", storm.Key, incident.Acknowledged, "Ada", time.Now(), time.Now()); err != nil {
			t.Fatal(err)
		}
		d.ring(d.bells)
		paged := d.names(d.oncall.calls())
		for name, id := range d.ids {
			err := d.store.View(d.ctx, func(tx *store.Tx) error {
				inc, err := tx.Incident(d.ctx, id)
				if named := !slices.Contains(paged, name); named != (inc.State == incident.Acknowledged) {
					t.Errorf("%s is %s", name, inc.State)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for name := range d.ids {
			d.ends(name)
		}
		d.until(5 * time.Minute)
		if n := len(d.oncall.calls()); n != len(calls)+1 {
			t.Errorf("%d pages, want %d: nobody is called for what somebody has", n, len(calls)+1)
		}
		last := d.oncall.took()[len(d.oncall.took())-1].n
		if last.Kind != incident.CallResolve || last.Key != storm.Key || !last.Incident.IsStorm() || last.Incident.State != incident.Resolved {
			t.Errorf("the last word to the pager is %s of %s, want that the storm is over", last.Kind, last.Key)
		}
	})
}

// TestWhoIsNotNamedIsPaged: who joins a storm after its page went out is not covered by the acknowledge of that page, whether pages or
// direct messages are rolled into it.
func TestWhoIsNotNamedIsPaged(t *testing.T) {
	for name, traits := range map[string]notifiers.Traits{"pager": {Pages: true}, "direct": {Edits: true, Direct: true}} {
		t.Run(name, func(t *testing.T) { playAt(t, traits, whoIsNotNamed) })
	}
}

func whoIsNotNamed(d *drill) {
	for i := range 20 {
		d.opens(fmt.Sprint("i", i))
	}
	d.until(30 * time.Second)
	for i := range 20 { // two or three go out by themselves
		d.opens(fmt.Sprint("later", i))
	}
	d.until(40 * time.Second)
	i := slices.IndexFunc(d.oncall.calls(), func(c taken) bool { return c.n.Incident.IsStorm() })
	if i < 0 {
		d.t.Fatal("no page of a storm")
	}
	storm := d.oncall.calls()[i].n
	if err := d.people.Acknowledge(d.ctx, storm.Incident.ID, "Ada", time.Now()); err != nil {
		d.t.Fatal(err)
	}
	d.ring(d.bells)
	d.until(90 * time.Second)
	i = slices.IndexFunc(d.oncall.calls(), func(c taken) bool { return c.n.Incident.IsStorm() && c.n.Incident.ID != storm.Incident.ID })
	if i < 0 {
		d.t.Fatalf("who came later is in no page: %v", d.names(d.oncall.calls()))
	}
	if title := d.oncall.calls()[i].n.Incident.Title; !strings.Contains(title, "later") || strings.Contains(title, "i1") {
		d.t.Errorf("the second storm is %q", title)
	}
}

// TestAStormOfDirectMessages: who is called directly is called for a storm once, and by nothing that it stands for once it is acknowledged.
func TestAStormOfDirectMessages(t *testing.T) {
	playAt(t, notifiers.Traits{Edits: true, Direct: true}, func(d *drill) {
		for i := range 40 {
			d.opens(fmt.Sprintf("i%03d", i))
			time.Sleep(50 * time.Millisecond)
		}
		d.until(2 * time.Minute)
		rang := func() (n int, storms []taken) {
			for _, c := range d.oncall.took() {
				if c.n.Incident.IsStorm() && c.n.Kind == incident.Call {
					storms = append(storms, c)
				}
				if c.n.Rings && c.n.Parent == "" {
					n++
				}
			}
			return n, storms
		}
		before, storms := rang()
		if before > 8 || len(storms) != 1 {
			t.Fatalf("it rang %d times, %d for storms", before, len(storms))
		}
		if err := d.people.Acknowledge(d.ctx, storms[0].n.Incident.ID, "Ada", time.Now()); err != nil {
			t.Fatal(err)
		}
		d.ring(d.bells)
		d.until(10 * time.Minute)
		if after, _ := rang(); after != before {
			t.Errorf("it rang %d times after the acknowledge", after-before)
		}
	})
}
