package web

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/incident"
	"tocsin/internal/web/client"
)

// codeOf is the code that an error of the client carries.
func codeOf(err error) string {
	var coded *client.Error
	if !errors.As(err, &coded) {
		return fmt.Sprintf("no code: %v", err)
	}
	return coded.Code()
}

// TestBothEnds has the client ask the service for everything that it can.
func TestBothEnds(t *testing.T) {
	_, c, s := serve(t, nil)
	inc, events, told := outage()
	fill(t, s, []incident.Incident{inc}, events, told, watched()...)
	ctx := t.Context()

	got, err := c.Incident(ctx, strings.ToLower(inc.ID[:12]))
	if err != nil {
		t.Fatal(err)
	}
	want := client.Detail{Incident: inc, Events: events, Notifications: told}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the incident changed over the wire:\n%s", diff)
	}

	got, err = c.Acknowledge(ctx, inc.ID[:10], "  ana ")
	if err != nil {
		t.Fatal(err)
	}
	wantAck := &incident.Acknowledgement{By: "ana", At: noon, Severity: incident.Critical}
	if diff := cmp.Diff(wantAck, got.Incident.Acknowledgement); diff != "" || got.Incident.State != incident.Acknowledged {
		t.Errorf("acknowledged: %s\n%s", got.Incident.State, diff)
	}
	got, err = c.Resolve(ctx, inc.ID, "ben")
	if err != nil {
		t.Fatal(err)
	}
	if got.Incident.State != incident.Resolved || got.Incident.ResolvedBy != "ben" || !got.Incident.ResolvedAt.Equal(noon) {
		t.Errorf("resolved: %s by %q at %s", got.Incident.State, got.Incident.ResolvedBy, got.Incident.ResolvedAt)
	}

	_, err = c.Acknowledge(ctx, inc.ID, "ana")
	if code := codeOf(err); code != client.Conflict || !strings.Contains(err.Error(), "it is resolved already") {
		t.Errorf("acknowledging what is over: %s, %v", code, err)
	}
	for id, want := range map[string]string{"000000": client.NotFound, "01D1V": client.Invalid, "../status": client.Invalid, "": client.Invalid} {
		if _, err := c.Incident(ctx, id); codeOf(err) != want {
			t.Errorf("incident %q: %v, want %s", id, err, want)
		}
	}
	if _, err = c.Resolve(ctx, inc.ID, ""); codeOf(err) != client.Invalid {
		t.Errorf("resolving as nobody: %v", err)
	}
}

func TestAmbiguousID(t *testing.T) {
	_, c, s := serve(t, nil)
	a, b := small("a", noon, incident.High, incident.Open, "a"), small("b", noon, incident.High, incident.Open, "b")
	fill(t, s, []incident.Incident{a, b}, nil, nil)
	_, err := c.Acknowledge(t.Context(), a.ID[:10], "ana") // the time is the same: the first ten characters are too
	if codeOf(err) != client.Invalid || !strings.Contains(err.Error(), "give more of the id") {
		t.Errorf("%v", err)
	}
	for _, id := range []string{a.ID, b.ID} {
		if got := everything(t, s, id).Incident.State; got != incident.Open {
			t.Errorf("%s is %s", id, got)
		}
	}
}

// TestPaging lists more incidents than fit on one page, and some of them by state.
func TestPaging(t *testing.T) {
	_, c, s := serve(t, nil)
	var all []incident.Incident
	var want []string
	for i := range 25 {
		state := incident.Open
		if i%5 == 0 {
			state = incident.Resolved
		}
		all = append(all, small(fmt.Sprintf("rule-%d", i), noon.Add(-time.Duration(i)*time.Minute), incident.High, state, "x"))
		want = append(want, all[i].ID)
	}
	fill(t, s, all, nil, nil)
	read := func(f client.Filter) (ids []string, pages int) {
		for {
			list, err := c.Incidents(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			pages++
			for _, inc := range list.Incidents {
				ids = append(ids, inc.ID)
			}
			if list.Next == "" {
				return ids, pages
			}
			f.Before = list.Next
		}
	}
	got, pages := read(client.Filter{Limit: 10})
	if diff := cmp.Diff(want, got); diff != "" || pages != 3 {
		t.Errorf("%d pages, want 3\n%s", pages, diff)
	}
	if got, pages = read(client.Filter{Limit: 5}); len(got) != 25 || pages != 5 { // the last page is full: nothing comes after it
		t.Errorf("%d incidents on %d pages, want 25 on 5", len(got), pages)
	}
	got, _ = read(client.Filter{States: []incident.State{incident.Resolved, incident.Merged}})
	if diff := cmp.Diff([]string{want[0], want[5], want[10], want[15], want[20]}, got); diff != "" {
		t.Errorf("resolved ones:\n%s", diff)
	}
	for _, f := range []client.Filter{{Limit: 3}, {Limit: 200}, {Limit: 3, Before: want[22]}} { // the total is of all pages
		if list, err := c.Incidents(t.Context(), f); err != nil || list.Total != 25 {
			t.Errorf("%v: total %d, %v", f, list.Total, err)
		}
	}
	if list, err := c.Incidents(t.Context(), client.Filter{States: []incident.State{incident.Resolved}}); err != nil || list.Total != 5 {
		t.Errorf("total of the resolved ones %d, %v", list.Total, err)
	}
	if _, err := c.Incidents(t.Context(), client.Filter{Limit: 1000}); codeOf(err) != client.Invalid {
		t.Errorf("a thousand: %v", err)
	}
	if _, err := c.Incidents(t.Context(), client.Filter{Before: strings.Repeat("0", 26)}); codeOf(err) != client.NotFound {
		t.Errorf("before one that is not: %v", err)
	}
}

// TestNewest lists more incidents than the service gives at once.
func TestNewest(t *testing.T) {
	_, c, s := serve(t, nil)
	var all []incident.Incident
	for i := range 430 {
		all = append(all, small(fmt.Sprintf("rule-%d", i), noon.Add(-time.Duration(i)*time.Second), incident.High, incident.Open, "x"))
	}
	fill(t, s, all, nil, nil)
	for limit, want := range map[int]int{1: 1, 200: 200, 201: 201, 429: 429, 430: 430, 100_000: 430} {
		list, err := c.Newest(t.Context(), client.Filter{Limit: limit})
		if err != nil || len(list.Incidents) != want || list.Total != 430 || (list.Next == "") != (limit >= 430) {
			t.Fatalf("limit %d: %d of %d, next %q, %v", limit, len(list.Incidents), list.Total, list.Next, err)
		}
		for i, inc := range list.Incidents {
			if inc.ID != all[i].ID {
				t.Fatalf("limit %d: the incident at %d is %s, want %s", limit, i, inc.ID, all[i].ID)
			}
		}
	}
}

func TestStatus(t *testing.T) {
	_, c, s := serve(t, nil)
	inc, events, told := outage()
	fill(t, s, []incident.Incident{inc}, events, told, append(watched(), watchedBefore)...)
	got, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := client.Status{Version: "v0-test", Now: noon, StartedAt: clock(22, 8, 0, 0), Well: true, Rules: 12,
		Config: client.Configuration{File: "tocsin.yaml", Revision: "5f1c2e", LoadedAt: clock(22, 8, 0, 0)},
		Sources: []client.Source{
			{Name: "prow-logs", Kind: "cloud_logging", Clock: noon.Add(-time.Second), ReceivedAt: noon, CaughtUp: true, Entries: 1204331, Matches: 9764, Broken: 3, Late: 1},
			{Name: "hook", Kind: "http_probe", Clock: noon.Add(-12 * time.Second), ReceivedAt: noon.Add(-12 * time.Second), CaughtUp: true, Entries: 1440, Matches: 18}},
		Audit: &client.Audit{At: noon.Add(-8 * time.Second)}, Heartbeat: &client.Heartbeat{SentAt: noon.Add(-40 * time.Second)},
		Incidents:     map[incident.State]int{incident.Open: 1},
		Notifications: map[incident.NotificationState]int{incident.Sent: 2, incident.Pending: 1},
		OldestUnsent:  20}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
