package access

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/store"
)

// issuer is a provider of OpenID Connect: each code is good once, for who asked with its challenge.
type issuer struct {
	*httptest.Server
	*signer
	claims map[string]any
	codes  map[string]url.Values
	shown  *signer // whose keys are told; nil: its own
}

func newIssuer(t *testing.T) *issuer {
	p := &issuer{signer: newSigner(t, "k"), codes: map[string]url.Values{}}
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"issuer": p.URL, "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"ES256"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		if p.shown != nil {
			_, _ = w.Write(p.shown.keys())
			return
		}
		_, _ = w.Write(p.keys())
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		asked, ok := p.codes[r.PostForm.Get("code")]
		delete(p.codes, r.PostForm.Get("code"))
		sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
		id, password, _ := r.BasicAuth()
		if !ok || base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge") || id != "tocsin" || password != "s3cret" {
			http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
			return
		}
		claims := map[string]any{"iss": p.URL, "aud": "tocsin", "sub": "u1", "email": "ana@example.com", "email_verified": true, "groups": []string{"oncall"},
			"nonce": asked.Get("nonce"), "exp": began.Add(time.Hour).Unix(), "iat": began.Unix()}
		for k, v := range p.claims {
			claims[k] = v
		}
		answer(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": p.sign(claims)})
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// browser keeps cookies as a browser does.
type browser struct {
	t   *testing.T
	g   *Gate
	jar map[string]string
}

func (b *browser) asking(target string) *http.Request {
	r := httptest.NewRequest("GET", target, nil)
	for name, value := range b.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

func (b *browser) does(target string, do func(http.ResponseWriter, *http.Request) error) (location string, err error) {
	w := httptest.NewRecorder()
	err = do(w, b.asking(target))
	for _, c := range w.Result().Cookies() {
		if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-") {
			b.t.Errorf("a cookie that others could have or see: %+v", c)
		}
		b.jar[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(b.jar, c.Name)
		}
	}
	return w.Header().Get("Location"), err
}

// begins signs in at the provider as far as the way back: the path to which it sends the browser.
func (b *browser) begins(p *issuer, next string) (back string) {
	b.t.Helper()
	to, err := b.does("/login", func(w http.ResponseWriter, r *http.Request) error { return b.g.Login(w, r, next) })
	if err != nil {
		b.t.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil || !strings.HasPrefix(to, p.URL+"/auth?") {
		b.t.Fatalf("it leads to %q, %v", to, err)
	}
	q := u.Query()
	if q.Get("redirect_uri") != "https://tocsin.example.com/login/callback" || q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" || q.Get("scope") != "openid email" {
		b.t.Errorf("it asks for %q", q)
	}
	code := "code-" + q.Get("state")
	p.codes[code] = q
	return Callback + "?" + url.Values{"code": {code}, "state": {q.Get("state")}}.Encode()
}

func (b *browser) returns(back string) (string, error) { return b.does(back, b.g.Return) }

func (b *browser) who() (Identity, error) { return b.g.Who(b.asking("/")) }

// TestSigningInWithABrowser: in, seen again, out; and each thing that is not as it should be lets nobody in.
func TestSigningInWithABrowser(t *testing.T) {
	p, s, now := newIssuer(t), openStore(t), began
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := NewGate(s, Settings{OIDC: &OIDC{Issuer: p.URL, ClientID: "tocsin", SecretFile: file, Scopes: []string{"email"}}, Address: "https://tocsin.example.com",
		Now: func() time.Time { return now }, Roles: map[Role][]string{Responder: {"group:oncall"}}})
	fresh := func() *browser { return &browser{t: t, g: g, jar: map[string]string{}} }
	refused := func(what string, b *browser, err error) {
		t.Helper()
		_, still := b.who()
		if reason(err) != Unauthenticated || reason(still) != Unauthenticated {
			t.Errorf("%s: %v, then %v", what, err, still)
		}
	}

	ana := fresh()
	back := ana.begins(p, "/incidents/01D1V7")
	to, err := ana.returns(back)
	if err != nil || to != "/incidents/01D1V7" {
		t.Fatalf("back: %q, %v", to, err)
	}
	if who, err := ana.who(); err != nil || who.Name != "ana@example.com" || who.Role != Responder || who.Way != "oidc" {
		t.Errorf("she is %+v, %v", who, err)
	}
	stolen := &browser{t: t, g: g, jar: map[string]string{}}
	for k, v := range ana.jar {
		stolen.jar[k] = v
	}

	b := fresh()
	_, err = b.returns(back)
	refused("an answer without a question", b, err)
	b = fresh()
	b.begins(p, "/")
	_, err = b.returns(back) // of ana's sign-in: whoever clicks this link must not become her
	refused("another's answer", b, err)
	b = fresh()
	back = b.begins(p, "/")
	if _, err = b.returns(back); err != nil {
		t.Fatal(err)
	}
	delete(b.jar, "__Host-tocsin")
	_, err = b.returns(back)
	refused("the same answer again", b, err)
	b = fresh()
	back = b.begins(p, "/")
	now = now.Add(loginTime)
	_, err = b.returns(back)
	refused("an answer that took too long", b, err)
	now = began
	b = fresh()
	back = b.begins(p, "/")
	_, err = b.returns(back + "&error=access_denied&error_description=no")
	refused("a refusal", b, err)
	for what, claims := range map[string]map[string]any{"another nonce": {"nonce": "x"}, "another audience": {"aud": "other"}, "another issuer": {"iss": "https://evil.com"},
		"expired": {"exp": began.Add(-time.Minute).Unix()}, "nobody": {"email": "", "sub": ""}, "a name with a line break": {"email": "a\nb@example.com"}} {
		p.claims = claims
		b = fresh()
		_, err = b.returns(b.begins(p, "/"))
		refused(what, b, err)
	}
	p.claims = nil
	right := p.signer
	p.signer, p.shown = newSigner(t, "k"), right
	b = fresh()
	_, err = b.returns(b.begins(p, "/"))
	refused("another key", b, err)
	p.signer, p.shown = right, nil

	p.claims = map[string]any{"email_verified": false, "preferred_username": "root@example.com", "groups": []string{}}
	b = fresh()
	if _, err := b.returns(b.begins(p, "/")); err != nil {
		t.Fatal(err)
	}
	if who, err := b.who(); err != nil || who.Name != "u1" || who.Role != 0 {
		t.Errorf("an address that nobody has verified makes %+v, %v", who, err)
	}

	if _, err := ana.does("/logout", g.Logout); err != nil {
		t.Fatal(err)
	}
	_, err = ana.who()
	refused("signed out", ana, err)
	_, err = stolen.who()
	refused("a copy of a session that was signed out", stolen, err)
	p.claims = nil
	b = fresh()
	if _, err := b.returns(b.begins(p, "/")); err != nil {
		t.Fatal(err)
	}
	now = now.Add(sessionTime)
	_, err = b.who()
	refused("a day later", b, err)
	if v := verify(t, s, ""); v.Broken != "" || v.Lines != 5 {
		t.Errorf("of four who signed in and one who signed out the trail has %+v", v)
	}
	_ = s.View(t.Context(), func(tx *store.Tx) error {
		if _, ok, err := tx.Session(t.Context(), stolen.jar["__Host-tocsin"], began); ok || err != nil {
			t.Errorf("the store keeps what the browser holds, not its hash: %v", err)
		}
		return nil
	})
}

// TestWhereASignInLeads: to a path of ours, whatever somebody has put into a link.
func TestWhereASignInLeads(t *testing.T) {
	for next, want := range map[string]string{"/incidents/01D?x=1": "/incidents/01D?x=1", "": "/", "https://evil.com": "/", "//evil.com": "/", "/\\evil.com": "/", "/a\r\nSet-Cookie: x": "/",
		"/\t/evil.com": "/", "javascript:alert(1)": "/", "/" + strings.Repeat("a", 500): "/"} {
		if got := ownPath(next); got != want {
			t.Errorf("%.40q leads to %q, want %q", next, got, want)
		}
	}
}
