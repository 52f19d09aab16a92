package incident_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/escalation"
	"tocsin/internal/incident"
	"tocsin/internal/store"
)

var update = flag.Bool("update", false, "write what came into the scripts")

// TestScripts plays what happens to incidents. A line of a script is a command, what came of it stands indented below:
// what was told, in order, then the incidents that are as they were not before.
//
//	fire  rule=R [service=S] [cluster=C|-] [sev=S] [mode=M] [of=RULE,RULE] [impact=down] [first=D] [last=D]   an alert fires
//	clear rule=R [service=S] [cluster=C|-]                                                                 it is over
//	silence OWNER MATCHER... [for=D] [from=D] [upto=SEVERITY] [try=yes]   expire ID by   events #1   damp D
//	declare BY TITLE [service=S] [sev=S]   merge #1 #2 by   split #1 RULE by [group=JSON]   ask #1 PERSON by
//	ack #1 by   resolve #1 by   answer RECEIVER KEY acknowledged|resolved by [at=D]   wait D   mute D
//
//	watch   override PERSON for=D   as the rota's, which changes from ana to ben after a week
//
// A command at=D happens at that time after the beginning; what is due before it is done first.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *update {
				if err := os.WriteFile(f, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(want), got); diff != "" && !*update {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func play(t *testing.T, script string) string {
	ctx := t.Context()
	w, err := newWorld(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer w.db.Close()
	var out []string
	seen := map[string]string{}
	for _, line := range strings.Split(strings.TrimRight(script, "\n"), "\n") {
		if strings.HasPrefix(line, "  ") {
			continue
		}
		out = append(out, line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := w.command(ctx, strings.Fields(line)); err != nil {
			w.said = append(w.said, "  error: "+w.plain(err.Error()))
		}
		if err := w.run(ctx, w.now); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		out = append(out, w.said...)
		w.said = nil
		all, err := w.all(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for i := range all {
			if d := w.describe(&all[i]); d != seen[all[i].ID] {
				out = append(out, d)
				seen[all[i].ID] = d
			}
		}
	}
	return strings.Join(out, "\n") + "\n"
}

// command does one line of a script.
func (w *world) command(ctx context.Context, words []string) error {
	var plain []string
	args := map[string]string{}
	for _, word := range words[1:] {
		if name, value, ok := strings.Cut(word, "="); ok && !strings.ContainsAny(word, `"~!`) {
			args[name] = value
		} else {
			plain = append(plain, word)
		}
	}
	if at, ok := args["at"]; ok && words[0] != "answer" {
		if err := w.run(ctx, day.Add(duration(at))); err != nil {
			return err
		}
	}
	switch words[0] {
	case "fire":
		a := alert(args, w.now)
		return w.do(ctx, func(b *incident.Book) { w.name(b.Fire(a).ID) })
	case "clear":
		a, ok, err := w.firing(ctx, alert(args, w.now).Key)
		if err != nil || !ok {
			return fmt.Errorf("it does not fire: %w", err)
		}
		return w.do(ctx, func(b *incident.Book) { b.Clear(a.Incident, a.Key, "seen well") })
	case "ack":
		return w.actions.Acknowledge(ctx, w.id(plain[0]), plain[1], w.now)
	case "resolve":
		return w.actions.Resolve(ctx, w.id(plain[0]), plain[1], w.now)
	case "declare":
		d := incident.Declaration{Title: strings.Join(plain[1:], " "), By: plain[0], Labels: incident.Labels{"cluster": "c", "service": args["service"]}}
		if err := d.Severity.UnmarshalText([]byte(args["sev"])); err != nil {
			return err
		}
		id, err := w.actions.Declare(ctx, d, w.now)
		if err == nil {
			w.name(id)
		}
		return err
	case "merge":
		return w.actions.Merge(ctx, w.id(plain[0]), w.id(plain[1]), plain[2], w.now)
	case "split":
		id, err := w.actions.Split(ctx, w.id(plain[0]), incident.Key{Rule: plain[1], Group: args["group"]}, plain[2], w.now)
		if err == nil {
			w.name(id)
		}
		return err
	case "ask":
		return w.actions.Ask(ctx, w.id(plain[0]), plain[1], plain[2], w.now)
	case "answer":
		key, rest, more := strings.Cut(plain[1], ".")
		if key = w.id(key); more {
			key += "." + rest
		}
		if plain[2] == "resolved" {
			w.answered[w.id(plain[1])] = append(w.answered[w.id(plain[1])], plain[0]+" "+key)
		}
		at := w.now
		if args["at"] == "unknown" {
			at = time.Time{}
		} else if args["at"] != "" {
			at = day.Add(duration(args["at"]))
		}
		return w.actions.Answered(ctx, plain[0], key, incident.State(plain[2]), plain[3], at, w.now)
	case "wait":
		return w.run(ctx, w.now.Add(duration(plain[0])))
	case "damp":
		w.desk.Damping = incident.Damping{Times: 3, Within: duration(plain[0])}
		return nil
	case "silence":
		return w.silence(ctx, plain[0], plain[1:], args)
	case "expire":
		id, err := strconv.ParseInt(plain[0], 10, 64)
		if err == nil {
			_, err = w.actions.EndSilence(ctx, id, plain[1], w.now)
		}
		return err
	case "events":
		return w.db.View(ctx, func(tx *store.Tx) error {
			events, err := tx.Events(ctx, w.id(plain[0]))
			for _, e := range events {
				w.said = append(w.said, fmt.Sprintf("  %s %s: %s", e.At.Sub(day), e.Kind, w.plain(e.Text)))
			}
			return err
		})
	case "watch": // as at a start
		return w.db.Update(ctx, func(tx *store.Tx) error { return escalation.WatchShifts(ctx, tx, w.rotas, w.now) })
	case "override":
		err := w.db.Update(ctx, func(tx *store.Tx) error {
			if err := tx.AddOverride(ctx, &store.Override{Schedule: "rota", Person: plain[0], From: w.now, To: w.now.Add(duration(args["for"])), By: "ana", Reason: "because", At: w.now}); err != nil {
				return err
			}
			return escalation.LookAgain(ctx, tx, "rota", w.now)
		})
		return err
	case "mute":
		w.muted = w.now.Add(duration(plain[0]))
		return nil
	case "route":
		w.route = plain[0]
		return nil
	}
	return fmt.Errorf("no command %q", words[0])
}

// silence makes or tries a silence.
func (w *world) silence(ctx context.Context, owner string, matchers []string, args map[string]string) error {
	s := incident.Silence{Owner: owner, Reason: "because", Matchers: matchers, Starts: w.now}
	if args["from"] != "" {
		s.Starts = day.Add(duration(args["from"]))
	}
	if args["for"] != "" {
		s.Ends = s.Starts.Add(duration(args["for"]))
	}
	if args["upto"] != "" {
		if err := s.UpTo.UnmarshalText([]byte(args["upto"])); err != nil {
			return err
		}
	}
	do := w.actions.AddSilence
	if args["try"] != "" {
		do = w.actions.PreviewSilence
	}
	made, affected, err := do(ctx, s, w.now)
	if err != nil {
		return err
	}
	w.said = append(w.said, fmt.Sprintf("  silence %d from %s to %s up to %s", made.ID, made.Starts.Sub(day), made.Ends.Sub(day), made.UpTo))
	for _, a := range affected {
		hides := "hides"
		if !a.Hidden {
			hides = "does not hide"
		}
		w.said = append(w.said, strings.TrimRight(fmt.Sprintf("  %s %s %s: %s", hides, w.name(a.Incident.ID), a.Incident.State, a.Why), ": "))
	}
	return nil
}

func duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}

// alert makes the alert that a command speaks of.
func alert(args map[string]string, now time.Time) incident.Alert {
	labels := incident.Labels{"project": "prow", "cluster": "c"}
	group := incident.Labels{}
	switch c := args["cluster"]; c {
	case "":
	case "-":
		delete(labels, "cluster")
	default:
		labels["cluster"] = c
		group["cluster"] = c
	}
	if s := args["service"]; s != "" {
		labels["service"], group["service"] = s, s
	}
	a := incident.Alert{
		Key: incident.Key{Rule: args["rule"], Group: group.Text()}, Labels: labels, Severity: incident.High, Mode: incident.Page, Impact: args["impact"],
		First: now, Last: now, Identity: now.String(), FiredAt: now, Count: 1, Annotations: map[string]string{"summary": args["rule"] + " " + args["service"]},
		FirstLine: incident.Line{Time: now, Text: "line of " + args["rule"]},
	}
	if args["sev"] != "" {
		if err := a.Severity.UnmarshalText([]byte(args["sev"])); err != nil {
			panic(err)
		}
	}
	if args["mode"] != "" {
		a.Mode = incident.Mode(args["mode"])
	}
	if args["of"] != "" {
		a.SymptomOf = strings.Split(args["of"], ",")
	}
	if args["first"] != "" {
		a.First = day.Add(duration(args["first"]))
	}
	if args["last"] != "" {
		a.Last = day.Add(duration(args["last"]))
	}
	return a
}
