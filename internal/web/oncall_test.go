package web

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/actions"
	"tocsin/internal/escalation"
	"tocsin/internal/setting"
	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

// rota is the schedule prow, where ana and ben take turns of a day, and a receiver that takes what is to be tried.
type rota struct{ *actions.Oncall }

func (rota) Try(_ context.Context, target, by string, dry bool) (string, string, error) {
	switch {
	case target != "ops":
		return "", "", &actions.Error{Reason: "not_found", Text: "unknown receiver"}
	case by == "refused":
		return "a test", "the token was revoked", nil
	}
	return "a test by " + by, "", nil
}

func duties(s *store.Store) rota {
	r, errs := escalation.NewRota(escalation.Schedule{Layer: escalation.Layer{Rotation: []string{"ana", "ben"}, Every: setting.Duration(24 * time.Hour), Starts: clock(23, 9, 0, 0)}},
		[]escalation.Person{{Name: "ana"}, {Name: "ben"}}, nil)
	if len(errs) > 0 {
		panic(errs)
	}
	return rota{actions.NewOncall(s, func() map[string]*escalation.Rota { return map[string]*escalation.Rota{"prow": r} })}
}

// TestOncall: who is on call now and next, and somebody put on call in their place, from one end to the other. It is noon of the 23rd.
func TestOncall(t *testing.T) {
	_, c, _ := serve(t, nil)
	ctx := t.Context()
	turn := func(at time.Time, who ...string) client.Turn { return client.Turn{From: at, People: who} }
	list, err := c.Duties(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := client.DutyList{Schedules: []client.Duty{{Schedule: "prow", Gap: "fallback", Turns: []client.Turn{
		turn(noon, "ana"), turn(clock(24, 9, 0, 0), "ben"), turn(clock(25, 9, 0, 0), "ana"), turn(clock(26, 9, 0, 0), "ben")}}}}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Fatalf("(-want +got)\n%s", diff)
	}
	wish := client.OverrideWish{Person: "ben", To: noon.Add(2 * time.Hour), By: "ana", Reason: "the dentist"}
	got, err := c.Override(ctx, "prow", wish)
	if err != nil {
		t.Fatal(err)
	}
	over := client.Override{Person: "ben", From: noon, To: noon.Add(2 * time.Hour), By: "ana", Reason: "the dentist", At: noon}
	if diff := cmp.Diff([]client.Override{over}, got.Overrides); diff != "" {
		t.Errorf("overrides (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]client.Turn{turn(noon, "ben"), turn(noon.Add(2*time.Hour), "ana"), turn(clock(24, 9, 0, 0), "ben"), turn(clock(25, 9, 0, 0), "ana")}, got.Turns); diff != "" {
		t.Errorf("turns (-want +got)\n%s", diff)
	}
	for _, test := range []struct {
		change func(w *client.OverrideWish)
		want   string
	}{
		{func(w *client.OverrideWish) { w.Person = "bin" }, `unknown person "bin": did you mean "ben"?`},
		{func(w *client.OverrideWish) { w.To = noon }, "it would have ended already"},
		{func(w *client.OverrideWish) { w.To = time.Time{} }, "it would have ended already"},
		{func(w *client.OverrideWish) { w.From = w.To }, "to: is not after from"},
		{func(w *client.OverrideWish) { w.To = noon.AddDate(2, 0, 0) }, "to: is more than a year after from"},
		{func(w *client.OverrideWish) { w.Reason = " " }, "say why"},
		{func(w *client.OverrideWish) { w.By = "" }, "say who does this"},
	} {
		bad := wish
		test.change(&bad)
		if _, err := c.Override(ctx, "prow", bad); codeOf(err) != client.Invalid || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %s", bad, err, test.want)
		}
	}
	if _, err := c.Override(ctx, "prov", wish); codeOf(err) != client.NotFound || !strings.Contains(err.Error(), `did you mean "prow"?`) {
		t.Errorf("an unknown schedule: %v", err)
	}
}

func TestTry(t *testing.T) {
	_, c, _ := serve(t, nil)
	for _, test := range []struct {
		wish client.TrialWish
		want client.Trial
		code string
	}{
		{client.TrialWish{Target: "ops", By: "ana"}, client.Trial{Target: "ops", Text: "a test by ana", Sent: true}, ""},
		{client.TrialWish{Target: "ops", By: "ana", Dry: true}, client.Trial{Target: "ops", Text: "a test by ana"}, ""},
		{client.TrialWish{Target: "ops", By: "refused"}, client.Trial{Target: "ops", Text: "a test", Error: "the token was revoked"}, ""},
		{client.TrialWish{Target: "opps", By: "ana"}, client.Trial{}, client.NotFound},
		{client.TrialWish{Target: "ops"}, client.Trial{}, client.Invalid},
	} {
		got, err := c.Try(t.Context(), test.wish)
		if diff := cmp.Diff(test.want, got); diff != "" || (err == nil) != (test.code == "") || err != nil && codeOf(err) != test.code {
			t.Errorf("%+v: %v\n%s", test.wish, err, diff)
		}
	}
}
