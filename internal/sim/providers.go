package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/escalation"
	"tocsin/internal/incident"
	"tocsin/internal/outbox"
	"tocsin/notifiers"
)

// targets are the receivers of the stage, sorted.
var targets = []string{"hook", "managers", "oncall", "prow-alerts", "testing-ops"}

// targets are those that a world has: where people are asked to take an incident they are told so directly, too.
func (w *World) targets() []string {
	if !w.hands.busy {
		return targets
	}
	out := slices.Clone(targets)
	for _, name := range colleagues {
		out = append(out, escalation.PersonTarget(name))
	}
	return out
}

// fallback is that of the stage.
const fallback = "testing-ops"

// attemptTime is how long one attempt may take; so long behind its end a request may still be on its way to a pager.
const attemptTime = 10 * time.Second

// provider is a stand-in of whoever is told, as a machine of states: no socket, and a ledger of all that it took.
type provider struct {
	w      *World
	name   string
	traits notifiers.Traits
	// trouble is what it suffers from: "" nothing, "refuses", "silent", "revoked"; until is when it is over.
	trouble string
	// hold is until when it asks to be left alone, well since when it has taken all that came.
	hold, well time.Time
	// unlucky is how many calls in a row went wrong by chance: no provider is that unlucky for long.
	unlucky int

	keys     map[string]*ringing // of a pager
	order    []string            // of keys
	messages []*message          // of a channel
	nonces   map[string][]*message
	unfound  map[string]bool // nonces whose look-up failed
	taken    map[string]int  // of a hook, by key
}

// message is one in a channel.
type message struct {
	receipt, parent, nonce string
	kind                   incident.NotificationKind
	incident               string
	state                  incident.State
	revision               int64
}

// request is one call on its way.
type request struct {
	n        notifiers.Notice
	sent     time.Time
	deadline time.Time
	dropped  bool
	landed   bool
	receipt  string
	err      error
}

var (
	errReset   = errors.New("connection reset by peer")
	errGateway = errors.New("502 Bad Gateway")
	errRevoked = notifiers.Permanent{Err: errors.New("token_revoked")}
)

func (w *World) newProviders() map[string]*provider {
	out := map[string]*provider{}
	for _, name := range w.targets() {
		spec, known := w.stage.plans[0].Receivers[name]
		if !known {
			spec = w.stage.plans[0].Direct[name].Spec
		}
		out[name] = &provider{w: w, name: name, traits: spec.Traits(), well: w.now,
			keys: map[string]*ringing{}, nonces: map[string][]*message{}, unfound: map[string]bool{}, taken: map[string]int{}}
	}
	return out
}

// outboxOptions are those of the product, with the stand-ins in place of the notifiers.
func (w *World) outboxOptions() outbox.Options {
	o := outbox.Options{Targets: map[string]outbox.Target{}, People: w.stage.plans[w.plan].People, Fallback: fallback, Deadline: attemptTime, Failpoint: w.failpoint}
	for name, p := range w.providers {
		_, known := w.stage.plans[w.plan].Receivers[name]
		if _, direct := w.stage.plans[w.plan].Direct[name]; !known && !direct {
			continue
		}
		var n notifiers.Notifier = p
		switch {
		case p.traits.Pages:
			n = pager{p}
		case p.traits.Edits:
			n = channel{p}
		}
		o.Targets[name] = outbox.Target{Notifier: w.plantNotifier(p, n), Traits: p.traits}
	}
	w.plantOutbox(&o)
	return o
}

// pager and channel are providers that can do more than take.
type (
	pager   struct{ *provider }
	channel struct{ *provider }
)

// Preview is the notice in a few words.
func (p *provider) Preview(n notifiers.Notice) string {
	return fmt.Sprintf("%s %s %s", n.Kind, n.Key, n.Incident.State)
}

// Send is a call over a network: the request arrives a little later, or not; so does the answer.
func (p *provider) Send(_ context.Context, n notifiers.Notice) (string, error) {
	w := p.w
	if w.dead {
		panic(killed{}) // it ended in the look before; the outbox takes that for the notifier's panic
	}
	w.tally.Calls++
	w.step()
	w.model.claimed(w, &n)
	w.plantSend(p, &n)
	r := &request{n: n, sent: w.now, deadline: w.now.Add(attemptTime)}
	arrives := w.now.Add(between(w.chance, 5*time.Millisecond, 300*time.Millisecond))
	answers := arrives.Add(between(w.chance, 5*time.Millisecond, 300*time.Millisecond))
	if !w.healed && chanceOf(w.chance, w.weather.slow) {
		w.tally.LateAnswers++
		arrives = w.now.Add(between(w.chance, time.Millisecond, attemptTime-time.Second))
		answers = arrives.Add(between(w.chance, time.Millisecond, attemptTime))
	}
	if p.trouble == "silent" || !w.healed && chanceOf(w.chance, w.weather.lost) && p.unlucky < 3 {
		p.unlucky++
		w.tally.LostAnswers++
		answers = time.Time{}
		if p.traits.Pages && chanceOf(w.chance, 0.3) { // its trigger may be held up on the way beyond the attempt
			arrives = r.deadline.Add(between(w.chance, 0, attemptTime-time.Second))
		}
	}
	if end := n.Deadline.Add(-w.offset); !p.traits.Pages && arrives.After(end) {
		arrives = later(end, w.now.Add(time.Millisecond))
	}
	w.onTheWay++
	w.agenda.add(arrives, func() { p.land(r) })
	if !w.healed && chanceOf(w.chance, w.weather.freeze) {
		w.freeze()
	}
	w.say("send %s %s to %s", n.Kind, n.Key, p.name)
	end := r.deadline
	if !answers.IsZero() && answers.Before(end) {
		end = answers
	}
	if !w.pause(end) {
		if !r.landed && chanceOf(w.chance, 0.5) {
			r.dropped = true // it never left the machine
		}
		panic(killed{})
	}
	if answers.IsZero() || answers.After(r.deadline) {
		r.err = fmt.Errorf("%w while awaiting an answer", context.DeadlineExceeded)
		w.plantFailed(&n, r.err)
		return "", r.err
	}
	if r.err == nil {
		p.unlucky = 0
		return r.receipt, nil
	}
	w.plantFailed(&n, r.err)
	return "", r.err
}

// land is a request that has arrived.
func (p *provider) land(r *request) {
	w := p.w
	w.onTheWay--
	if r.dropped {
		return
	}
	r.landed = true
	switch {
	case p.trouble == "refuses":
		r.err = errGateway
	case p.trouble == "silent":
		r.err = errReset
	case p.trouble == "revoked":
		r.err = errRevoked
	case w.now.Before(p.hold):
		r.err = notifiers.Later{Err: errors.New("429"), After: p.hold.Sub(w.now)}
	case !w.healed && p.unlucky < 3 && chanceOf(w.chance, w.weather.refused):
		p.unlucky++
		r.err = []error{errGateway, errReset}[w.chance.IntN(2)]
	case !w.healed && p.unlucky < 3 && chanceOf(w.chance, w.weather.limited):
		p.unlucky++
		p.hold = w.now.Add(between(w.chance, time.Second, 2*time.Minute))
		r.err = notifiers.Later{Err: errors.New("429"), After: p.hold.Sub(w.now)}
	}
	if r.err != nil {
		p.well = later(p.well, later(w.now, p.hold))
		w.tally.Refused++
		w.say("%s does not take %s %s: %v", p.name, r.n.Kind, r.n.Key, r.err)
		return
	}
	w.tally.Landed++
	r.receipt = p.take(&r.n, r.sent)
	w.say("%s takes %s %s (%s)", p.name, r.n.Kind, r.n.Key, r.receipt)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// take keeps what has come.
func (p *provider) take(n *notifiers.Notice, sent time.Time) string {
	switch {
	case p.traits.Pages:
		return p.page(n, sent)
	case p.traits.Edits:
		return p.post(n)
	}
	p.taken[string(n.Kind)+" "+n.Key]++
	if n.Kind == incident.Call {
		p.w.rang(p, n)
	}
	return fmt.Sprintf("%s/%d", p.name, len(p.taken))
}

// post is what a channel does: it takes everything, as often as it comes; only the nonce tells one message from another.
func (p *provider) post(n *notifiers.Notice) string {
	if n.Kind == incident.Message && n.Parent != "" {
		for _, m := range p.messages {
			if m.receipt == n.Parent {
				if n.Incident.Revision < m.revision {
					p.w.fail("I6", "the message of %s at %s went back from revision %d to %d", m.incident, p.name, m.revision, n.Incident.Revision)
				}
				m.state, m.revision = n.Incident.State, n.Incident.Revision
				return n.Parent
			}
		}
	}
	m := &message{receipt: fmt.Sprintf("%s/%d", p.name, len(p.messages)+1), parent: n.Parent, nonce: n.Key, kind: n.Kind, incident: n.Incident.ID,
		state: n.Incident.State, revision: n.Incident.Revision}
	p.messages = append(p.messages, m)
	p.nonces[n.Key] = append(p.nonces[n.Key], m)
	p.w.tally.Messages++
	switch {
	case len(p.nonces[n.Key]) == 1:
	case n.Kind == incident.Call && p.unfound[n.Key]:
		p.w.tally.SaidTwice++ // a page is rather said twice than not at all, where it cannot be looked for
	default:
		p.w.fail("I8", "%s %s is in %s %d times", n.Kind, n.Key, p.name, len(p.nonces[n.Key]))
	}
	if n.Kind == incident.Call || len(n.Mention) > 0 {
		p.w.rang(p, n)
	}
	return m.receipt
}

// has says whether it took a row.
func (p *provider) has(n *incident.Notification) bool {
	switch {
	case p.traits.Pages && n.Kind == incident.Call:
		return p.keys[n.Key] != nil && p.keys[n.Key].triggers > 0
	case p.traits.Pages:
		return p.keys[n.Key] != nil
	case p.traits.Edits:
		return len(p.nonces[n.Key]) > 0
	}
	return p.taken[string(n.Kind)+" "+n.Key] > 0
}

// ask waits for an answer to a question; an error if there is none.
func (p *provider) ask() error {
	w := p.w
	w.tally.Calls++
	w.step()
	if !w.pause(w.now.Add(between(w.chance, 5*time.Millisecond, 500*time.Millisecond))) {
		panic(killed{})
	}
	switch {
	case p.trouble == "revoked":
		return errRevoked
	case p.trouble != "":
		p.well = later(p.well, w.now)
		return errGateway
	case !w.healed && p.unlucky < 3 && chanceOf(w.chance, w.weather.refused):
		p.unlucky++
		return errReset
	}
	return nil
}

// Find looks for the nonce of an earlier attempt, as Slack's notifier does.
func (c channel) Find(_ context.Context, n notifiers.Notice) (string, bool, error) {
	if n.Kind == incident.Message && n.Parent != "" {
		return "", false, nil
	}
	if err := c.ask(); err != nil {
		c.unfound[n.Key] = true
		return "", false, err
	}
	if found := c.nonces[n.Key]; len(found) > 0 {
		return found[0].receipt, true, nil
	}
	return "", false, nil
}

// Adopt looks for the newest message of a (rule, group) that is not told as over.
func (c channel) Adopt(_ context.Context, hash string) (notifiers.Earlier, error) {
	if err := c.ask(); err != nil {
		return notifiers.Earlier{}, err
	}
	for i := len(c.messages) - 1; i >= 0; i-- {
		m := c.messages[i]
		if m.kind == incident.Message && incident.HashOf(m.incident) == hash {
			if m.state == incident.Resolved || m.state == incident.Merged {
				break
			}
			return notifiers.Earlier{Receipt: m.receipt}, nil
		}
	}
	return notifiers.Earlier{}, nil
}
