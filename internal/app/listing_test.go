package app

import (
	"strings"
	"testing"

	"tocsin/internal/incident"
	"tocsin/internal/web/client"
)

// TestPrintIncidents holds that on a terminal so much of an id is bold as names it among those that are listed.
func TestPrintIncidents(t *testing.T) {
	list := client.IncidentList{}
	for _, id := range []string{"01D1VX0000AAAA", "01D1VX0000AZAA", "01D1VYYYYYYYYY"} {
		list.Incidents = append(list.Incidents, incident.Incident{ID: id, State: incident.Open, Title: "hook is down"})
	}
	var b strings.Builder
	if err := PrintIncidents(&b, list, true); err != nil {
		t.Fatal(err)
	}
	columns := map[int]bool{}
	for i, want := range []string{"\x1b[1mID\x1b[0m  ", "\x1b[1m01D1VX0000AA\x1b[0mAA  open", "\x1b[1m01D1VX0000AZ\x1b[0mAA  open", "\x1b[1m01D1VY\x1b[0mYYYYYYYY  open"} {
		line := strings.Split(b.String(), "\n")[i]
		if !strings.HasPrefix(line, want) {
			t.Errorf("%q, want %q", line, want)
		}
		columns[max(strings.Index(line, "STATE"), strings.Index(line, "open"))] = true
	}
	if len(columns) != 1 {
		t.Errorf("the columns are not in line:\n%s", b.String())
	}
	b.Reset()
	if err := PrintIncidents(&b, list, false); err != nil || strings.Contains(b.String(), "\x1b") {
		t.Errorf("%q, %v", b.String(), err)
	}
}

// TestWhatIsOverSaysSo: who had it is in the timeline, but nobody has it any more.
func TestWhatIsOverSaysSo(t *testing.T) {
	for _, test := range []struct {
		state incident.State
		want  string
	}{{incident.Acknowledged, "acknowledged by ann"}, {incident.Resolved, "resolved"}, {incident.Merged, "merged"}} {
		inc := incident.Incident{ID: "01D1VX0000AAAA", State: test.state, Severity: incident.High, Title: "hook is down", Acknowledgement: &incident.Acknowledgement{By: "ann"}}
		var list, one strings.Builder
		if err := PrintIncidents(&list, client.IncidentList{Incidents: []incident.Incident{inc}}, false); err != nil {
			t.Fatal(err)
		}
		if row := strings.Split(list.String(), "\n")[1]; !strings.HasPrefix(row, inc.ID+"  "+test.want+"  high ") {
			t.Errorf("the row is %q, want the state %q", row, test.want)
		}
		if err := PrintIncident(&one, client.Detail{Incident: inc}); err != nil {
			t.Fatal(err)
		}
		if first, _, _ := strings.Cut(one.String(), "\n"); first != inc.ID+"  high  "+test.want {
			t.Errorf("the first line is %q, want the state %q", first, test.want)
		}
	}
}
