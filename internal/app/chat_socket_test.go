package app

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// linked waits until there is a connection of Socket Mode.
func (k *talk) linked() {
	k.t.Helper()
	for limit := time.Now().Add(15 * time.Second); !k.slack.Linked(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(limit) {
			k.t.Fatal("there is no connection")
		}
	}
}

// TestSocketMode: what people do comes in over a connection too, and over the next one when Slack ends it; whoever takes over what another has
// hears from whom.
func TestSocketMode(t *testing.T) {
	k := newTalk(t, true)
	k.linked()
	said, err := k.slack.Type("U0000ANA", "#ops", "declare drill deck is slow")
	k.must(err)
	if !strings.HasPrefix(said, "Declared: ") {
		t.Errorf("answered is %q", said)
	}
	k.until("DRILL: deck is slow", 1)
	k.slack.Unlink()
	k.linked()
	m := k.message()
	k.must(k.slack.Press("U0000ANA", m.Channel, m.TS, "Acknowledge"))
	k.until("DRILL: ana has it", 1)
	if got := k.trail(); len(got) != 2 || !strings.HasPrefix(got[1], "acknowledge by ana (slack)") {
		t.Errorf("on record is %q", got)
	}
	k.must(k.a.actions.Ask(t.Context(), k.incident(), "ben", "ana", time.Now()))
	k.until("[Acknowledge]", 2)
	k.must(k.slack.Press("U0000BEN", m.Channel, m.TS, "Acknowledge"))
	k.until("ben has it, taken over from ana", 1)
	for len(k.slack.Whispers()) < 3 {
		<-k.changed
	}
	if got := k.slack.Whispers()[2].Text; got != "You have it, taken over from ana: nobody is called any more until something new happens." {
		t.Errorf("ben is answered %q", got)
	}
}

// TestTheSameEnvelopeTwice: what Slack delivers again over Socket Mode, because it saw no acknowledge of it, is done once, over the same
// connection and over the next one.
func TestTheSameEnvelopeTwice(t *testing.T) {
	k := newTalk(t, true)
	k.linked()
	k.logs("duplicated preset")
	k.until("in the thread:\n    the configuration", 1)
	m := k.message()
	k.must(k.slack.Press("U0000ANA", m.Channel, m.TS, "Silence 1 h"))
	_, err := k.slack.Write("U0000ANA", m.Channel, m.TS, "restarted it")
	k.must(err)
	k.must(k.slack.Press("U0000ANA", m.Channel, m.TS, "Acknowledge"))
	for _, user := range []string{"U0000ANA", "U0STRANGER"} {
		_, err = k.slack.Type(user, "#ops", "declare deck is slow")
		k.must(err)
	}
	before := strings.Join(k.trail(), "\n")
	for _, want := range []string{"declare by ana", "silence by ana", "note by ana", "acknowledge by ana", "refused by Slack user U0STRANGER"} {
		if strings.Count(before, want) != 1 {
			t.Errorf("%q was not done once:\n%s", want, before)
		}
	}
	k.must(k.slack.Redeliver())
	k.slack.Unlink()
	k.linked()
	k.must(k.slack.Redeliver()) // over another connection
	if after := strings.Join(k.trail(), "\n"); after != before {
		t.Errorf("something was done twice:\n%s", cmp.Diff(before, after))
	}
}
