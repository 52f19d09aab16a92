package outbox

import (
	"testing"
	"time"

	"tocsin/internal/incident"
)

// Who was called before somebody had the incident is called no more: also where they had it by another that was merged in, which they have
// acknowledged before that call. Who is called since is called by name.
func TestWhoIsCalledForWhatSomebodyHas(t *testing.T) {
	at := func(minutes int) time.Time {
		return time.Date(2019, 1, 22, 9, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
	}
	for name, c := range map[string]struct {
		given, joined, called time.Time
		want                  string
	}{
		"called before":                         {given: at(2), called: at(1), want: "acknowledged"},
		"called since":                          {given: at(2), called: at(3), want: ""},
		"called before the incident came to it": {given: at(2), joined: at(5), called: at(3), want: "acknowledged"},
		"called since it came to it":            {given: at(2), joined: at(5), called: at(6), want: ""},
	} {
		inc := incident.Incident{State: incident.Acknowledged, Acknowledgement: &incident.Acknowledgement{By: "ben", At: c.given, Joined: c.joined}}
		if got := answered(&inc, &incident.Notification{Kind: incident.Call, CreatedAt: c.called}); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
