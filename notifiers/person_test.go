package notifiers_test

import (
	"strings"
	"testing"

	"tocsin/internal/fakes"
	"tocsin/internal/incident"
	"tocsin/notifiers"
)

// TestSlackToAPerson: a person is told by direct messages with the channel's account; the first message is edited, what comes later hangs
// under it, and an attempt whose answer was lost is found again.
func TestSlackToAPerson(t *testing.T) {
	fake := fakes.NewSlack()
	spec := &notifiers.Slack{Channel: "#testing-ops", TokenFile: secretFile(t, "xoxb-canary"), APIURL: serve(t, fake)}
	if _, ok := spec.To(notifiers.Person{Name: "eve", PagerDuty: "P000001"}); ok {
		t.Error("somebody without slack is reached by it")
	}
	direct, ok := spec.To(notifiers.Person{Name: "ana", Slack: "U0000001"})
	if !ok || spec.Channel != "#testing-ops" {
		t.Fatalf("ana is not reached, or the channel is now %s", spec.Channel)
	}
	ana, err := direct.New("person:ana")
	if err != nil {
		t.Fatal(err)
	}
	n := notice("config", incident.Message, "m-1")
	finder := ana.(notifiers.Finder)
	if _, found, err := finder.Find(t.Context(), n); err != nil || found {
		t.Errorf("before anything was said: found %t, %v", found, err)
	}
	n.Parent = send(t, ana, n)
	if !strings.HasPrefix(n.Parent, "D0000001/") {
		t.Errorf("it went to %s, want ana's direct messages", n.Parent)
	}
	again, err := direct.New("person:ana") // another life
	if err != nil {
		t.Fatal(err)
	}
	lost := n
	lost.Parent = ""
	if receipt, found, err := again.(notifiers.Finder).Find(t.Context(), lost); err != nil || !found || receipt != n.Parent {
		t.Errorf("after a lost answer: %s, found %t, %v; want %s", receipt, found, err, n.Parent)
	}
	n.Incident.State = incident.Resolved
	if receipt := send(t, again, n); receipt != n.Parent {
		t.Errorf("the edit went to %s", receipt)
	}
	post := n
	post.Kind, post.Key, post.Rings, post.Text = incident.Post, "p-1", true, "nobody has acknowledged for 10m"
	send(t, again, post)
	all := fake.Messages()
	if len(all) != 2 || len(all[0].Edits) != 1 || all[1].ThreadTS != all[0].TS || !all[1].Broadcast || all[1].Channel != "D0000001" {
		t.Errorf("one message, edited once, and a post that rings under it are wanted: %+v", all)
	}
}
