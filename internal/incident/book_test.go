package incident_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/internal/incident"
	"tocsin/notifiers"
)

// TestAnything plays anything that can happen to incidents, in any order, and holds what is written to what must always hold.
func TestAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		w, err := newWorld(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer w.db.Close()
		if rapid.Bool().Draw(t, "damped") {
			w.desk.Damping = incident.Damping{Times: 2, Within: 20 * time.Minute}
		}
		for range rapid.IntRange(1, 25).Draw(t, "commands") {
			before := w.open(t, ctx)
			command := draw(t, before, w)
			t.Logf("%s: %s", w.now.Sub(day), command)
			from := len(w.told)
			if err := w.command(ctx, strings.Fields(command)); err != nil && !strings.Contains(err.Error(), "does not fire") && !strings.Contains(err.Error(), "already") && !strings.Contains(err.Error(), "no silence") {
				t.Fatalf("%s: %v", command, err)
			}
			if err := w.run(ctx, w.now); err != nil {
				t.Fatalf("%s: %v", command, err)
			}
			w.holds(t, ctx)
			w.acknowledgesHold(t, ctx, command, before)
			w.fallsAreQuiet(t, ctx, command, before, w.told[from:])
			w.heldIsQuiet(t, w.told[from:])
			w.said = nil
		}
		if err := w.run(ctx, w.now.Add(10*time.Second)); err != nil {
			t.Fatal(err)
		}
		w.endsAreTold(t, ctx)
		if rapid.IntRange(0, 3).Draw(t, "to the end") == 0 { // it takes hours
			w.nothingIsForgotten(t, ctx)
		}
	})
}

// draw is a command that may come next.
func draw(t *rapid.T, open []incident.Incident, w *world) string {
	what := "rule=" + rapid.SampledFrom([]string{"a", "b", "cause", "symptom"}).Draw(t, "rule")
	if s := rapid.SampledFrom([]string{"", "s", "t", "u"}).Draw(t, "service"); s != "" {
		what += " service=" + s
	}
	what += rapid.SampledFrom([]string{"", "", " cluster=-", " cluster=d", " cluster=w"}).Draw(t, "cluster")
	switch kind := rapid.SampledFrom([]string{"fire", "fire", "fire", "clear", "clear", "ack", "resolve", "answer", "wait", "mute", "silence", "expire"}).Draw(t, "kind"); {
	case kind == "clear":
		return "clear " + what
	case kind == "wait":
		return "wait " + rapid.SampledFrom([]string{"1s", "1m", "9m", "12m", "31m", "2h", "4h"}).Draw(t, "time")
	case kind == "silence":
		return "silence ana " + rapid.SampledFrom([]string{`rule="a"`, `rule=~"a|b"`, `service="s"`, `cluster="c"`}).Draw(t, "matcher") +
			rapid.SampledFrom([]string{"", " for=20m", " for=5h", " upto=critical"}).Draw(t, "length")
	case kind == "expire":
		return fmt.Sprintf("expire %d ben", rapid.IntRange(1, 3).Draw(t, "silence"))
	case kind == "mute":
		return "mute " + rapid.SampledFrom([]string{"5m", "1h"}).Draw(t, "time")
	case kind != "fire" && len(open) > 0:
		name := w.name(rapid.SampledFrom(open).Draw(t, "incident").ID)
		if kind == "answer" {
			return fmt.Sprintf("answer oncall %s %s ana", name, rapid.SampledFrom([]string{"acknowledged", "resolved"}).Draw(t, "answer"))
		}
		return kind + " " + name + " ana"
	}
	what += " sev=" + rapid.SampledFrom([]string{"critical", "high", "warning", "info"}).Draw(t, "severity")
	what += " mode=" + rapid.SampledFrom([]string{"page", "page", "tell"}).Draw(t, "mode")
	if strings.Contains(what, "symptom") {
		what += " of=cause,b"
	}
	return "fire " + what
}

// open are the incidents that are open or acknowledged.
func (w *world) open(t *rapid.T, ctx context.Context) []incident.Incident {
	all, err := w.all(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(inc incident.Incident) bool {
		return inc.State != incident.Open && inc.State != incident.Acknowledged
	})
}

// holds is what is true at any time.
func (w *world) holds(t *rapid.T, ctx context.Context) {
	all, err := w.all(ctx)
	if err != nil {
		t.Fatal(err)
	}
	member := map[incident.Key]string{}
	keys := map[string]string{}
	for _, inc := range all {
		rows, err := w.rows(ctx, inc.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range inc.Alerts {
			if inc.State != incident.Open && inc.State != incident.Acknowledged || a.State != incident.Firing {
				continue
			}
			if other := member[a.Key]; other != "" {
				t.Fatalf("%s fires in %s and in %s, which are both open", a.Key, w.name(other), w.name(inc.ID))
			}
			member[a.Key] = inc.ID
		}
		switch inc.State {
		case incident.Open:
			if inc.Policy != "" && inc.Escalation.Next.IsZero() {
				t.Fatalf("%s is open, has the policy %s, and nothing of it is due", w.name(inc.ID), inc.Policy)
			}
			if inc.Acknowledgement != nil {
				t.Fatalf("%s is open and acknowledged", w.name(inc.ID))
			}
		case incident.Acknowledged:
			if inc.Acknowledgement == nil || !inc.Escalation.Next.IsZero() {
				t.Fatalf("%s is acknowledged, and its policy goes on: %+v", w.name(inc.ID), inc.Escalation)
			}
		case incident.Merged:
			if older, err := w.get(ctx, inc.MergedInto); err != nil || older.FirstEntry.After(inc.FirstEntry) {
				t.Fatalf("%s was taken in by %s, which is not older: %v", w.name(inc.ID), inc.MergedInto, err)
			}
		}
		for _, n := range rows {
			if n.Kind != incident.Call {
				continue
			}
			if n.State == incident.Pending && inc.State != incident.Open {
				t.Fatalf("%s is %s, and a page is pending", w.name(inc.ID), inc.State)
			}
			of := fmt.Sprintf("%s round %d", inc.ID, n.Round)
			if keys[n.Key] != "" && keys[n.Key] != of {
				t.Fatalf("key %s is of %s and of %s", n.Key, keys[n.Key], of)
			}
			keys[n.Key] = of
		}
	}
}

func (w *world) get(ctx context.Context, id string) (incident.Incident, error) {
	all, err := w.all(ctx)
	for _, inc := range all {
		if inc.ID == id {
			return inc, err
		}
	}
	return incident.Incident{}, fmt.Errorf("no incident %s: %w", id, err)
}

// acknowledgesHold says that an alert takes an acknowledge back if it is worse or, at high or above, new; and else does not.
func (w *world) acknowledgesHold(t *rapid.T, ctx context.Context, command string, before []incident.Incident) {
	words := strings.Fields(command)
	if words[0] != "fire" {
		return
	}
	args := map[string]string{}
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		args[name] = value
	}
	a := alert(args, w.now)
	after := w.open(t, ctx)
	if len(after) != len(before) { // opened, merged or reopened: other rules
		return
	}
	for _, was := range before {
		is, err := w.get(ctx, was.ID)
		if err != nil || was.Acknowledgement == nil || is.Alert(a.Key) == nil || is.Alert(a.Key).State != incident.Firing {
			continue
		}
		ack := was.Acknowledgement
		covered := slices.ContainsFunc(ack.Covers, func(k incident.Key) bool {
			if k == a.Key {
				return true
			}
			cause := was.Alert(k) // of its own service, or of none
			return cause != nil && slices.Contains(a.SymptomOf, k.Rule) && (cause.Service() == "" || a.Service() == "" || cause.Service() == a.Service())
		})
		wanted := a.Severity > ack.Severity || a.Severity >= incident.High && !covered
		if taken := is.Acknowledgement == nil; taken != wanted {
			t.Fatalf("%s: acknowledge of %s at %s, covered %v: taken back %v", command, w.name(was.ID), ack.Severity, covered, taken)
		}
	}
}

// fallsAreQuiet says that what ends and leaves something less severe behind makes nothing ring.
func (w *world) fallsAreQuiet(t *rapid.T, ctx context.Context, command string, before []incident.Incident, told []notifiers.Notice) {
	if !strings.HasPrefix(command, "clear ") {
		return
	}
	for _, was := range before {
		is, err := w.get(ctx, was.ID)
		if err != nil || is.State == incident.Resolved || is.Severity >= was.Severity {
			continue
		}
		for _, n := range told {
			if n.Incident.ID == was.ID && n.Kind == incident.Call {
				t.Fatalf("%s lowered %s to %s, and %s was called: %s", command, w.name(was.ID), is.Severity, n.Target, n.Text)
			}
		}
	}
}

// endsAreTold says that the end of an incident was told to all who heard of it, and to nobody else.
func (w *world) endsAreTold(t *rapid.T, ctx context.Context) {
	all, err := w.all(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, inc := range all {
		if inc.State != incident.Resolved {
			continue
		}
		open, over := map[string]bool{}, map[string]bool{}
		for _, n := range w.told {
			if n.Incident.ID != inc.ID {
				continue
			}
			thing := n.Target
			if traits[n.Target].Pages {
				thing += " " + n.Key
			}
			switch ended := n.Incident.State == incident.Resolved; n.Kind {
			case incident.Call:
				open[thing] = true
			case incident.Message:
				open[thing] = open[thing] || !ended
				over[thing] = ended
			case incident.CallResolve:
				over[thing] = true
			}
		}
		answered := w.answered[inc.ID]
		for thing := range open {
			if !over[thing] && !slices.Contains(answered, thing) {
				t.Fatalf("%s is resolved, and %s was not told", w.name(inc.ID), w.plain(thing))
			}
		}
		for thing := range over {
			if !open[thing] {
				t.Fatalf("%s is resolved, and %s was told who had not heard of it", w.name(inc.ID), w.plain(thing))
			}
		}
	}
}

// heldIsQuiet says that nothing rings of what is held, but its end, and the word that what holds it ends.
func (w *world) heldIsQuiet(t *rapid.T, told []notifiers.Notice) {
	for _, n := range told {
		if !n.Rings || n.Incident.State == incident.Resolved || n.Event.Kind == incident.EventHoldEnds {
			continue
		}
		for _, h := range n.Incident.Holds {
			if n.Kind == incident.Call && h.Policy != "" || slices.Contains(h.Receivers, n.Target) {
				t.Fatalf("%s is held by %s, and %s %s rings: %s", w.name(n.Incident.ID), h.By, n.Kind, n.Target, n.Text)
			}
		}
	}
}

// nothingIsForgotten says that what is open once all that was to end has ended is told, and paged where it may be, and that what is still held is
// held by something that is told itself.
func (w *world) nothingIsForgotten(t *rapid.T, ctx context.Context) {
	end := w.now.Add(5*time.Hour + time.Minute) // past all silences
	if end.Hour() == 13 {
		end = end.Add(time.Hour) // out of the window
	}
	if err := w.run(ctx, end); err != nil {
		t.Fatal(err)
	}
	w.heldIsQuiet(t, w.told)
	for _, inc := range w.open(t, ctx) {
		for _, h := range inc.Holds {
			id, of := strings.CutPrefix(h.By, "incident ")
			source, err := w.get(ctx, id)
			if !of || err != nil || len(source.Holds) > 0 || source.State == incident.Resolved || source.State == incident.Merged {
				t.Fatalf("%s is held by %s still: %v", w.name(inc.ID), w.plain(h.By), err)
			}
		}
		if len(inc.Holds) > 0 || inc.Severity < incident.Warning || inc.IsStorm() { // a storm is routed nowhere: its incidents are told
			continue
		}
		called, heard := false, false
		for _, n := range w.told {
			if n.Incident.ID == inc.ID {
				heard = heard || n.Kind == incident.Message
				called = called || n.Kind == incident.Call && traits[n.Target].Pages
			}
		}
		if !heard || inc.Severity == incident.Critical && inc.MayPage() && inc.State == incident.Open && !called {
			t.Fatalf("%s is %s %s: told %v, paged %v", w.name(inc.ID), inc.State, inc.Severity, heard, called)
		}
	}
}
