package app

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/fakes"
)

// TestTryReceiver: a test says that it is one, and is over by itself: one message that is edited, one page that is resolved. Only worded,
// it opens no file and asks nobody.
func TestTryReceiver(t *testing.T) {
	slack, pager := fakes.NewSlack(), fakes.NewPagerDuty()
	chat, calls := httptest.NewServer(slack), httptest.NewServer(pager)
	defer chat.Close()
	defer calls.Close()
	dir := t.TempDir()
	path := filepath.Join(dir, "tocsin.yaml")
	text := `project: p
receivers:
  ops: {slack: {channel: C0123456789, token_file: token, api_url: "` + chat.URL + `"}}
  oncall: {pagerduty: {routing_key_file: key, url: "` + calls.URL + `"}}
people: {ana: {slack: U0000001}}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	try := func(target string, send bool) (string, bool, string) {
		t.Helper()
		out, err := TryReceiver(t.Context(), Trying{Config: path, Target: target, By: "ben", Send: send, Rings: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		return out.Text, out.Sent, out.Error
	}
	for _, target := range []string{"ops", "oncall", "person:ana"} { // the files with secrets are not there
		text, sent, why := try(target, false)
		if sent || why != "" || !strings.Contains(text, "TEST of "+target+" by ben: nothing is wrong") || !strings.Contains(text, "Resolved: TEST of "+target) {
			t.Errorf("%s: %v %q %s", target, sent, why, text)
		}
	}
	if _, sent, why := try("ops", true); sent || !strings.Contains(why, "open token of receiver ops") {
		t.Errorf("without a token: %v, %s", sent, why)
	}
	for name, secret := range map[string]string{"token": "xoxb-1", "key": "k"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, target := range []string{"ops", "oncall", "person:ana"} {
		if _, sent, why := try(target, true); !sent || why != "" {
			t.Errorf("%s: sent %v, %s", target, sent, why)
		}
	}
	all := slack.Messages()
	if len(all) != 2 {
		t.Fatalf("%d messages, want one each for ops and ana", len(all))
	}
	for _, m := range all {
		if len(m.Edits) != 1 || !strings.Contains(m.Text, "Resolved: TEST of ") {
			t.Errorf("a test that is not over: %+v", m)
		}
	}
	snapshot := pager.Snapshot()
	if len(snapshot.Wrong) > 0 || len(snapshot.Events) != 2 || len(pager.Rings()) != 1 {
		t.Errorf("pager: %+v", snapshot)
	}
	for key, a := range snapshot.Alerts {
		if a.Status != "resolved" {
			t.Errorf("the alert %v is %s", key, a.Status)
		}
	}
}
