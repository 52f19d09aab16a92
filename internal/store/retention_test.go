package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/logs"
)

// past is a world of rows of any age and in any state, as somebody else than the store remembers it.
type past struct {
	r             *rand.Rand
	now           time.Time
	incidents     map[string]*incident.Incident
	notifications map[string][]incident.Notification
	events        map[string]int
	storms        [][2]string // storm, member
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// ago is a time of any age, often close to what decides.
func (p *past) ago() time.Time {
	return p.now.Add(-pick(p.r, time.Duration(0), time.Hour, 89*day24, 90*day24, 91*day24, 399*day24, 400*day24, 401*day24, 900*day24) + pick(p.r, -time.Second, 0, time.Second))
}

const day24 = 24 * time.Hour

func somePast(seed uint64, n int) *past {
	p := &past{r: rand.New(rand.NewPCG(seed, 1)), now: day.AddDate(5, 0, 0), incidents: map[string]*incident.Incident{},
		notifications: map[string][]incident.Notification{}, events: map[string]int{}}
	id := func() string { return fmt.Sprintf("I%03d", p.r.IntN(n)) }
	for i := range n {
		inc := &incident.Incident{ID: fmt.Sprintf("I%03d", i), State: pick(p.r, incident.Open, incident.Acknowledged, incident.Resolved, incident.Resolved,
			incident.Resolved, incident.Merged), OpenedAt: p.ago(), Labels: incident.Labels{}}
		if inc.State == incident.Resolved || inc.State == incident.Merged {
			inc.ResolvedAt = p.ago()
		}
		if inc.State == incident.Merged {
			inc.MergedInto = id()
		}
		if p.r.IntN(8) == 0 {
			inc.HeldUntil = p.ago()
		}
		for a := range p.r.IntN(3) {
			state := incident.AlertResolved
			if p.r.IntN(6) == 0 {
				state = incident.Firing
			}
			inc.Alerts = append(inc.Alerts, incident.Alert{Key: incident.Key{Rule: fmt.Sprint("r", a), Group: inc.ID}, Incident: inc.ID, State: state,
				Labels: incident.Labels{}, Annotations: map[string]string{}})
		}
		for k := range p.r.IntN(4) {
			p.notifications[inc.ID] = append(p.notifications[inc.ID], incident.Notification{Incident: inc.ID, Kind: incident.Call, Round: k, Target: "oncall",
				State:   pick(p.r, incident.Sent, incident.Sent, incident.Sent, incident.Cancelled, incident.Cancelled, incident.Pending, incident.InFlight),
				Receipt: pick(p.r, "", "receipt"), CreatedAt: p.ago()})
		}
		p.events[inc.ID] = p.r.IntN(5)
		p.incidents[inc.ID] = inc
	}
	for range n / 10 {
		p.storms = append(p.storms, [2]string{id(), id()})
	}
	return p
}

func (p *past) write(t *testing.T, s *Store) {
	update(t, s, func(ctx context.Context, tx *Tx) error {
		for id, inc := range p.incidents {
			if err := tx.SaveIncident(ctx, inc); err != nil {
				return err
			}
			for i := range p.notifications[id] {
				if _, err := tx.AddNotification(ctx, &p.notifications[id][i]); err != nil {
					return err
				}
			}
			for range p.events[id] {
				if err := tx.AppendEvent(ctx, &incident.Event{Incident: id}); err != nil {
					return err
				}
			}
		}
		for _, m := range p.storms {
			if err := tx.AddStormMember(ctx, m[0], StormMember{Incident: m[1]}); err != nil {
				return err
			}
		}
		return nil
	})
}

// over says, in its own words, that nothing of an incident is needed any more that was resolved so long ago.
func (p *past) over(id string, keep time.Duration) bool {
	inc, limit := p.incidents[id], p.now.Add(-keep)
	goesOn := func(id string) bool {
		other := p.incidents[id]
		return other != nil && (other.State == incident.Open || other.State == incident.Acknowledged)
	}
	if goesOn(id) || inc.ResolvedAt.After(limit) || inc.HeldUntil.After(limit) || goesOn(inc.MergedInto) {
		return false
	}
	for _, m := range p.storms {
		if m[0] == id && goesOn(m[1]) || m[1] == id && goesOn(m[0]) {
			return false
		}
	}
	return !slices.ContainsFunc(inc.Alerts, func(a incident.Alert) bool { return a.State == incident.Firing }) &&
		!slices.ContainsFunc(p.notifications[id], func(n incident.Notification) bool {
			return n.State == incident.Pending || n.State == incident.InFlight
		})
}

// TestPruneLeavesWhatGoesOn: of worlds in which anything is of any age, exactly what is over for long enough is deleted, a bounded
// piece at a time.
func TestPruneLeavesWhatGoesOn(t *testing.T) {
	keep := Retention{Incidents: 400 * day24, Notifications: 90 * day24, Timeline: 90 * day24}
	onEach(t, func(t *testing.T, place string) {
		const n, most = 150, 40
		s := openedAt(t, place)
		p := somePast(uint64(len(t.Name())), n)
		p.write(t, s)
		pruneAll(t, s, p.now, keep, most)
		gone, kept := 0, 0
		view(t, s, func(ctx context.Context, tx *Tx) error {
			for id, inc := range p.incidents {
				got, err := tx.Incident(ctx, id)
				if p.over(id, keep.Incidents) {
					if gone++; err == nil {
						t.Errorf("%s is over and still there: %+v", id, inc)
					}
					continue
				}
				if kept++; err != nil || len(got.Alerts) != len(inc.Alerts) {
					t.Errorf("%s is needed: %v: %+v", id, err, inc)
				}
				events, err := tx.Events(ctx, id)
				if err != nil {
					return err
				}
				want := p.events[id]
				if p.over(id, keep.Timeline) {
					want = 0
				}
				if len(events) != want {
					t.Errorf("%s has %d events, want %d: %+v", id, len(events), want, inc)
				}
				rows, err := tx.Notifications(ctx, id)
				if err != nil {
					return err
				}
				want = 0
				for _, n := range p.notifications[id] {
					if !p.over(id, keep.Notifications) || n.State == incident.Cancelled && n.Receipt != "" {
						want++
					}
				}
				if len(rows) != want {
					t.Errorf("%s has %d notifications, want %d: %+v", id, len(rows), want, p.notifications[id])
				}
			}
			return nil
		})
		if gone < n/20 || kept < n/4 {
			t.Errorf("%d gone, %d kept: the world shows nothing", gone, kept)
		}
	})
}

// pruneAll prunes until nothing is left to be done, and looks that no transaction does too much.
func pruneAll(t *testing.T, s *Store, now time.Time, keep Retention, most int) Pruned {
	t.Helper()
	all := Pruned{}
	for range 1000 {
		done, full, err := s.Prune(t.Context(), now, keep, func(rule string) bool { return rule == "here" }, most)
		if err != nil {
			t.Fatal(err)
		}
		sum := int64(0)
		for what, n := range done {
			all[what] += n
			sum += n
		}
		if sum > int64(most) {
			t.Fatalf("one transaction deleted %v, want at most %d", done, most)
		}
		if !full {
			return all
		}
	}
	t.Fatal("it never ends")
	return nil
}

// TestPruneTheRest: troubles that stand, are unread or are the newest stay; silences and overrides that go on or are to be told of stay;
// what a rule has counted stays while the rule is there, fires, waits or was missed for less than is to be kept.
func TestPruneTheRest(t *testing.T) {
	keep := Retention{Troubles: 30 * day24, Silences: 90 * day24, States: 30 * day24}
	onEachOpened(t, func(t *testing.T, s *Store) {
		old := day.Add(-200 * day24)
		update(t, s, func(ctx context.Context, tx *Tx) error {
			for i, over := range []bool{false, true, false, false, true} { // ids 1 to 5: a, its end, b, c, its end
				kind := []string{"a", "a", "b", "c", "c"}[i]
				if err := tx.Report(ctx, Trouble{Kind: kind, At: old.Add(time.Duration(i) * time.Hour), Over: over}); err != nil {
					return err
				}
			}
			for _, sil := range []incident.Silence{{Starts: old, Ends: old.Add(1), Reason: "over", CreatedAt: old}, {Starts: old, Ends: old.Add(1), Due: old, Reason: "to be told", CreatedAt: old},
				{Starts: old, Ends: day.Add(1), Reason: "goes on", CreatedAt: old}} {
				if err := tx.SaveSilence(ctx, &sil); err != nil {
					return err
				}
			}
			for _, o := range []Override{{Schedule: "s", From: old, To: old.Add(1), At: old}, {Schedule: "s", From: old, To: day.Add(1), At: old}} {
				if err := tx.AddOverride(ctx, &o); err != nil {
					return err
				}
			}
			for _, st := range []GroupState{{Key: incident.Key{Rule: "here", Group: "1"}}, {Key: incident.Key{Rule: "gone", Group: "1"}},
				{Key: incident.Key{Rule: "gone", Group: "fires"}, Firing: true}, {Key: incident.Key{Rule: "gone", Group: "waits"}, Due: day}} {
				if err := tx.SaveState(ctx, st); err != nil {
					return err
				}
			}
			return tx.SaveSource(ctx, SourceState{Name: logs.OwnSource, Cursor: "4"})
		})
		check := func(at time.Time, want string) {
			t.Helper()
			got := pruneAll(t, s, at, keep, 3)
			if fmt.Sprint(map[string]int64(got)) != want {
				t.Errorf("at %s: %v, want %s", at.Sub(day), got, want)
			}
		}
		check(day, "map[silences:2 troubles:3]") // 1, 2 and 4: 3 stands, 5 is unread and the newest
		check(day, "map[]")
		check(day.Add(29*day24), "map[]")
		check(day.Add(31*day24), "map[states:1]")
		check(day.Add(31*day24), "map[]")
		view(t, s, func(ctx context.Context, tx *Tx) error {
			standing, err := tx.Standing(ctx)
			if len(standing) != 1 || standing[0].Kind != "b" {
				t.Errorf("standing: %+v", standing)
			}
			left, err2 := tx.RuleStates(ctx, "gone")
			here, _, err3 := tx.State(ctx, incident.Key{Rule: "here", Group: "1"})
			if len(left) != 2 || here.Key.Rule != "here" {
				t.Errorf("left of the gone rule: %+v", left)
			}
			for _, err := range []error{err, err2, err3} {
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// TestPruneKeepsForEver: nothing is deleted that nobody asked to be.
func TestPruneKeepsForEver(t *testing.T) {
	s := opened(t)
	p := somePast(7, 50)
	p.write(t, s)
	if got := pruneAll(t, s, p.now, Retention{}, 10); len(got) > 0 {
		t.Errorf("deleted: %v", got)
	}
}

// TestPruneGivesRoomBack: the file becomes smaller, a piece at a time.
func TestPruneGivesRoomBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	s := open(t, path)
	update(t, s, func(ctx context.Context, tx *Tx) error {
		if err := tx.SaveIncident(ctx, &incident.Incident{ID: "A", State: incident.Resolved, ResolvedAt: day.Add(-time.Hour)}); err != nil {
			return err
		}
		for range 600 {
			if err := tx.AppendEvent(ctx, &incident.Event{Incident: "A", Text: strings.Repeat("x", 2000)}); err != nil {
				return err
			}
		}
		return nil
	})
	size := func() int64 {
		s.Close()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		s = open(t, path)
		return info.Size()
	}
	before := size()
	for range 10 {
		pruneAll(t, s, day, Retention{Timeline: time.Minute}, 100)
	}
	if after := size(); after > before/3 {
		t.Errorf("%d bytes before, %d after", before, after)
	}
	s.Close()
}
