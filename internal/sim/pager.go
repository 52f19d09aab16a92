package sim

import (
	"context"
	"time"

	"tocsin/internal/incident"
	"tocsin/notifiers"
)

// ringing is what a pager knows of a key.
type ringing struct {
	state    incident.State
	rings    int
	at       time.Time
	by       string
	said     time.Time
	incident string
	triggers int
	// heard is when tocsin asked and was told that somebody had resolved it, told says that tocsin itself has; again is how often it
	// opened anew though nobody could know better.
	heard time.Time
	told  bool
	again int
}

// page is what PagerDuty does: a key that is open rings nobody again, one that was resolved opens anew.
func (p *provider) page(n *notifiers.Notice, sent time.Time) string {
	k := p.keys[n.Key]
	if k == nil {
		k = &ringing{incident: n.Incident.ID}
		p.keys[n.Key] = k
		p.order = append(p.order, n.Key)
	}
	switch n.Kind {
	case incident.Call:
		k.triggers++
		if k.incident != n.Incident.ID {
			p.w.fail("I9", "key %s stands for %s and %s", n.Key, k.incident, n.Incident.ID)
		}
		switch {
		case k.state != incident.Resolved:
		case !k.told && (k.heard.IsZero() || !sent.After(k.heard)):
			// "Zombie calls cannot be fenced at the provider" (reliability.md, 2.3): somebody has resolved it there, and tocsin, which had
			// no answer to the trigger before, has sent it once more without having heard of that.
			k.again++
			p.w.tally.RangAgain++
		default:
			p.w.fail("I10", "%s: a trigger of %s came behind its resolve", p.name, n.Key)
		}
		if k.state == "" || k.state == incident.Resolved {
			k.state, k.at, k.by, k.heard, k.told = incident.Open, p.w.now, "", time.Time{}, false
			k.rings++
			p.w.tally.Rings++
			p.w.rang(p, n)
		}
		if k.rings > 1+k.again {
			p.w.fail("I8", "%s rang %d times for %s", p.name, k.rings, n.Key)
		}
	case incident.CallAcknowledge:
		if k.state == incident.Open {
			k.state = incident.Acknowledged
		}
	case incident.CallResolve:
		k.state, k.told = incident.Resolved, true
	}
	return n.Key
}

// Adopt looks for the open keys of a (rule, group), the newest first.
func (p pager) Adopt(_ context.Context, hash string) (found notifiers.Earlier, err error) {
	if err := p.ask(); err != nil {
		return found, err
	}
	for i := len(p.order) - 1; i >= 0; i-- {
		key := p.order[i]
		if k := p.keys[key]; (k.state == incident.Open || k.state == incident.Acknowledged) && incident.HashOf(key) == hash {
			found.Keys = append(found.Keys, key)
		}
	}
	return found, nil
}

// Poll returns what people said of the keys, as often as it is asked.
func (p pager) Poll(_ context.Context, keys []string) ([]notifiers.Answer, error) {
	if p.trouble != "" {
		return nil, errGateway
	}
	var out []notifiers.Answer
	for _, key := range keys {
		if k := p.keys[key]; k != nil && k.by != "" && (k.state == incident.Acknowledged || k.state == incident.Resolved) {
			if k.state == incident.Resolved {
				k.heard = later(k.heard, p.w.now)
			}
			out = append(out, notifiers.Answer{Key: key, State: k.state, By: k.by, At: k.said.Truncate(time.Second)})
		}
	}
	return out, nil
}
