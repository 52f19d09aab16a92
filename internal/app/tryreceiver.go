package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/internal/actions"
	"tocsin/internal/incident"
	"tocsin/internal/setting"
	"tocsin/internal/web/client"
	"tocsin/notifiers"
)

// Trying says what TryReceiver tries.
type Trying struct {
	// Config is the path of the configuration, Target a receiver or person:NAME, By who tries it.
	Config, Target, By string
	// Send sends the test, and that it is over; else it is only worded, and no file with a secret is opened.
	Send bool
	// Rings is how long a pager rings until it is told that the test is over.
	Rings time.Duration
}

// TryReceiver tries a way to be told by a configuration alone, without a service. A configuration's mistakes are config.Errors; a
// target that is not there carries not_found. Why it was not taken is in the trial.
func TryReceiver(ctx context.Context, o Trying) (client.Trial, error) {
	plan, errs := Load(o.Config)
	if len(errs) > 0 {
		return client.Trial{}, errs
	}
	spec, err := plan.target(o.Target)
	if err != nil {
		return client.Trial{}, err
	}
	notifier, err := spec.New(o.Target)
	if err != nil {
		return client.Trial{}, fmt.Errorf("make receiver %s: %w", o.Target, err)
	}
	n := trial(o.Target, o.By, spec.Traits(), time.Now())
	n.URL = plan.url(n.Incident.ID)
	if p, ok := plan.People[strings.TrimPrefix(o.Target, "person:")]; ok && spec.Traits().Direct {
		n.People = []notifiers.Person{p}
	}
	out := client.Trial{Target: o.Target, Text: notifier.Preview(n) + "\n\n" + notifier.Preview(ended(n, "", n.Now))}
	if !o.Send {
		return out, nil
	}
	receipt, err := attempt(ctx, notifier, n)
	if err == nil {
		out.Sent = true
		if spec.Traits().Pages {
			select {
			case <-time.After(o.Rings):
			case <-ctx.Done(): // whoever ends it is not to be called for nothing
			}
		}
		if _, err = attempt(context.WithoutCancel(ctx), notifier, ended(n, receipt, time.Now())); err != nil {
			err = fmt.Errorf("the test was taken, and that it is over was not: %w", err)
		}
	}
	if err != nil {
		out.Error = err.Error()
	}
	return out, nil
}

// attempt sends a notice within the time that serve gives one.
func attempt(ctx context.Context, notifier notifiers.Notifier, n notifiers.Notice) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	receipt, err := notifier.Send(ctx, n)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("it does not answer within 10 s: %w", err)
	}
	return receipt, err
}

// ended is what tells that the test of a notice is over.
func ended(n notifiers.Notice, receipt string, now time.Time) notifiers.Notice {
	n.Now, n.Reason, n.Rings, n.Text, n.Parent = now, incident.ReasonResolved, false, "", receipt
	n.Incident.State, n.Incident.ResolvedAt, n.Incident.ResolvedBy = incident.Resolved, now, "the test itself"
	n.Incident.Alerts = slices.Clone(n.Incident.Alerts)
	for i := range n.Incident.Alerts {
		n.Incident.Alerts[i].State, n.Incident.Alerts[i].ResolvedAt = incident.AlertResolved, now
	}
	n.Wanted, n.SentRevision = 2, 1
	if n.Kind == incident.Call {
		n.Kind = incident.CallResolve
	}
	return n
}

// target is the settings of a receiver, or of the way to a person.
func (p *Plan) target(name string) (notifiers.Spec, error) {
	specs := p.specs()
	if spec := specs[name]; spec != nil {
		return spec, nil
	}
	text := setting.Unknown("receiver or person", name, slices.Sorted(maps.Keys(specs)))
	if person, ok := strings.CutPrefix(name, "person:"); ok {
		text = setting.Unknown("person", person, slices.Sorted(maps.Keys(p.People)))
		if _, known := p.People[person]; known {
			text = fmt.Sprintf("%s cannot be told directly: %s", person, p.unreachable(person))
		}
	}
	if strings.HasPrefix(name, "schedule:") {
		text = "who is on call is known by the service: try it there, without --config, or one of its people, as person:NAME"
	}
	return nil, &actions.Error{Reason: "not_found", Text: text}
}
