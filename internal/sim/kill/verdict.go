package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"tocsin/internal/fakes"
	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// report is what came of a run.
type report struct {
	tally          map[string]int
	kills, missed  int
	groups         int
	incidents      int // in the store
	incidentsWrong int // one too many or too few for a group
	drained        bool

	pagesWanted, pagesRang int
	pagesLost              int // rounds that must have rung and did not
	pagesSuperseded        int // that gave way to a newer round's, which rang
	pagesTwice             int // a key that rang more than once
	pagesBeyond            int // rounds beyond the steps of the policy
	pagesAfterAck          int // rounds that rang although `tocsin ack` had said yes
	pagesLeft              int // keys that the pager shows otherwise than they are: left ringing, or closed
	pagesBehind            int // triggers of keys that were resolved before
	resolvesAlone          int // keys that were resolved and of which no trigger has come

	messagesWanted, messages int // one an incident, and a post in the thread for each event
	messagesLost             int
	messagesDoubled          int
	messagesStale            int // show another state than the incident's

	lines, entries                    int64 // appended; counted by the source
	unacknowledged, again             int   // messages that were left, and that were given more than once
	entriesLost, entriesTwice, broken int64 // by group and in all
	triggers                          int   // that the pager took, repeats of an open key among them
	errors                            int   // that tocsin logged: faults of providers are warnings
	retried                           int   // steps that were tried again, of several replicas
	kinds                             []string
	restarts                          int // of PostgreSQL
	frozen                            map[string]int
	anew, staleWrites                 int // lives that woke and began another, rows that they changed before
	takeovers                         []takeover
	slow                              int // takeovers that took too long
	killing, wall                     time.Duration
	details                           []string
}

// well says whether nothing was lost and nothing was said twice.
func (r *report) well() bool {
	return r.drained && r.pagesLost+r.pagesTwice+r.pagesBeyond+r.pagesAfterAck+r.pagesLeft+r.messagesLost+max(r.messagesDoubled-r.kills/1000, 0)+r.messagesStale+r.incidentsWrong == 0 &&
		r.entriesLost+r.entriesTwice+r.broken+int64(r.unacknowledged) == 0 && r.errors+r.staleWrites+r.slow == 0 && (r.pagesBehind == 0 || len(r.frozen) > 0)
}

// blame counts something that is wrong, and keeps the first few in words.
func (r *report) blame(counter *int, by int, format string, args ...any) {
	*counter += by
	if len(r.details) < 20 {
		r.details = append(r.details, fmt.Sprintf(format, args...))
	}
}

// judge compares what the lines ask for with the ledgers, and with the store that tocsin has left.
func (w *world) judge(ctx context.Context) (report, error) {
	r := report{tally: w.tally, missed: w.missed, drained: w.drained, groups: len(w.traffic.groups), lines: int64(w.traffic.lines)}
	for _, n := range w.tally {
		r.kills += n
	}
	if wire := w.traffic.wire; wire != nil {
		r.again = wire.doubled()
		if n := wire.waiting(); n > 0 {
			r.blame(&r.unacknowledged, n, "%d messages were never acknowledged", n)
		}
	}
	if !w.drained {
		r.details = append(r.details, "not all was told in time after the faults had stopped")
	}
	for slot := range w.lives {
		if err := r.said(w.said(slot), w.place.replicas > 1); err != nil {
			return r, err
		}
	}
	if err := r.fell(ctx, w); err != nil {
		return r, err
	}
	s, err := store.Open(ctx, w.place.path, store.Options{})
	if err != nil {
		return r, err
	}
	err = s.View(ctx, func(tx *store.Tx) error {
		incidents, err := tx.Incidents(ctx, store.IncidentFilter{})
		if err != nil {
			return err
		}
		superseded, err := supersededOf(ctx, tx, incidents)
		if err != nil {
			return err
		}
		r.pages(w.traffic.groups, superseded, w.pagerduty.Snapshot())
		if err := r.entriesOf(ctx, tx, w.traffic.groups, incidents, w.traffic.wire == nil); err != nil {
			return err
		}
		return r.messagesOf(ctx, tx, w.traffic.groups, incidents, w.slack.Messages())
	})
	return r, errors.Join(err, s.Close())
}

// triedAgain are the errors after which it is tried again: by a loop, by who asks, or with the next look at a pager.
var triedAgain = []string{"step failed: trying again", "cannot take a batch: trying again", `msg="answer request"`, `cannot be kept" trouble=pager_unread`}

// said looks for errors, panics and data races in what tocsin said in all its lives. That a step is tried again is none where other
// processes take its lease away and the database is killed itself.
func (r *report) said(path string, several bool) error {
	data, err := os.ReadFile(path)
	for line := range strings.Lines(string(data)) {
		if several && slices.ContainsFunc(triedAgain, func(text string) bool { return strings.Contains(line, text) }) {
			r.retried++
			continue
		}
		for _, bad := range []string{"level=ERROR", "panic:", "DATA RACE"} {
			if strings.Contains(line, bad) {
				r.blame(&r.errors, 1, "tocsin said: %s", strings.TrimSpace(line))
			}
		}
	}
	return err
}

// fell judges what those changed that were frozen and woken, and how soon the others went on.
func (r *report) fell(ctx context.Context, w *world) error {
	r.kinds, r.restarts, r.takeovers, r.frozen = kindsOf(w.settings.store), w.restarts, w.takeovers, map[string]int{}
	if w.settings.freezes+w.settings.blinds > 0 {
		r.kinds = nil
	}
	for _, t := range w.frozen {
		r.frozen[t.where]++
		if t.anew {
			r.anew++
		}
		if t.writes > 0 {
			r.blame(&r.staleWrites, t.writes, "a process that was frozen (%s) and woken changed %d rows under a life that had expired", t.where, t.writes)
		}
	}
	for _, t := range w.takeovers {
		if max(t.page, t.step) > quickest {
			r.blame(&r.slow, 1, "%s: the page after %s, the next step %s late", t.how, t.page, t.step)
		}
	}
	if w.place.server == nil {
		return nil
	}
	for slot := range w.lives { // else the audit sees nothing
		n, err := w.place.audit.Changes(ctx, process(slot))
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("the audit has seen no row that replica %d has changed", slot)
		}
	}
	return nil
}

// supersededOf counts, by hash of the group, the pages that gave way to a newer round's before they went out: with a pager that is
// behind, whoever is called hears of the newest round only. One that gave way to a page that did not ring is none of them.
func supersededOf(ctx context.Context, tx *store.Tx, incidents []incident.Incident) (map[string][]string, error) {
	out := map[string][]string{}
	for i := range incidents {
		rows, err := tx.Notifications(ctx, incidents[i].ID)
		if err != nil {
			return nil, err
		}
		for _, n := range rows {
			if n.Kind != incident.Call || n.Cause != "superseded" {
				continue
			}
			by := slices.IndexFunc(rows, func(m incident.Notification) bool {
				return m.Kind == incident.Call && m.Target == n.Target && m.Round > n.Round && m.Cause != "superseded"
			})
			if by >= 0 {
				out[incident.HashOf(n.Incident)] = append(out[incident.HashOf(n.Incident)], rows[by].Key)
			}
		}
	}
	return out, nil
}

// pages judges what rang. superseded holds, by hash of the group, the keys that must have rung in place of others.
func (r *report) pages(groups []*group, superseded map[string][]string, ledger fakes.PagerDutySnapshot) {
	r.inOrder(ledger.Events)
	for _, e := range ledger.Events {
		if e.Action == "trigger" {
			r.triggers++
		}
	}
	for key, n := range ledger.Rings {
		r.pagesRang += n
		if n > 1 {
			r.blame(&r.pagesTwice, n-1, "page %s rang %d times", key, n)
		}
	}
	for _, g := range groups {
		r.pagesWanted += g.pagesWanted()
		lost := g.pagesWanted() - len(g.rang)
		for _, by := range superseded[incident.KeyHash(g.key)] {
			if slices.Contains(g.rang, by) {
				lost--
				r.pagesSuperseded++
			}
		}
		if g.phase == ringing { // its last episode was not heard, whatever those before rang
			lost = max(lost, 1)
		}
		if lost > 0 {
			r.blame(&r.pagesLost, lost, "%s crossed its threshold %d times, and of the %d pages wanted these rang: %v", g.cluster, g.episodes, g.pagesWanted(), g.rang)
		}
		if beyond := len(g.rang) - g.pagesMost(); beyond > 0 {
			r.blame(&r.pagesBeyond, beyond, "%s crossed its threshold %d times, and paged %v", g.cluster, g.episodes, g.rang)
		}
		if g.afterAck > 0 {
			r.blame(&r.pagesAfterAck, g.afterAck, "%s was paged %d times although it was acknowledged: %v", g.cluster, g.afterAck, g.rang)
		}
		for _, what := range g.wrong() {
			r.blame(&r.pagesLeft, 1, "%s", what)
		}
	}
}

// entriesOf judges how many entries were counted by group, in all too if whole says that none is read again, and each group's incident.
func (r *report) entriesOf(ctx context.Context, tx *store.Tx, groups []*group, incidents []incident.Incident, whole bool) error {
	src, err := tx.Source(ctx, "app")
	if err != nil {
		return err
	}
	r.entries, r.broken, r.incidents = src.Entries, src.Broken, len(incidents)
	counted, has := map[incident.Key]int64{}, map[incident.Key]int{}
	for i := range incidents {
		for _, a := range incidents[i].Alerts {
			counted[a.Key], has[a.Key] = counted[a.Key]+a.Count, has[a.Key]+1
		}
	}
	differ := func(what string, want, have int64) {
		if want != have {
			r.blame(new(int), 0, "%s: %d lines, %d counted", what, want, have)
		}
		r.entriesLost += max(want-have, 0)
		r.entriesTwice += max(have-want, 0)
	}
	if whole || r.entries < r.lines {
		differ("the whole log", r.lines, r.entries)
	}
	for _, g := range groups {
		want, lines := 0, int64(0)
		if g.plan != tooFew {
			want, lines = 1, int64(g.main)
		}
		if has[g.key] != want {
			r.blame(&r.incidentsWrong, 1, "%s has %d incidents, not %d", g.cluster, has[g.key], want)
		}
		differ(g.cluster, lines, counted[g.key])
	}
	return nil
}

// messagesOf judges the channel: one message for each group's incident, in its last state, and one post for each that the outbox was
// to send.
func (r *report) messagesOf(ctx context.Context, tx *store.Tx, groups []*group, incidents []incident.Incident, ledger []fakes.SlackMessage) error {
	r.messages = len(ledger)
	nonces, byHash := map[string]int{}, map[string][]fakes.SlackMessage{}
	for _, m := range ledger {
		nonces[m.Nonce()]++
		if n := nonces[m.Nonce()]; n > 1 {
			r.blame(&r.messagesDoubled, 1, "%s is in the channel %d times", m.Nonce(), n)
		}
		if m.ThreadTS == "" {
			if p := m.Metadata; p != nil && p.Payload["kind"] == string(incident.Message) {
				hash, _ := p.Payload["hash"].(string)
				byHash[hash] = append(byHash[hash], m)
				continue
			}
			r.blame(&r.messagesDoubled, 1, "a message that is no incident's and in no thread: %q", m.Text)
		}
	}
	for _, g := range groups {
		have := byHash[incident.KeyHash(g.key)]
		want := 0
		if g.plan != tooFew {
			want = 1
			r.messagesWanted++
		}
		switch {
		case len(have) < want:
			r.blame(&r.messagesLost, 1, "%s has no message in the channel", g.cluster)
		case len(have) > want:
			r.blame(&r.messagesDoubled, len(have)-want, "%s has %d messages in the channel", g.cluster, len(have))
		case want == 1 && have[0].Metadata.Payload["state"] != string(g.state()):
			r.blame(&r.messagesStale, 1, "the message of %s says %v, it is %s", g.cluster, have[0].Metadata.Payload["state"], g.state())
		}
	}
	for i := range incidents {
		rows, err := tx.Notifications(ctx, incidents[i].ID)
		if err != nil {
			return err
		}
		for _, n := range rows {
			if n.Kind != incident.Post || n.State == incident.Cancelled { // what piled up is said in one
				continue
			}
			r.messagesWanted++
			if nonces[n.Key] == 0 {
				r.blame(&r.messagesLost, 1, "post %s (%s) is not in the channel, its row is %s", n.Key, n.Text, n.State)
			}
		}
	}
	return nil
}

// print writes the table.
func (r *report) print(out io.Writer) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(t, "%s\t%v\n", name, value) }
	fmt.Fprintln(t)
	for _, kind := range r.kinds {
		row("killed at "+kind, r.tally[kind])
	}
	row("killed in all", r.kills)
	row("  whose failpoint was not reached in time, so killed at random", r.missed)
	if r.restarts > 0 {
		row("PostgreSQL killed and started again", r.restarts)
	}
	for _, where := range slices.Sorted(maps.Keys(r.frozen)) {
		row("frozen beyond its life: "+where, r.frozen[where])
	}
	if len(r.frozen) > 0 {
		row("  that had begun another life when they ended", r.anew)
		row("  rows that they changed before", r.staleWrites)
	}
	r.printTakeovers(row)
	row("groups of lines, of which crossed their threshold", fmt.Sprintf("%d, %d", r.groups, r.incidents))
	row("incidents", r.incidents)
	row("  too many or too few", r.incidentsWrong)
	row("pages wanted", r.pagesWanted)
	row("pages that rang, of triggers sent", fmt.Sprintf("%d of %d", r.pagesRang, r.triggers))
	row("  pages that gave way to a newer round before they went out", r.pagesSuperseded)
	row("  pages lost", r.pagesLost)
	row("  pages that rang twice in one round", r.pagesTwice)
	row("  pages beyond the policy's steps", r.pagesBeyond)
	row("  pages after an acknowledge", r.pagesAfterAck)
	row("  pages left in a wrong state at the pager", r.pagesLeft)
	row("  triggers behind a resolve of their key", r.pagesBehind)
	row("  resolves of pages that never came: their sending was not clear (not judged)", r.resolvesAlone)
	row("Slack messages and posts wanted", r.messagesWanted)
	row("Slack messages and posts", r.messages)
	row("  lost", r.messagesLost)
	row("  doubled", r.messagesDoubled)
	row("  stale", r.messagesStale)
	r.printEntries(row)
	row("errors that tocsin logged", r.errors)
	if r.retried > 0 {
		row("steps that were tried again", r.retried)
	}
	row("time of killing", fmt.Sprintf("%s, %.1f kills a second", r.killing.Round(time.Millisecond), float64(r.kills)/r.killing.Seconds()))
	row("time in all", r.wall.Round(time.Millisecond))
	verdict := "nothing lost, nothing twice"
	if !r.well() {
		verdict = "NOT WELL"
	}
	row("verdict", verdict)
	_ = t.Flush() // to a terminal or a buffer
	if len(r.details) > 0 {
		fmt.Fprintf(out, "\n%s\n", strings.Join(r.details, "\n"))
	}
}

// printEntries tells what became of the lines.
func (r *report) printEntries(row func(name string, value any)) {
	row("lines appended", r.lines)
	row("entries counted", r.entries)
	row("  lost", r.entriesLost)
	row("  counted twice", r.entriesTwice)
	row("  broken", r.broken)
	if r.again > 0 {
		row("  messages given more than once", r.again)
		row("  messages left unacknowledged", r.unacknowledged)
	}
}
