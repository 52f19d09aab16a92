package web

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/access"
	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// rights are who may ask what: the least role, or "open". It is written here by hand, not read off the routes.
var rights = map[string]string{
	"GET /{$}": "viewer", "GET /incidents/{id}": "viewer", "POST /incidents/{id}/acknowledge": "responder", "POST /incidents/{id}/resolve": "responder",
	"POST /incidents/{id}/note": "responder", "GET /silences": "viewer", "POST /silences": "silencer", "POST /silences/preview": "viewer", "POST /silences/{id}/expire": "silencer",
	"GET /oncall": "viewer", "POST /oncall/{schedule}/overrides": "silencer", "GET /rules": "viewer", "GET /rules/{rule}": "viewer", "GET /probes": "viewer", "GET /sources": "viewer", "GET /status": "viewer", "GET /events": "viewer",
	"POST /api/v1/incidents/{id}/notes": "responder",
	"GET /static/{name}":                "open", "GET /login": "open", "GET /login/callback": "open", "POST /logout": "open",
	"GET /api/v1/incidents": "viewer", "GET /api/v1/incidents/{id}": "viewer", "POST /api/v1/incidents/{id}/acknowledge": "responder", "POST /api/v1/incidents/{id}/resolve": "responder",
	"GET /api/v1/silences": "viewer", "POST /api/v1/silences": "silencer", "POST /api/v1/silences/{id}/expire": "silencer",
	"GET /api/v1/oncall": "viewer", "POST /api/v1/oncall/{schedule}/overrides": "silencer", "POST /api/v1/notify-test": "responder", "POST /api/v2/alerts": "responder", "GET /api/v1/status": "viewer", "GET /api/v1/rules/{rule}/record": "viewer",
	"GET /api/v1/audit": "admin", "GET /api/v1/audit/verify": "admin",
	"POST /incidents/{id}/merge": "responder", "POST /incidents/{id}/split": "responder", "POST /incidents/{id}/ask": "responder",
	"POST /api/v1/incidents/{id}/merge": "responder", "POST /api/v1/incidents/{id}/split": "responder", "POST /api/v1/incidents/{id}/ask": "responder",
	"GET /incidents/{id}/postmortem": "viewer",
	"GET /declare":                   "responder", "POST /declare": "responder", "POST /api/v1/incidents": "responder",
	"POST /slack/{what}": "open", "POST /pagerduty/webhook": "open", // what is not signed is refused there
	"GET /healthz": "open", "GET /readyz": "open", "GET /metrics": "viewer",
}

// bodies are what the routes take that change something.
var bodies = map[string]string{
	"POST /incidents/{id}/acknowledge": "by=ana", "POST /incidents/{id}/resolve": "by=ana", "POST /logout": "", "POST /incidents/{id}/note": "by=ana&text=x", "POST /silences": "by=ana&for=2h&reason=x&matchers=rule%3D%22x%22",
	"POST /silences/preview": "by=ana&for=2h&reason=x&matchers=rule%3D%22x%22", "POST /silences/{id}/expire": "by=ana", "POST /oncall/{schedule}/overrides": "by=ana&for=2h&reason=x&person=ben",
	"POST /api/v1/incidents/{id}/notes":       `{"by":"ana","text":"x"}`,
	"POST /api/v1/incidents/{id}/acknowledge": `{"by":"ana"}`, "POST /api/v1/incidents/{id}/resolve": `{"by":"ana"}`,
	"POST /api/v1/silences": `{"matchers":["rule=\"x\""],"by":"ana","reason":"x"}`, "POST /api/v1/silences/{id}/expire": `{"by":"ana"}`,
	"POST /api/v1/oncall/{schedule}/overrides": `{"person":"ben","to":"2099-01-01T00:00:00Z","by":"ana","reason":"x"}`, "POST /api/v1/notify-test": `{"target":"ops","by":"ana","dry":true}`,
	"POST /incidents/{id}/merge": "by=ana&into=01D1VX0000AAAAAAAABBBBBBBB", "POST /incidents/{id}/split": "by=ana&alert=x", "POST /incidents/{id}/ask": "by=ana&person=ben",
	"POST /api/v1/incidents/{id}/merge": `{"by":"ana","into":"01D1VX0000AAAAAAAABBBBBBBB"}`, "POST /api/v1/incidents/{id}/split": `{"by":"ana","rule":"x"}`, "POST /api/v1/incidents/{id}/ask": `{"by":"ana","person":"ben"}`,
	"POST /pagerduty/webhook": `{}`,
	"POST /declare":           "by=ana&title=x&severity=high", "POST /api/v1/incidents": `{"title":"y","by":"ana"}`,
	"POST /api/v2/alerts": `[{"labels":{"alertname":"a"}}]`,
}

// tokenOf is the secret of a token of that role.
func tokenOf(role string) string { return "the-token-of-a-" + role + "-for-tests" }

// gated is a service where one signs in with a token of each role.
func gated(t testing.TB, s *store.Store) func() *access.Gate {
	var o access.Settings
	for i, role := range access.Roles {
		sum := sha256.Sum256([]byte(tokenOf(role)))
		o.Tokens = append(o.Tokens, access.Token{Name: role, Role: access.Role(i + 1), Hash: hex.EncodeToString(sum[:])})
	}
	sum := sha256.Sum256([]byte(tokenOf("nobody")))
	o.Tokens = append(o.Tokens, access.Token{Name: "nobody", Hash: hex.EncodeToString(sum[:])})
	g := access.NewGate(s, o)
	return func() *access.Gate { return g }
}

// kept is all that a refused request could have changed.
func kept(t testing.TB, s *store.Store, id string) string {
	t.Helper()
	var silences []incident.Silence
	var overrides []store.Override
	var trail []store.Trace
	all := everything(t, s, id)
	err := s.View(t.Context(), func(tx *store.Tx) (err error) {
		if silences, err = tx.SilencesSince(t.Context(), noon.AddDate(-1, 0, 0)); err != nil {
			return err
		}
		if overrides, err = tx.Overrides(t.Context(), "prow", noon.AddDate(-1, 0, 0)); err != nil {
			return err
		}
		trail, err = tx.Traces(t.Context(), 0, 100)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.MarshalIndent([]any{all, silences, overrides, trail}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestRightsOfEveryRoute is the matrix: every route of the router, asked by everybody there is.
func TestRightsOfEveryRoute(t *testing.T) {
	_, s, id := filled(t, nil)
	o := options(s)
	o.Gate = gated(t, s)
	ended := make(chan struct{})
	close(ended)
	o.Stopping = ended // what goes on ends at once
	h := New(o)
	rank := map[string]int{"open": -1, "nobody": 0, "viewer": 1, "responder": 2, "silencer": 3, "admin": 4}
	routes := (&server{Options: o}).routes()
	known := map[string]bool{}
	before := kept(t, s, id)
	for _, r := range routes {
		name := r.method + " " + r.path
		known[name] = true
		need, ok := rights[name]
		if !ok {
			t.Errorf("nobody has said who may ask %s", name)
			continue
		}
		path := strings.NewReplacer("{id}", id, "{name}", "tocsin.css", "{schedule}", "prow", "{rule}", "prow-config-load-error", "{$}", "").Replace(r.path)
		path = strings.Replace(path, "silences/"+id, "silences/1", 1)
		kind := formType
		if strings.HasPrefix(path, "/api/") {
			kind = jsonType
		}
		for who, header := range map[string]string{
			"": "", "nobody": "Bearer " + tokenOf("nobody"), "viewer": "Bearer " + tokenOf("viewer"), "responder": "Bearer " + tokenOf("responder"),
			"silencer": "Bearer " + tokenOf("silencer"), "admin": "Bearer " + tokenOf("admin"),
			"forged": "Bearer " + tokenOf("admin") + "x", "the hash": "Bearer " + hashOf(tokenOf("admin")), "a password": "Basic cm9vdDpyb290", "nonsense": "Bearer", "unsigned": "Bearer eyJhbGciOiJub25lIn0.e30.",
		} {
			var headers []string
			if header != "" {
				headers = []string{"Authorization", header}
			}
			answer, text := ask(t, h, r.method, path, bodies[name], append(headers, "Content-Type", kind)...)
			level, isRole := rank[who]
			want := 0 // whatever the route itself says
			switch {
			case need == "open":
			case !isRole:
				want = http.StatusUnauthorized
			case level < rank[need]:
				want = http.StatusForbidden
			}
			refused := answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden && !strings.HasPrefix(path, "/login")
			if want != 0 && answer.StatusCode != want || want == 0 && refused {
				t.Errorf("%s by %q: %d, want %d\n%s", name, who, answer.StatusCode, want, text)
			}
			if want == http.StatusUnauthorized && answer.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s by %q is not told how to sign in", name, who)
			}
			after := kept(t, s, id)
			if after != before && (want != 0 || r.method == "GET") {
				t.Errorf("%s by %q changed something:\n%s", name, who, cmp.Diff(before, after))
			}
			before = after
		}
	}
	for name := range rights {
		if !known[name] {
			t.Errorf("there is no route %s", name)
		}
	}
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// TestNobodyActsAsAnother: the name is the sign-in's, whatever the request says; of a token both are told.
func TestNobodyActsAsAnother(t *testing.T) {
	_, s, id := filled(t, nil)
	o := options(s)
	o.Gate = gated(t, s)
	h := New(o)
	for body, want := range map[string]string{`{"by":"ben"}`: "ben (token responder)", `{}`: "token responder"} {
		if answer, text := ask(t, h, "POST", "/api/v1/incidents/"+id+"/acknowledge", body, "Content-Type", jsonType, "Authorization", "Bearer "+tokenOf("responder")); answer.StatusCode != 200 {
			t.Fatalf("%d %s", answer.StatusCode, text)
		}
		if got := everything(t, s, id).Incident.Acknowledgement.By; got != want {
			t.Errorf("it is acknowledged by %q, want %q", got, want)
		}
	}
	known := access.With(t.Context(), access.Identity{Name: "ana@example.com", Role: access.Responder, Way: "oidc"})
	for _, claimed := range []string{"ben", ""} {
		if got, err := whose(known, claimed); err != nil || got != "ana@example.com" {
			t.Errorf("%q acts as %q, %v", claimed, got, err)
		}
	}
}
