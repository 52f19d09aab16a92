package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/internal/access"
	"tocsin/internal/actions"
	"tocsin/internal/escalation"
	"tocsin/internal/incident"
	"tocsin/internal/setting"
	"tocsin/internal/store"
	"tocsin/notifiers"
)

// oncall is what people ask and do about who is called.
type oncall struct {
	a *App
	*actions.Oncall
}

func (a *App) newOncall() oncall {
	return oncall{a: a, Oncall: actions.NewOncall(a.store, func() map[string]*escalation.Rota { return a.generationNow().plan.Rotas })}
}

// tryWithin is how long a test may take: less than a request may.
const tryWithin = 8 * time.Second

// Try sends one test, past the outbox: who asks waits for what comes of it.
func (o oncall) Try(ctx context.Context, target, by string, dry bool) (text, answer string, err error) {
	targets := o.a.generationNow().targets
	t, ok := targets[target]
	if !ok {
		text, err := o.untried(ctx, target, slices.Collect(maps.Keys(targets)))
		if err != nil {
			return "", "", err
		}
		return "", "", &actions.Error{Reason: "not_found", Text: text}
	}
	n := trial(target, by, t.Traits, time.Now())
	text = t.Notifier.Preview(n)
	if dry {
		return text, "", nil
	}
	err = o.a.store.Update(ctx, func(tx *store.Tx) error {
		return access.Record(ctx, tx, time.Now(), access.Deed{Who: by, Deed: "test", About: "receiver " + target})
	})
	if err != nil {
		return text, "", err
	}
	limited, cancel := context.WithTimeout(ctx, tryWithin)
	defer cancel()
	if _, err := t.Notifier.Send(limited, n); err != nil {
		answer = err.Error()
	}
	o.a.o.Log.Info("a receiver was tested", "receiver", target, "by", by, "error", answer)
	return text, answer, nil
}

// untried says why a name is none that can be tried, and which can.
func (o oncall) untried(ctx context.Context, target string, targets []string) (string, error) {
	plan := o.a.generationNow().plan
	if name, ok := strings.CutPrefix(target, "person:"); ok {
		if _, known := plan.People[name]; known {
			return fmt.Sprintf("%s cannot be told directly: %s", name, plan.unreachable(name)), nil
		}
		return setting.Unknown("person", name, slices.Collect(maps.Keys(plan.People))), nil
	}
	name, ok := strings.CutPrefix(target, "schedule:")
	if !ok {
		return setting.Unknown("receiver or person", target, targets), nil
	}
	if plan.Rotas[name] == nil {
		return escalation.UnknownSchedule(name, plan.Rotas), nil
	}
	duties, err := o.Duties(ctx, time.Now())
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(duties, func(d actions.Duty) bool { return d.Schedule == name && len(d.Turns) > 0 && len(d.Turns[0].People) > 0 })
	if i < 0 {
		return fmt.Sprintf("nobody is on call in schedule %s now: try one of its people, as person:NAME", name), nil
	}
	return fmt.Sprintf("a schedule is told by telling who is on call: try person:%s", strings.Join(duties[i].Turns[0].People, " or person:")), nil
}

// trial is a notice that says that it is a test. A pager is rung with it.
func trial(target, by string, traits notifiers.Traits, now time.Time) notifiers.Notice {
	key := incident.Key{Rule: "tocsin-notify-test", Group: incident.Labels{"receiver": target}.Text()}
	id := incident.NewID(now, key, by)
	title := fmt.Sprintf("TEST of %s by %s: nothing is wrong", target, by)
	line := incident.Line{Time: now, Text: "This is a test: somebody tries whether this way of being told works. There is nothing to do.", Service: "tocsin"}
	n := notifiers.Notice{Now: now, Notification: incident.Notification{Incident: id, Target: target, Kind: incident.Message, Key: id + "/" + target,
		Reason: incident.ReasonOpened, Rings: true, CreatedAt: now}}
	severity := incident.Info
	if traits.Pages {
		n.Kind, n.Key, n.Round, n.Text, severity = incident.Call, id, 1, "a test: resolve it at the pager", incident.Critical
	}
	n.Incident = incident.Incident{ID: id, State: incident.Open, Severity: severity, Title: title, Headline: key, FirstEntry: now, OpenedAt: now,
		Labels: incident.Labels{"service": "tocsin", "severity": severity.String(), "rule": key.Rule},
		Alerts: []incident.Alert{{Key: key, Incident: id, State: incident.Firing, Severity: severity, Mode: incident.Page, First: now, Last: now, FiredAt: now,
			Labels: incident.Labels{"service": "tocsin"}, Annotations: map[string]string{"summary": title}, FirstLine: line}}}
	return n
}

// maintenance are the maintenance windows in force at a time.
func (a *App) maintenance(at time.Time) []incident.Holder {
	return a.generationNow().plan.Holding.InForce(at)
}

// people are the names of those whom the configuration in force names.
func (a *App) people() []string { return slices.Sorted(maps.Keys(a.generationNow().plan.File.People)) }
