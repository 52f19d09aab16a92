package app

import (
	"testing"

	"tocsin/notifiers"
)

// TestWaysToPeople: who has several ways is told by the loudest for which there is a receiver, and by what reaches them alone.
func TestWaysToPeople(t *testing.T) {
	plan, errs := loaded(t, `project: p
receivers:
  a-mail: {email: {server: "mail:25", from: t@example.com, to: [ops@example.com], tls: none}}
  b-slack: {slack: {channel: "#ops", token_file: s}}
  c-push: {ntfy: {topic: ops}}
people:
  all: {email: all@example.com, slack: U0000001, ntfy: all-phone}
  two: {email: two@example.com, slack: U0000002}
  one: {email: one@example.com}
  nobody: {github: nobody}
`, nil)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for name, want := range map[string]string{"all": "c-push", "two": "b-slack", "one": "a-mail", "nobody": ""} {
		if got := plan.Direct["person:"+name]; got.Via != want || got.Spec != nil && !got.Spec.Traits().Direct {
			t.Errorf("%s is told by %q, want %q: %+v", name, got.Via, want, got.Spec)
		}
	}
	if got, want := plan.unreachable("nobody"), "no receiver can tell one person by what people has for them; give nobody ntfy or slack, their user's id (U...) or email"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	var mail notifiers.Email
	if spec, ok := mail.To(notifiers.Person{Email: "ana@example.com\r\nBcc: x@example.com"}); ok {
		t.Errorf("no address, and yet %+v", spec)
	}
}
