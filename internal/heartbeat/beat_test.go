package heartbeat

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/setting"
	"tocsin/internal/store"
)

// switchboard is a dead man's switch: it keeps what it was asked, and answers as it is told to.
type switchboard struct {
	mu     sync.Mutex
	asked  []string
	status int
	*httptest.Server
}

func newSwitchboard(t *testing.T) *switchboard {
	b := &switchboard{status: 200}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.asked = append(b.asked, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body)))
		if b.status == 302 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(b.status)
	}))
	t.Cleanup(b.Close)
	return b
}

// took is what came since it was asked last.
func (b *switchboard) took() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	asked := b.asked
	b.asked = nil
	return asked
}

func (b *switchboard) answer(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = status
}

// rig is a beat with its audit, at a time that the test moves.
type rig struct {
	*testing.T
	store *store.Store
	audit *Audit
	beat  *Beat
	ails  []string
	now   time.Time
}

func newRig(t *testing.T, s Settings) *rig {
	r := &rig{T: t, store: opened(t), now: time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)}
	r.audit = NewAudit(r.store, AuditOptions{Since: r.now})
	r.beat = NewBeat(r.store, BeatOptions{Settings: s, Audit: r.audit, Ailments: func(time.Time) []string { return append([]string(nil), r.ails...) },
		Summary: func() string { return "0 incidents open" }, Transport: http.DefaultTransport})
	r.check()
	return r
}

func (r *rig) check() {
	r.Helper()
	if _, err := r.audit.Step(context.Background(), r.now); err != nil {
		r.Fatal(err)
	}
}

// pass lets time go by, with the audit's and the beat's steps when they are due.
func (r *rig) pass(d time.Duration) {
	r.Helper()
	for end, due := r.now.Add(d), r.now; ; {
		if !r.now.Before(due) {
			next, err := r.beat.Step(context.Background(), r.now)
			if err != nil || !next.After(r.now) {
				r.Fatalf("next %s, %v", next, err)
			}
			due = next
		}
		if r.now = r.now.Add(time.Second); r.now.After(end) {
			return
		}
		if r.now.Unix()%10 == 0 {
			r.check()
		}
	}
}

func (r *rig) want(b *switchboard, want ...string) {
	r.Helper()
	if diff := cmp.Diff(want, b.took()); diff != "" {
		r.Errorf("the switch: -want +got:\n%s", diff)
	}
}

func settings(url string) Settings {
	s := Defaults()
	s.URL = url
	return s
}

func TestBeats(t *testing.T) {
	b := newSwitchboard(t)
	r := newRig(t, settings(b.URL+"/ping/secret"))
	r.pass(0)
	r.want(b, "POST /ping/secret 0 incidents open")
	r.pass(10 * time.Minute)
	if n := len(b.took()); n < 10 || n > 12 {
		t.Errorf("%d beats in ten minutes of one a minute", n)
	}
	r.ails = []string{"source prow-logs cannot be read"}
	r.pass(10 * time.Minute)
	r.want(b)
	if diff := cmp.Diff(r.ails, r.beat.Status().Blocked); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	r.ails = nil
	r.pass(5 * time.Second)
	r.want(b, "POST /ping/secret 0 incidents open")
}

// What the audit found, an audit that is old, and a page that waits all hold it back; what is planned is announced by a last beat.
func TestNoBeatUnlessTheAuditIsClean(t *testing.T) {
	b := newSwitchboard(t)
	s := settings(b.URL + "/x/")
	s.Method = "GET"
	r := newRig(t, s)
	r.pass(0)
	r.want(b, "GET /x/")
	inc, rows := whole(r.now)
	inc.Due = r.now.Add(time.Hour)
	update(t, r.store, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.SaveIncident(ctx, inc); err != nil {
			return err
		}
		_, err := tx.AddNotification(ctx, rows[1])
		return err
	})
	r.pass(4 * time.Minute)
	if n := len(b.took()); n < 4 {
		t.Errorf("%d beats in four minutes: a page may wait so long", n)
	}
	r.pass(3 * time.Minute)
	b.took()
	r.pass(5 * time.Minute)
	r.want(b)
	if got := fmt.Sprint(r.beat.Status().Blocked); !strings.Contains(got, "a page has waited for") {
		t.Errorf("blocked by %s", got)
	}
	if err := r.beat.Stopping(t.Context(), r.now); err != nil {
		t.Error(err)
	}
	r.want(b)
	rows[1].State, rows[1].SentAt = "sent", r.now
	update(t, r.store, func(ctx context.Context, tx *store.Tx) error { return tx.SaveNotification(ctx, rows[1]) })
	r.now = r.now.Add(2 * fresh)
	if got := fmt.Sprint(r.beat.Blocked(r.now)); !strings.Contains(got, "the last audit") {
		t.Errorf("an old audit is believed: %s", got)
	}
	r.check()
	if err := r.beat.Stopping(t.Context(), r.now); err != nil {
		t.Error(err)
	}
	r.want(b, "GET /x/")
}

func TestHealthchecksSignals(t *testing.T) {
	b := newSwitchboard(t)
	s := settings(b.URL + "/ping/a%2Fb/uuid")
	s.Signals = SignalsHealthchecks
	r := newRig(t, s)
	r.pass(0)
	r.ails = []string{"the loop engine has not stepped for 2m0s"}
	r.pass(20 * time.Second)
	b.took()
	r.pass(5 * time.Minute) // said once
	r.want(b, "POST /ping/a/b/uuid/fail the loop engine has not stepped for 2m0s")
	r.ails = nil
	r.pass(5 * time.Second)
	r.want(b, "POST /ping/a/b/uuid 0 incidents open")
	if err := r.beat.Stopping(t.Context(), r.now); err != nil {
		t.Error(err)
	}
	r.want(b, "POST /ping/a/b/uuid/start tocsin stops as it was told to: a restart should follow\n0 incidents open")
}

// A switch that does not answer is a trouble of tocsin's own, once it lasts, and over when it does; nothing of its address is told.
func TestTheSwitchIsDown(t *testing.T) {
	for _, status := range []int{500, 404, 302} {
		b := newSwitchboard(t)
		file := filepath.Join(t.TempDir(), "url")
		if err := os.WriteFile(file, []byte(b.URL+"/ping/secret\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := Defaults()
		s.URLFile = file
		r := newRig(t, s)
		b.answer(status)
		r.pass(10 * time.Second)
		if got := standing(t, r.store); len(got) > 0 {
			t.Errorf("one beat is a trouble: %q", got)
		}
		r.pass(2 * time.Minute)
		for _, path := range b.took() {
			if !strings.HasPrefix(path, "POST /ping/secret") {
				t.Errorf("%d: it was asked %s", status, path)
			}
		}
		got := standing(t, r.store)
		if len(got) != 1 || !strings.Contains(got[""], fmt.Sprint(status)) || strings.Contains(got[""], "secret") {
			t.Errorf("%d: troubles %q", status, got)
		}
		b.answer(200)
		r.pass(time.Minute)
		if got := standing(t, r.store); len(got) > 0 || r.beat.Status().Failure != "" {
			t.Errorf("%d: it is back, and yet %q", status, got)
		}
		b.Close()
		r.pass(2 * time.Minute)
		if got := standing(t, r.store)[""]; got == "" || strings.Contains(got, "secret") {
			t.Errorf("nobody listens: trouble %q", got)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		r.pass(2 * time.Minute)
		if got := r.beat.Status().Failure; !strings.Contains(got, "no such file") {
			t.Errorf("the file is gone: %q", got)
		}
	}
}

func TestSettings(t *testing.T) {
	good := Settings{URLFile: "x", Every: setting.Duration(time.Minute), Timeout: setting.Duration(time.Second), Method: "GET"}
	if errs := good.Validate(); len(errs) > 0 {
		t.Error(errs)
	}
	for want, spoil := range map[string]func(s *Settings){
		"url_file is missing":              func(s *Settings) { s.URLFile = "" },
		"exclude each other":               func(s *Settings) { s.URL = "https://x" },
		"it is no address":                 func(s *Settings) { s.URLFile, s.URL = "", "hc-ping.com/secret" },
		"5s is not between 10s and 24h":    func(s *Settings) { s.Every = setting.Duration(5 * time.Second) },
		"0s is not between 1s and 1m":      func(s *Settings) { s.Timeout = 0 },
		`unknown method "PUT"`:             func(s *Settings) { s.Method = "PUT" },
		`unknown form of signals "snitch"`: func(s *Settings) { s.Signals = "snitch" },
	} {
		s := good
		spoil(&s)
		errs := s.Validate()
		if len(errs) != 1 || !strings.Contains(errs[0].Text, want) || strings.Contains(errs[0].Text, "secret") {
			t.Errorf("%v, want %s", errs, want)
		}
	}
}
