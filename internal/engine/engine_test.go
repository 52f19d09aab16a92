package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/escalation"
	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/store"
	"tocsin/rules"
)

var day = time.Date(2019, 1, 23, 12, 0, 0, 0, time.UTC)

const ruleFile = `
rules:
  - name: five
    filter: resource.labels.cluster_name="prow" resource.labels.namespace_name="default" severity=ERROR jsonPayload.msg="bad"
    group_by: {cluster: resource.labels.cluster_name, service: resource.labels.container_name}
    detect: {threshold: {count: 5, window: 10m}}
    resolves:
      on_quiet: {after: 15m, alive: 'resource.labels.cluster_name="prow" severity=INFO'}
    severity: critical
    mode: page
  - name: silent
    filter: resource.labels.cluster_name="prow" jsonPayload.msg="beat"
    group_by: {cluster: resource.labels.cluster_name}
    detect: {absence: {after: 10m}}
    severity: high
`

func read(t testing.TB, file string) *rules.Set {
	t.Helper()
	list, errs := rules.Read("test.yaml", []byte(file))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return rules.NewSet(list)
}

// life is an engine and an escalation on a store, from one start to the next crash. A crash is that they are left where they are.
type life struct {
	t     testing.TB
	path  string
	db    *store.Store
	e     *Engine
	steps *escalation.Escalation
	rules string
}

func begin(t testing.TB, path, file string) *life {
	t.Helper()
	db, err := store.Open(context.Background(), path, store.Options{Now: func() time.Time { return day }})
	if err != nil {
		t.Fatal(err)
	}
	return beginOn(t, db, path, file)
}

// beginOn begins on a store that is open.
func beginOn(t testing.TB, db *store.Store, path, file string) *life {
	t.Helper()
	desk := &store.Desk{Traits: map[string]incident.Traits{"people": {Edits: true}, "oncall": {Pages: true}},
		Direct: func(inc *incident.Incident, _ time.Time) incident.Direction {
			d := incident.Direction{Receivers: []string{"people"}}
			if inc.Severity == incident.Critical {
				d.Policy = "urgent"
			}
			return d
		}}
	e, err := New(context.Background(), db, Options{Program: Program{Evaluator: &rules.Evaluator{Set: read(t, file), Lateness: time.Minute}, Desk: desk, Project: "p"}})
	if err != nil {
		t.Fatal(err)
	}
	plan, errs := escalation.NewPlan(escalation.Policy{Steps: []escalation.Step{{Notify: []string{"oncall"}}}},
		escalation.Known{Receivers: []string{"oncall"}})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	program := escalation.Program{Plans: map[string]*escalation.Plan{"urgent": plan}, Desk: desk}
	return &life{t: t, path: path, db: db, e: e, rules: file, steps: escalation.New(db, func() escalation.Program { return program }, nil)}
}

// crash ends the life and begins another on the same file.
func (l *life) crash() {
	l.t.Helper()
	if err := l.db.Close(); err != nil {
		l.t.Fatal(err)
	}
	*l = *begin(l.t, l.path, l.rules)
}

func (l *life) offer(b logs.Batch) {
	l.t.Helper()
	if err := l.e.Offer(context.Background(), b); err != nil {
		l.t.Fatal(err)
	}
}

// step does what is due at a time, in the engine and in the escalation.
func (l *life) step(at time.Time) {
	l.t.Helper()
	for range 1000 {
		next, err := l.e.Step(context.Background(), at)
		if err != nil {
			l.t.Fatal(err)
		}
		if next.IsZero() || next.After(at) {
			for range 100 {
				next, err := l.steps.Step(context.Background(), at)
				if err != nil {
					l.t.Fatal(err)
				}
				if next.IsZero() || next.After(at) {
					return
				}
			}
		}
	}
	l.t.Fatalf("there is no end to what is due at %s", at.Sub(day))
}

// line is an entry of a container of prow.
func line(at time.Duration, id, severity, container, msg string) string {
	return fmt.Sprintf(`{"timestamp":%q,"receiveTimestamp":%[1]q,"insertId":%q,"severity":%q,"logName":"projects/p/logs/x","resource":{"type":"k8s_container","labels":{"project_id":"p","cluster_name":"prow","namespace_name":"default","container_name":%q}},"jsonPayload":{"msg":%q}}`,
		day.Add(at).Format(time.RFC3339Nano), id, severity, container, msg) + "\n"
}

// batch is what a source read up to a time.
func batch(received time.Duration, cursor string, caughtUp bool, lines ...string) logs.Batch {
	return logs.Batch{Source: "src", Data: []byte(strings.Join(lines, "")), Cursor: logs.Cursor(cursor), Received: day.Add(received), CaughtUp: caughtUp}
}

// story is all that the store tells of incidents: what must be the same however it came about.
func (l *life) story() string {
	l.t.Helper()
	var out []string
	err := l.db.View(context.Background(), func(tx *store.Tx) error {
		all, err := tx.Incidents(context.Background(), store.IncidentFilter{})
		for _, inc := range all {
			out = append(out, fmt.Sprintf("%s %s %s %q", inc.ID, inc.State, inc.Severity, inc.Title))
			for _, a := range inc.Alerts {
				out = append(out, fmt.Sprintf("  %s %s %s first %s last %s count %d", a.Rule, a.Group, a.State, a.First.Sub(day), a.Last.Sub(day), a.Count))
			}
			rows, err := tx.Notifications(context.Background(), inc.ID)
			if err != nil {
				return err
			}
			for _, n := range rows {
				if n.Kind != incident.Post {
					out = append(out, fmt.Sprintf("  %s %s round %d %s", n.Kind, n.Target, n.Round, n.Key))
				}
			}
		}
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return strings.Join(out, "\n")
}

func wantStory(t *testing.T, l *life, parts ...string) {
	t.Helper()
	story := l.story()
	for _, p := range parts {
		if part, not := strings.CutPrefix(p, "!"); not == strings.Contains(story, part) {
			t.Errorf("want %q in:\n%s", p, story)
		}
	}
}

func fives(from, n int) (lines []string) {
	for i := range n {
		lines = append(lines, line(time.Duration(from+i)*time.Minute, fmt.Sprint("f", from+i), "ERROR", "hook", "bad"))
	}
	return lines
}

// What was counted before a crash counts with what the source has still to tell, however long the process was gone.
func TestCountsOutliveAnOutageOfTheProcess(t *testing.T) {
	l := begin(t, filepath.Join(t.TempDir(), "db"), ruleFile)
	l.offer(batch(4*time.Minute, "4", true, fives(0, 4)...))
	l.step(day.Add(4 * time.Minute))
	l.crash()
	l.step(day.Add(40 * time.Minute)) // before the source has said a word
	l.offer(batch(40*time.Minute, "5", true, fives(4, 1)...))
	l.step(day.Add(40 * time.Minute))
	wantStory(t, l, "five {", "count 5", "call oncall round 1")
}

// The same, where it was the source that could not be read.
func TestCountsOutliveAnOutageOfTheSource(t *testing.T) {
	for _, blind := range []bool{false, true} {
		l := begin(t, filepath.Join(t.TempDir(), "db"), ruleFile)
		l.offer(batch(4*time.Minute, "4", true, fives(0, 4)...))
		l.step(day.Add(4 * time.Minute))
		if blind {
			b := batch(5*time.Minute, "", false)
			b.Blind = true
			l.offer(b)
		} else {
			l.e.Down("src")
		}
		l.step(day.Add(40 * time.Minute))
		l.offer(batch(40*time.Minute, "5", true, fives(4, 1)...))
		l.step(day.Add(40 * time.Minute))
		wantStory(t, l, "count 5", "call oncall round 1")
	}
}

// A source that was idle for long reads the last minutes of its own clock once more, whose identities have been forgotten by the wall
// clock's.
func TestWhatIsReadAgainAfterAnIdleTimeIsNotCountedTwice(t *testing.T) {
	l := begin(t, ":memory:", ruleFile)
	l.offer(batch(4*time.Minute, "5", true, fives(0, 5)...))
	l.step(day.Add(5 * time.Minute))
	l.step(day.Add(40 * time.Minute))
	l.offer(batch(40*time.Minute, "5", true, fives(0, 5)...))
	l.step(day.Add(40 * time.Minute))
	wantStory(t, l, "firing", "count 5")
	l.offer(batch(41*time.Minute, "6", true, fives(41, 1)...))
	l.step(day.Add(41 * time.Minute))
	wantStory(t, l, "firing", "count 6")
	// Nor does it fire again once it is over.
	l.offer(batch(52*time.Minute, "7", true, line(52*time.Minute, "a1", "INFO", "hook", "well")))
	l.step(day.Add(58 * time.Minute))
	l.offer(batch(58*time.Minute, "8", true, line(57*time.Minute+30*time.Second, "a2", "INFO", "hook", "well")))
	l.step(day.Add(59 * time.Minute))
	over := l.story()
	wantStory(t, l, "resolved critical")
	for range 30 {
		l.step(day.Add(2 * time.Hour))
	}
	l.offer(batch(2*time.Hour, "8", true, append(fives(41, 1), line(57*time.Minute+30*time.Second, "a2", "INFO", "hook", "well"))...))
	l.step(day.Add(2 * time.Hour))
	wantStory(t, l, over)
}

// A restart reads the last minutes of an idle source again, hours after what it tells of was over.
func TestWhatIsReadAgainAfterAnIdleTimeDoesNotFireAgain(t *testing.T) {
	down := []string{line(0, "d1", "ERROR", "hook", "down"), line(30*time.Second, "d2", "ERROR", "hook", "down"), line(time.Minute, "u1", "INFO", "hook", "up")}
	l := begin(t, filepath.Join(t.TempDir(), "db"), `
rules:
  - name: down
    filter: resource.labels.cluster_name="prow" resource.labels.namespace_name="default" jsonPayload.msg="down"
    group_by: {cluster: resource.labels.cluster_name}
    detect: {threshold: {count: 1, window: 5m}}
    resolves: {on_clear: 'resource.labels.cluster_name="prow" jsonPayload.msg="up"'}
    severity: critical
    mode: page
`)
	l.offer(batch(time.Minute, "2", true, down...))
	l.step(day.Add(time.Minute))
	for at := 2 * time.Minute; at < 5*time.Hour; at += time.Minute {
		l.step(day.Add(at))
	}
	over := l.story()
	wantStory(t, l, "resolved critical")
	l.crash()
	l.step(day.Add(5 * time.Hour)) // before the source has said a word
	l.offer(batch(5*time.Hour, "2", true, down[1:]...))
	l.step(day.Add(5 * time.Hour))
	if again := l.story(); again != over {
		t.Errorf("it was:\n%s\nit is:\n%s", over, again)
	}
}

// Two sources catch up side by side. What one has offered of later must not let the time run out in which the other's lines count.
func TestSourcesThatCatchUpTogetherLoseNothing(t *testing.T) {
	of := func(source string, b logs.Batch) logs.Batch {
		b.Source = source
		return b
	}
	l := begin(t, filepath.Join(t.TempDir(), "db"), ruleFile)
	now := 5 * time.Hour
	l.offer(of("a", batch(now, "1", false, fives(0, 2)...)))
	l.offer(of("b", batch(now, "1", false, line(2*time.Hour, "late", "ERROR", "deck", "bad"))))
	l.offer(of("a", batch(now, "2", false, append(fives(2, 3), line(3*time.Hour, "x", "DEBUG", "hook", "other"))...)))
	l.step(day.Add(now))
	wantStory(t, l, `"hook"} firing first 0s last 4m0s count 5`)
}

// A batch that spans hours is committed in slices. A crash between two of them reads all of it again.
func TestALongBatchThatIsReadAgainIsNotCountedTwice(t *testing.T) {
	lines := fives(0, 25) // longer than an identity is remembered
	for i := range 4 {    // each begins an alert of its own, which ends a slice
		for n := range 5 {
			lines = append(lines, line(time.Duration(30+30*i)*time.Minute+time.Duration(n)*time.Second, fmt.Sprint("d", i, n), "ERROR", fmt.Sprint("deck", i), "bad"))
		}
	}
	l := begin(t, filepath.Join(t.TempDir(), "db"), ruleFile)
	l.offer(batch(3*time.Hour, "1", false, lines...))
	for range 4 {
		if _, err := l.e.Step(context.Background(), day.Add(3*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	l.crash()
	l.offer(batch(3*time.Hour, "1", true, lines...))
	l.step(day.Add(3 * time.Hour))
	wantStory(t, l, `"hook"} firing first 0s last 24m0s count 25`)
}

// Quiet is not healthy: an alert does not end at a start because nothing has been read yet.
func TestQuietAtAStartIsNoEnd(t *testing.T) {
	l := begin(t, filepath.Join(t.TempDir(), "db"), ruleFile)
	l.offer(batch(19*time.Minute, "1", true, append(fives(0, 5), line(18*time.Minute, "a1", "INFO", "hook", "well"))...))
	l.step(day.Add(19 * time.Minute)) // the last bad line was at 4m, so quiet is over at 19m, were it not for the lateness
	l.crash()
	l.step(day.Add(30 * time.Minute))
	wantStory(t, l, "firing")
	l.offer(batch(30*time.Minute, "2", true, line(18*time.Minute+30*time.Second, "f9", "ERROR", "hook", "bad")))
	l.step(day.Add(30 * time.Minute))
	wantStory(t, l, "firing", "count 6", "!round 2")
	l.offer(batch(36*time.Minute, "3", true, line(35*time.Minute, "a2", "INFO", "hook", "well")))
	l.step(day.Add(36 * time.Minute))
	wantStory(t, l, "resolved critical")
}

func beat(at time.Duration) string {
	return line(at, fmt.Sprint("b", at), "INFO", "hook", "beat")
}

// An absence is unknown while its source is behind, blind or not heard of; its clock starts when the source has caught up.
func TestAbsence(t *testing.T) {
	blind := batch(2*time.Minute, "", false)
	blind.Blind = true
	for name, c := range map[string]struct {
		do   func(l *life)
		want []string
	}{
		"silence fires":                        {func(l *life) { l.step(day.Add(12 * time.Minute)) }, []string{"silent", "firing"}},
		"not before its time and the lateness": {func(l *life) { l.step(day.Add(11*time.Minute - time.Second)) }, []string{"!silent"}},
		"behind": {func(l *life) {
			l.offer(batch(5*time.Minute, "2", false, line(3*time.Minute, "x", "INFO", "hook", "word")))
			l.step(day.Add(time.Hour))
		}, []string{"!silent"}},
		"blind":                 {func(l *life) { l.offer(blind); l.step(day.Add(time.Hour)) }, []string{"!silent"}},
		"source down":           {func(l *life) { l.e.Down("src"); l.step(day.Add(time.Hour)) }, []string{"!silent"}},
		"restart, nothing read": {func(l *life) { l.crash(); l.step(day.Add(time.Hour)) }, []string{"!silent"}},
		"restart, caught up a moment ago": {func(l *life) {
			l.crash()
			l.step(day.Add(time.Hour))
			l.offer(batch(time.Hour, "2", true))
			l.step(day.Add(time.Hour + 9*time.Minute))
		}, []string{"!silent"}},
		"restart, caught up long ago": {func(l *life) {
			l.crash()
			l.step(day.Add(time.Hour))
			l.offer(batch(time.Hour, "2", true))
			l.step(day.Add(time.Hour + 22*time.Minute))
		}, []string{"silent", "firing"}},
		"heard again": {func(l *life) {
			l.step(day.Add(12 * time.Minute))
			l.offer(batch(13*time.Minute, "2", true, beat(13*time.Minute)))
			l.step(day.Add(13 * time.Minute))
		}, []string{"silent", "resolved"}},
		"a late line of before the silence is no sign of life": {func(l *life) {
			l.offer(batch(2*time.Minute, "2", true, beat(time.Minute)))
			l.step(day.Add(13 * time.Minute))
			l.offer(batch(13*time.Minute, "3", true, beat(30*time.Second)))
			l.step(day.Add(13 * time.Minute))
		}, []string{"silent", "firing", "!resolved"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := begin(t, filepath.Join(t.TempDir(), "db"), ruleFile)
			l.offer(batch(0, "1", true, beat(0)))
			l.step(day)
			c.do(l)
			wantStory(t, l, c.want...)
		})
	}
}

// A rule that changes keeps its alert until the new one ends it; the alert of one that is gone ends after a quiet day.
func TestRulesThatChangeOrGo(t *testing.T) {
	changed := strings.Replace(ruleFile, "count: 5", "count: 3", 1)
	gone := "rules:" + ruleFile[strings.Index(ruleFile, "\n  - name: silent"):]
	l := begin(t, filepath.Join(t.TempDir(), "db"), ruleFile)
	l.offer(batch(5*time.Minute, "1", true, fives(0, 5)...))
	l.step(day.Add(5 * time.Minute))
	wantStory(t, l, "firing")
	l.rules = changed
	l.crash()
	l.offer(batch(6*time.Minute, "2", true, fives(6, 1)...))
	l.step(day.Add(6 * time.Minute))
	wantStory(t, l, "firing", "count 6", "!round 2")
	l.offer(batch(25*time.Minute, "3", true, line(24*time.Minute, "w", "INFO", "hook", "well")))
	l.step(day.Add(25 * time.Minute))
	wantStory(t, l, "resolved critical")

	l.offer(batch(31*time.Minute, "4", true, fives(30, 5)...))
	l.step(day.Add(34 * time.Minute))
	wantStory(t, l, "firing")
	l.rules = gone
	l.crash()
	l.offer(batch(time.Hour, "5", true))
	l.step(day.Add(34*time.Minute + 23*time.Hour))
	wantStory(t, l, "firing")
	l.step(day.Add(34*time.Minute + 25*time.Hour))
	wantStory(t, l, "!firing", "resolved critical")
}

// A state that cannot be read any more costs its group what it had counted, not everybody everything.
func TestAStateThatCannotBeReadStartsAfresh(t *testing.T) {
	for _, body := range []string{"{", `{"group":{"cluster":"prow","service":"hook"},"detector":{"times":"none"}}`} {
		l := begin(t, filepath.Join(t.TempDir(), "db"), ruleFile)
		l.offer(batch(1*time.Minute, "1", true, fives(0, 2)...))
		l.step(day.Add(time.Minute))
		err := l.db.Update(t.Context(), func(tx *store.Tx) error {
			states, err := tx.RuleStates(t.Context(), "five")
			if err != nil || len(states) != 1 {
				return fmt.Errorf("%d states: %w", len(states), err)
			}
			states[0].Body = []byte(body)
			return tx.SaveState(t.Context(), states[0])
		})
		if err != nil {
			t.Fatal(err)
		}
		l.offer(batch(7*time.Minute, "2", true, fives(2, 5)...))
		l.step(day.Add(7 * time.Minute))
		wantStory(t, l, "count 5", "call oncall round 1")
	}
}
