package app

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/escalation"
	"tocsin/internal/store"
)

// imported is a configuration with the schedule prow, and people who have names on GitHub.
func imported(t *testing.T, schedule string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["tocsin.yaml"] = `project: p
receivers: {screen: {console: {}}}
fallback: screen
people: {ana: {github: ana-on-github}, bob: {github: bob-on-github}}
schedules: {prow: ` + schedule + `}
route: {receiver: screen}
`
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "tocsin.yaml")
}

// TestImportKeepsTheLastGoodCopy: who is on call is a row, so that neither an outage of its place nor a restart takes it away, and its
// age and what is wrong are known. Nothing of the address is told.
func TestImportKeepsTheLastGoodCopy(t *testing.T) {
	answer, status, asked := `{"Oncall": {"testinfra": "ana-on-github"}}`, http.StatusOK, 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
	defer server.Close()
	path := imported(t, "{prow_oncall: {url: '"+server.URL+"/secret-path/oncall.json', every: 10m}}", map[string]string{})
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	// look reads the schedule if it is due, and says who is on call and what the copy is.
	look := func(after time.Duration) (string, escalation.Copy) {
		t.Helper()
		db, err := store.Open(t.Context(), filepath.Join(filepath.Dir(path), "tocsin.db"), store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		plan, errs := Load(path)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		now = now.Add(after)
		a := &App{store: db, wakeSteps: newBell(), o: Options{Log: slog.New(slog.DiscardHandler)}}
		rota := plan.Rotas["prow"]
		if err := a.importSchedule(t.Context(), server.Client(), plan, "prow", rota, now); err != nil {
			t.Fatal(err)
		}
		var c escalation.Copy
		err = db.View(t.Context(), func(tx *store.Tx) error {
			rota, c, err = rota.Now(t.Context(), tx, "prow", now)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(rota.OnCall(now)), c
	}
	want := func(after time.Duration, who string, age time.Duration, trouble string, times int) {
		t.Helper()
		got, c := look(after)
		if got != who || now.Sub(c.FetchedAt) != age || (trouble == "") != (c.Error == "") || !strings.Contains(c.Error, trouble) || asked != times {
			t.Errorf("%s is on call by a copy %s old, trouble %q, asked %d times; want %s, %s, %q, %d", got, now.Sub(c.FetchedAt), c.Error, asked, who, age, trouble, times)
		}
		if strings.Contains(c.Error, "secret-path") {
			t.Errorf("the address is told: %s", c.Error)
		}
	}
	want(0, "[ana]", 0, "", 1)
	answer = `{"Oncall": {"testinfra": "bob-on-github"}}`
	want(9*time.Minute, "[ana]", 9*time.Minute, "", 1)
	want(time.Minute, "[bob]", 0, "", 2)
	status = http.StatusBadGateway
	want(10*time.Minute, "[bob]", 10*time.Minute, "the answer is 502", 3)
	status, answer = http.StatusOK, "<html>sign in"
	want(10*time.Minute, "[bob]", 20*time.Minute, "it is no oncall.json", 4)
	want(time.Minute, "[bob]", 21*time.Minute, "it is no oncall.json", 4)
	server.Close()
	want(9*time.Minute, "[bob]", 30*time.Minute, "ask for it", 4)
	if got := standing(t, path); got != "" {
		t.Errorf("after half an hour it is a trouble: %s", got)
	}
	want(31*time.Minute, "[bob]", 61*time.Minute, "ask for it", 4)
	if got := standing(t, path); !strings.Contains(got, "schedule prow has not been read for 1h1m0s, who was on call then by it still is: ask for it") {
		t.Errorf("after an hour there is the trouble %q", got)
	}
	// Another address is another place: what the first said does not count.
	path2 := imported(t, "{prow_oncall: {url: '"+server.URL+"/other.json'}}", map[string]string{})
	if err := os.Rename(path2, path); err != nil {
		t.Fatal(err)
	}
	if got, _ := look(0); got != "[]" {
		t.Errorf("by the copy of another address %s is on call", got)
	}
}

// standing are the troubles of tocsin's own that stand.
func standing(t *testing.T, path string) string {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(filepath.Dir(path), "tocsin.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var texts []string
	err = db.View(t.Context(), func(tx *store.Tx) error {
		all, err := tx.Standing(t.Context())
		for _, trouble := range all {
			texts = append(texts, trouble.Text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(texts, "; ")
}

const anasWeek = `BEGIN:VCALENDAR
BEGIN:VEVENT
SUMMARY:ANA
DTSTART:20261123T090000Z
DURATION:P7D
RRULE:FREQ=WEEKLY
END:VEVENT
END:VCALENDAR
`

// TestCalendarFile: a file is read with the configuration, and its mistakes are found with it, at their place.
func TestCalendarFile(t *testing.T) {
	path := imported(t, "{ical: {file: prow.ics}}", map[string]string{"prow.ics": anasWeek})
	plan, errs := Load(path)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	db, err := store.Open(t.Context(), ":memory:", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	err = db.View(t.Context(), func(tx *store.Tx) error {
		rota, _, err := plan.Rotas["prow"].Now(t.Context(), tx, "prow", now)
		if err == nil && fmt.Sprint(rota.OnCall(now)) != "[ana]" {
			t.Errorf("%s is on call, want ana", rota.OnCall(now))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ ics, want string }{
		{strings.Replace(anasWeek, "WEEKLY", "HOURLY", 1), `prow.ics:6:1: RRULE: "FREQ=HOURLY" is not known here`},
		{"", "prow.ics:1:1: it is no calendar"},
	} {
		_, errs := Load(imported(t, "{ical: {file: prow.ics}}", map[string]string{"prow.ics": test.ics}))
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), test.want) {
			t.Errorf("%v, want one with %q", errs, test.want)
		}
	}
	if _, errs := Load(imported(t, "{ical: {file: gone.ics}}", map[string]string{})); len(errs) != 1 || !strings.Contains(errs[0].Error(), "tocsin.yaml:5:") {
		t.Errorf("%v, want one at the place of the file's name", errs)
	}
	plan, errs = Load(imported(t, "{ical: {file: prow.ics}}", map[string]string{"prow.ics": strings.Replace(anasWeek, "ANA", "stranger", 1)}))
	if len(errs) > 0 || len(plan.Warnings) != 1 || !strings.Contains(plan.Warnings[0].Text, `"stranger" on call`) {
		t.Errorf("%v, warnings %v: want one of a stranger", errs, plan.Warnings)
	}
}

// TestImportsAskNoMetadataServer: whoever may set a schedule's address, or answers for it, gets nothing from a cloud's metadata service.
func TestImportsAskNoMetadataServer(t *testing.T) {
	redirect := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, redirect, http.StatusFound) }))
	defer server.Close()
	forbidden := []string{"http://169.254.169.254/computeMetadata/v1/", "http://metadata.google.internal/", "http://[::ffff:169.254.169.254]/", "http://[fd20:ce::254]/"}
	for _, address := range forbidden {
		for from, to := range map[string]string{address: "", server.URL: address} {
			redirect = to
			_, err := new(Plan).fetch(t.Context(), importClient(), escalation.Import{URL: from})
			if err == nil || !strings.Contains(err.Error(), "secrets") {
				t.Errorf("%s, redirected to %q: %v", from, to, err)
			}
		}
	}
}
