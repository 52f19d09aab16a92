package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/incident"
)

// nasty is text as logs may bring it.
const nasty = "'; DROP TABLE incidents; --\x00\u202e <!channel> \"ü\"\n"

func fullAlert(id, rule string) incident.Alert {
	return incident.Alert{
		Key: incident.Key{Rule: rule, Group: `{"cluster":"prow"}`}, Incident: id, State: incident.Firing,
		Labels: incident.Labels{"cluster": "prow", "x": nasty}, Annotations: map[string]string{"summary": nasty},
		Severity: incident.High, Mode: incident.Page, Impact: incident.Down, SymptomOf: []string{"a", "b"},
		First: day.Add(-time.Hour), Last: day, Identity: "id", FiredAt: day.Add(time.Second), ResolvedAt: day.Add(time.Minute),
		Count: math.MaxInt64, About: true, FirstLine: incident.Line{Time: day, Text: "line", Service: "hook"},
		Lines: []incident.Line{{Time: day, Text: "one"}, {Text: "two"}}, List: []string{"hook", "deck"}, Orphaned: true,
		Flap: &incident.Flap{Fires: []time.Time{day}, Since: day.Add(1), Until: day.Add(2), Back: 3},
	}
}

func fullIncident(id string) incident.Incident {
	return incident.Incident{
		ID: id, Project: "p", Cluster: "prow", State: incident.Acknowledged, Severity: incident.Critical, Title: nasty,
		Headline: incident.Key{Rule: "r1", Group: "g"}, Labels: incident.Labels{"a": "b"}, FirstEntry: day, OpenedAt: day.Add(1), UpdatedAt: day.Add(2),
		Revision: 7, Acknowledgement: &incident.Acknowledgement{By: "first", At: day, Covers: []incident.Key{{Rule: "r1", Group: "g"}}, Severity: incident.High,
			Asked: &incident.Asked{To: []string{"third"}, By: "first", At: day.Add(1), Until: day.Add(2)}},
		ResolvedAt: day.Add(3), ResolvedBy: "second", HeldUntil: day.Add(4), MergedInto: "other", Apart: []string{"another"}, Receivers: []string{"testing-ops"},
		Policy: "prow-oncall", Round: 3, Escalation: incident.Escalation{Start: day, Step: 1, Pass: 2, Exhausted: true, Next: day.Add(5), News: "n"},
		Due: day.Add(6), PagedSeverity: incident.High, Told: 9,
		Holds: []incident.Holder{{By: "silence 3", Of: "ana", Why: nasty, Until: day.Add(7), Receivers: []string{"testing-ops"}, Policy: "prow-oncall"}}, Alerts: []incident.Alert{fullAlert(id, "r1"), fullAlert(id, "r2")},
	}
}

func TestIncidentRoundTrip(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		want := fullIncident("01D1VX0000AAAAAAAABBBBBBBB")
		empty := incident.Incident{ID: "01D1VX0000CCCCCCCCBBBBBBBB", Labels: incident.Labels{}}
		update(t, s, func(ctx context.Context, tx *Tx) error {
			return errors.Join(tx.SaveIncident(ctx, &want), tx.SaveIncident(ctx, &empty))
		})
		check := func(want incident.Incident) {
			t.Helper()
			view(t, s, func(ctx context.Context, tx *Tx) error {
				got, err := tx.Incident(ctx, want.ID)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("read back (-saved +read):\n%s", diff)
				}
				return err
			})
		}
		check(want)
		check(empty)
		// Saved again it is the same rows, with what changed; an alert that it no longer has is gone.
		want.State, want.Acknowledgement, want.Due = incident.Resolved, nil, time.Time{}
		want.Alerts = want.Alerts[1:]
		want.Alerts[0].State = incident.AlertResolved
		update(t, s, func(ctx context.Context, tx *Tx) error { return tx.SaveIncident(ctx, &want) })
		check(want)
		want.Alerts[0].Count = 5
		update(t, s, func(ctx context.Context, tx *Tx) error { return tx.SaveAlert(ctx, &want.Alerts[0]) })
		check(want)
		update(t, s, func(ctx context.Context, tx *Tx) error {
			if _, err := tx.Incident(ctx, "nobody"); !errors.Is(err, ErrNotFound) {
				t.Errorf("an incident that is not there gives %v", err)
			}
			if err := tx.SaveIncident(ctx, &incident.Incident{}); err == nil {
				t.Error("an incident without an id was saved")
			}
			return nil
		})
	})
}

func TestFindIncident(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		const a, b = "01D1VX0000AAAAAAAABBBBBBBB", "01D1VX0000AZAAAAAABBBBBBBB"
		update(t, s, func(ctx context.Context, tx *Tx) error {
			return errors.Join(tx.SaveIncident(ctx, &incident.Incident{ID: a}), tx.SaveIncident(ctx, &incident.Incident{ID: b}),
				tx.SaveIncident(ctx, &incident.Incident{ID: "short"}))
		})
		tests := []struct {
			prefix, want string
			err          error
		}{
			{a, a, nil}, {strings.ToLower(a[:12]), a, nil}, {"01d1vx0000az", b, nil}, {"short", "short", nil},
			{"01D1V", "", ErrNotFound}, {"01D1VX", "", ErrAmbiguous}, {"01D1VX0000B", "", ErrNotFound}, {"%%%%%%", "", ErrNotFound},
		}
		for _, test := range tests {
			view(t, s, func(ctx context.Context, tx *Tx) error {
				got, err := tx.FindIncident(ctx, test.prefix)
				if !errors.Is(err, test.err) || got.ID != test.want {
					t.Errorf("FindIncident(%q) = %q, %v; want %q, %v", test.prefix, got.ID, err, test.want, test.err)
				}
				return nil
			})
		}
	})
}

// TestAmbiguousPrefix holds that what a prefix fits is named, those first that are not over, and bounded.
func TestAmbiguousPrefix(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		update(t, s, func(ctx context.Context, tx *Tx) error {
			for i := range 30 {
				inc := incident.Incident{ID: fmt.Sprintf("01D1VX00000000000000000A%02d", i), State: incident.Resolved, Title: "hook is down"}
				if i == 19 {
					inc.State, inc.Title = incident.Acknowledged, strings.Repeat("tide ", 100)
				}
				if err := tx.SaveIncident(ctx, &inc); err != nil {
					return err
				}
			}
			return nil
		})
		view(t, s, func(ctx context.Context, tx *Tx) error {
			_, err := tx.FindIncident(ctx, "01d1vx")
			text := fmt.Sprint(err)
			if want := "01d1vx: fits several incidents: 01D1VX00000000000000000A19 (acknowledged: tide tide"; !errors.Is(err, ErrAmbiguous) || !strings.Contains(text, want) {
				t.Errorf("%v, want %s", err, want)
			}
			if !strings.Contains(text, "…), 01D1VX00000000000000000A00 (resolved: hook is down), ") || !strings.HasSuffix(text, " and others; give more of the id") || len(text) > 900 {
				t.Errorf("%v", err)
			}
			return nil
		})
	})
}

func ids(all []incident.Incident) string {
	var names []string
	for _, i := range all {
		names = append(names, i.ID)
	}
	return strings.Join(names, " ")
}

func TestListsOfIncidents(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		at := func(m int) time.Time { return day.Add(time.Duration(m) * time.Minute) }
		update(t, s, func(ctx context.Context, tx *Tx) error {
			for _, inc := range []incident.Incident{
				{ID: "a", Project: "p", State: incident.Open, FirstEntry: at(2), OpenedAt: at(5), Due: at(9)},
				{ID: "b", Project: "p", State: incident.Acknowledged, FirstEntry: at(1), OpenedAt: at(5), Due: at(8)},
				{ID: "c", Project: "p", State: incident.Resolved, FirstEntry: at(0), OpenedAt: at(1), ResolvedAt: at(6)},
				{ID: "d", Project: "p", State: incident.Resolved, FirstEntry: at(0), OpenedAt: at(2), ResolvedAt: at(4)},
				{ID: "e", Project: "q", State: incident.Open, FirstEntry: at(0), OpenedAt: at(9), Due: at(8)},
				{ID: "f", Project: "p", State: incident.Merged, FirstEntry: at(0), OpenedAt: at(3)},
			} {
				if err := tx.SaveIncident(ctx, &inc); err != nil {
					return err
				}
			}
			return nil
		})
		tests := []struct {
			name, want string
			read       func(ctx context.Context, tx *Tx) ([]incident.Incident, error)
		}{
			{"related", "c b a", func(ctx context.Context, tx *Tx) ([]incident.Incident, error) { return tx.Related(ctx, "p", at(6)) }},
			{"related since ever", "c d b a", func(ctx context.Context, tx *Tx) ([]incident.Incident, error) {
				return tx.Related(ctx, "p", time.Time{})
			}},
			{"all", "e b a f d c", func(ctx context.Context, tx *Tx) ([]incident.Incident, error) {
				return tx.Incidents(ctx, IncidentFilter{})
			}},
			{"first page", "e b", func(ctx context.Context, tx *Tx) ([]incident.Incident, error) {
				return tx.Incidents(ctx, IncidentFilter{Limit: 2})
			}},
			{"second page", "a f", func(ctx context.Context, tx *Tx) ([]incident.Incident, error) {
				return tx.Incidents(ctx, IncidentFilter{Limit: 2, Before: "b"})
			}},
			{"by state", "e a d c", func(ctx context.Context, tx *Tx) ([]incident.Incident, error) {
				return tx.Incidents(ctx, IncidentFilter{States: []incident.State{incident.Open, incident.Resolved}})
			}},
			{"by state, second page", "d", func(ctx context.Context, tx *Tx) ([]incident.Incident, error) {
				return tx.Incidents(ctx, IncidentFilter{States: []incident.State{incident.Open, incident.Resolved}, Limit: 1, Before: "a"})
			}},
			{"due", "b e", func(ctx context.Context, tx *Tx) ([]incident.Incident, error) { return tx.DueIncidents(ctx, at(8), 0) }},
			{"due, the first", "b", func(ctx context.Context, tx *Tx) ([]incident.Incident, error) { return tx.DueIncidents(ctx, at(9), 1) }},
		}
		for _, test := range tests {
			view(t, s, func(ctx context.Context, tx *Tx) error {
				got, err := test.read(ctx, tx)
				if ids(got) != test.want {
					t.Errorf("%s: %q, want %q", test.name, ids(got), test.want)
				}
				return err
			})
		}
		view(t, s, func(ctx context.Context, tx *Tx) error {
			next, err1 := tx.NextIncidentDue(ctx)
			counts, err2 := tx.CountIncidents(ctx)
			if !next.Equal(at(8)) {
				t.Errorf("next is due at %v", next)
			}
			want := map[incident.State]int{incident.Open: 2, incident.Acknowledged: 1, incident.Resolved: 2, incident.Merged: 1}
			if diff := cmp.Diff(want, counts); diff != "" {
				t.Error(diff)
			}
			if _, err := tx.Incidents(ctx, IncidentFilter{Before: "nobody"}); !errors.Is(err, ErrNotFound) {
				t.Errorf("a page behind an incident that is not there gives %v", err)
			}
			return errors.Join(err1, err2)
		})
	})
}

func TestFiringAlerts(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		shadow := fullAlert("", "shadow")
		inc := fullIncident("i")
		inc.Alerts[0].State = incident.AlertResolved
		update(t, s, func(ctx context.Context, tx *Tx) error {
			return errors.Join(tx.SaveIncident(ctx, &inc), tx.SaveAlert(ctx, &shadow))
		})
		view(t, s, func(ctx context.Context, tx *Tx) error {
			got, ok, err1 := tx.FiringAlert(ctx, shadow.Key)
			if diff := cmp.Diff(shadow, got); !ok || diff != "" {
				t.Errorf("the alert of no incident (-saved +read):\n%s", diff)
			}
			if _, ok, _ := tx.FiringAlert(ctx, inc.Alerts[0].Key); ok {
				t.Error("an alert that is over fires")
			}
			all, err2 := tx.FiringAlerts(ctx)
			if diff := cmp.Diff([]incident.Alert{inc.Alerts[1], shadow}, all); diff != "" {
				t.Errorf("all that fire (-want +got):\n%s", diff)
			}
			return errors.Join(err1, err2)
		})
	})
}

func TestTimelineRoundTrip(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		inc := incident.Incident{ID: "i"}
		events := []incident.Event{
			{Incident: "i", At: day, Kind: incident.EventOpened, Text: nasty, By: "first", Alert: incident.Key{Rule: "r", Group: "g"}, Lines: []incident.Line{{Time: day, Text: nasty}}},
			{Incident: "i", At: day.Add(-time.Hour)},
		}
		update(t, s, func(ctx context.Context, tx *Tx) error {
			err := tx.SaveIncident(ctx, &inc)
			for i := range events {
				err = errors.Join(err, tx.AppendEvent(ctx, &events[i]))
			}
			return err
		})
		if events[0].ID == 0 || events[1].ID <= events[0].ID {
			t.Errorf("ids %d, %d do not rise", events[0].ID, events[1].ID)
		}
		view(t, s, func(ctx context.Context, tx *Tx) error {
			got, err1 := tx.Events(ctx, "i")
			if diff := cmp.Diff(events, got); diff != "" {
				t.Errorf("(-saved +read):\n%s", diff)
			}
			one, err2 := tx.Event(ctx, events[1].ID)
			if diff := cmp.Diff(events[1], one); diff != "" {
				t.Errorf("(-saved +read):\n%s", diff)
			}
			if _, err := tx.Event(ctx, 12345); !errors.Is(err, ErrNotFound) {
				t.Errorf("an event that is not there gives %v", err)
			}
			return errors.Join(err1, err2)
		})
	})
}

func TestSourcesAndFacts(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		want := SourceState{Name: "b", Cursor: "c\x00ursor", Clock: day, CaughtUp: true, Blind: true, ReceivedAt: day.Add(1), Entries: 1, Matches: 2, Broken: 3, Late: 4}
		update(t, s, func(ctx context.Context, tx *Tx) error {
			return errors.Join(tx.SaveSource(ctx, SourceState{Name: "b", Entries: 99}), tx.SaveSource(ctx, want), tx.SaveSource(ctx, SourceState{Name: "a"}),
				tx.SetFact(ctx, "f", "1"), tx.SetFact(ctx, "f", nasty))
		})
		if got := fact(t, s, "f"); got != nasty {
			t.Errorf("the fact is %q", got)
		}
		view(t, s, func(ctx context.Context, tx *Tx) error {
			got, err1 := tx.Source(ctx, "b")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-saved +read):\n%s", diff)
			}
			none, err2 := tx.Source(ctx, "new")
			if diff := cmp.Diff(SourceState{Name: "new"}, none); diff != "" {
				t.Errorf("a new source (-want +read):\n%s", diff)
			}
			all, err3 := tx.Sources(ctx)
			if diff := cmp.Diff([]SourceState{{Name: "a"}, want}, all); diff != "" {
				t.Errorf("(-saved +read):\n%s", diff)
			}
			return errors.Join(err1, err2, err3)
		})
	})
}

func TestStates(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		key := func(rule, group string) incident.Key { return incident.Key{Rule: rule, Group: group} }
		states := []GroupState{
			{Key: key("r", "a"), Hash: "h", Body: []byte{0, 255, '\''}, Due: day.Add(2), Firing: true},
			{Key: key("r", "b"), Due: day.Add(1)},
			{Key: key("q", "z"), Due: day.Add(1)},
			{Key: key("r", "c")},
		}
		update(t, s, func(ctx context.Context, tx *Tx) (err error) {
			for _, st := range states {
				err = errors.Join(err, tx.SaveState(ctx, GroupState{Key: st.Key, Hash: "old"}), tx.SaveState(ctx, st))
			}
			err = errors.Join(err, tx.SaveState(ctx, GroupState{Key: key("r", "b"), Due: day.Add(9)}), tx.WakeState(ctx, key("r", "b"), day.Add(1)),
				tx.WakeState(ctx, key("r", "a"), day.Add(9)), tx.WakeState(ctx, key("never", ""), day))
			return errors.Join(err, tx.SaveState(ctx, GroupState{Key: key("r", "gone")}), tx.DeleteState(ctx, key("r", "gone")), tx.DeleteState(ctx, key("never", "")))
		})
		view(t, s, func(ctx context.Context, tx *Tx) error {
			got, ok, err1 := tx.State(ctx, states[0].Key)
			if diff := cmp.Diff(states[0], got); !ok || diff != "" {
				t.Errorf("(-saved +read):\n%s", diff)
			}
			if _, ok, _ := tx.State(ctx, key("r", "gone")); ok {
				t.Error("a deleted state is there")
			}
			rule, err2 := tx.RuleStates(ctx, "r")
			if diff := cmp.Diff([]GroupState{states[0], states[1], states[3]}, rule); diff != "" {
				t.Errorf("states of a rule (-want +got):\n%s", diff)
			}
			due, err3 := tx.DueStates(ctx, day.Add(2), 0)
			if diff := cmp.Diff([]GroupState{states[2], states[1], states[0]}, due); diff != "" {
				t.Errorf("due states (-want +got):\n%s", diff)
			}
			some, err4 := tx.DueStates(ctx, day.Add(1), 1)
			if diff := cmp.Diff([]GroupState{states[2]}, some); diff != "" {
				t.Errorf("the first due state (-want +got):\n%s", diff)
			}
			next, err5 := tx.NextStateDue(ctx)
			if !next.Equal(day.Add(1)) {
				t.Errorf("next is due at %v", next)
			}
			return errors.Join(err1, err2, err3, err4, err5)
		})
	})
}

// TestTheLongestGroupFits: rules cut a group's text at 1,600 bytes, and no key of it may be too long for an index.
func TestTheLongestGroupFits(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		random := rand.New(rand.NewPCG(1, 2))
		group := make([]byte, 1600)
		for i := range group {
			group[i] = byte(' ' + random.IntN(95)) // what cannot be compressed
		}
		a := fullAlert("01D1VX0000AAAAAAAABBBBBBBB", strings.Repeat("rule-", 50))
		a.Group = string(group)
		update(t, s, func(ctx context.Context, tx *Tx) error {
			return errors.Join(tx.SaveState(ctx, GroupState{Key: a.Key, Due: day}), tx.SaveAlert(ctx, &a))
		})
	})
}

func TestTimesThatDoNotFitAreKeptAsTheEnd(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		for _, test := range []struct{ in, want time.Time }{
			{time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), earliest},
			{time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), latest},
			{time.Unix(0, 0), time.Unix(0, 0)},
			{time.Time{}, time.Time{}},
			{day.In(time.FixedZone("", 3600)), day},
		} {
			update(t, s, func(ctx context.Context, tx *Tx) error {
				return tx.SaveSource(ctx, SourceState{Name: "s", Clock: test.in})
			})
			view(t, s, func(ctx context.Context, tx *Tx) error {
				got, err := tx.Source(ctx, "s")
				if !got.Clock.Equal(test.want) || got.Clock.Location() != time.UTC {
					t.Errorf("%v came back as %v, want %v in UTC", test.in, got.Clock, test.want)
				}
				return err
			})
		}
	})
}

func fullSilence() incident.Silence {
	return incident.Silence{Matchers: []string{`rule="r"`, `x=~"` + nasty + `"`}, Starts: day, Ends: day.Add(time.Hour), Owner: "ana", Reason: nasty, UpTo: incident.High,
		CreatedAt: day.Add(-1), EndedBy: "ben", WarnedAt: day.Add(2), Due: day.Add(3)}
}

func TestSilenceRoundTrip(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		want, later := fullSilence(), fullSilence()
		later.Starts, later.Due = later.Ends.Add(-1), time.Time{}
		update(t, s, func(ctx context.Context, tx *Tx) error {
			return errors.Join(tx.SaveSilence(ctx, &want), tx.SaveSilence(ctx, &later))
		})
		view(t, s, func(ctx context.Context, tx *Tx) error {
			got, err := tx.Silence(ctx, want.ID)
			if diff := cmp.Diff(want, got); diff != "" || want.ID == 0 || later.ID <= want.ID {
				t.Errorf("read back (-saved +read), ids %d and %d:\n%s", want.ID, later.ID, diff)
			}
			return err
		})
		for _, c := range []struct {
			at   time.Time
			want []int64
		}{{day.Add(-1), nil}, {day, []int64{want.ID}}, {want.Ends.Add(-1), []int64{want.ID, later.ID}}, {want.Ends, nil}} {
			view(t, s, func(ctx context.Context, tx *Tx) error {
				active, err := tx.ActiveSilences(ctx, c.at)
				var ids []int64
				for _, a := range active {
					ids = append(ids, a.ID)
				}
				if diff := cmp.Diff(c.want, ids); diff != "" {
					t.Errorf("in force at %s (-want +got):\n%s", c.at, diff)
				}
				return err
			})
		}
		want.Due = day.Add(9)
		update(t, s, func(ctx context.Context, tx *Tx) error {
			if err := tx.SaveSilence(ctx, &want); err != nil {
				return err
			}
			_, early, err1 := tx.DueSilence(ctx, day.Add(8))
			due, found, err2 := tx.DueSilence(ctx, day.Add(9))
			next, err3 := tx.NextIncidentDue(ctx)
			if early || !found || due.ID != want.ID || !next.Equal(want.Due) {
				t.Errorf("due early %t, then %t: %d; next %s", early, found, due.ID, next)
			}
			_, err4 := tx.Silence(ctx, 99)
			if !errors.Is(err4, ErrNotFound) {
				t.Errorf("silence 99: %v", err4)
			}
			return errors.Join(err1, err2, err3)
		})
	})
}

// TestTold: what may inhibit is what fires in incidents that are open and not held, as they are now; what an incident holds is asked for
// again when it changes.
func TestTold(t *testing.T) {
	onEachOpened(t, func(t *testing.T, s *Store) {
		inc := func(id string, state incident.State, holds ...incident.Holder) incident.Incident {
			firing, over := fullAlert(id, "fires"), fullAlert(id, "over")
			over.State = incident.AlertResolved
			return incident.Incident{ID: id, Project: "p", State: state, Labels: incident.Labels{}, FirstEntry: day, OpenedAt: day, Holds: holds,
				Alerts: []incident.Alert{firing, over}}
		}
		held := incident.Holder{By: "incident A", Why: nasty}
		all := []incident.Incident{inc("A", incident.Open), inc("B", incident.Acknowledged), inc("C", incident.Resolved), inc("D", incident.Open, held),
			inc("E", incident.Open, incident.Holder{By: "incident AA"})}
		update(t, s, func(ctx context.Context, tx *Tx) error {
			for i := range all {
				if err := tx.SaveIncident(ctx, &all[i]); err != nil {
					return err
				}
			}
			return nil
		})
		view(t, s, func(ctx context.Context, tx *Tx) error {
			over := all[1]
			over.State = incident.Resolved
			for want, now := range map[string][]*incident.Incident{"A B": nil, "A": {&over}} {
				told, err := tx.toldAlerts(ctx, now)
				var got []string
				for _, a := range told {
					if got = append(got, a.Incident); a.Rule != "fires" {
						t.Errorf("%s of %s is over", a.Rule, a.Incident)
					}
				}
				if err != nil || strings.Join(got, " ") != want {
					t.Errorf("told: %s, want %s: %v", got, want, err)
				}
			}
			return nil
		})
		at := day.Add(time.Hour)
		update(t, s, func(ctx context.Context, tx *Tx) error {
			return (&Desk{Inhibits: true}).release(ctx, tx, at, incident.Changes{Events: []*incident.Event{{Incident: "A"}, {Incident: "A"}}})
		})
		view(t, s, func(ctx context.Context, tx *Tx) error {
			due, err := tx.DueIncidents(ctx, at, 0)
			if len(due) != 1 || due[0].ID != "D" || !due[0].Escalation.Recheck.Equal(at) {
				t.Errorf("due: %v, want D", due)
			}
			return err
		})
	})
}
