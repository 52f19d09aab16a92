package access

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/crypto/bcrypt"
)

// reason is why somebody was refused; "" if they were not.
func reason(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func asking(headers ...string) *http.Request {
	r := httptest.NewRequest("GET", "https://tocsin.example.com/", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestRoles(t *testing.T) {
	for role := range Admin + 2 {
		for need := range Admin + 2 {
			got := Identity{Name: "a", Way: "oidc", Role: role}.May(need) == nil
			want := need >= Viewer && need <= role // what needs nothing is a mistake of ours, and closed
			if got != want {
				t.Errorf("%s may do what needs %s: %t, want %t", role, need, got, want)
			}
		}
	}
	if got := reason(Identity{}.May(Viewer)); got != Unauthenticated {
		t.Errorf("nobody: %q", got)
	}
	if got := reason(Identity{Name: "a", Way: "oidc"}.May(Viewer)); got != Forbidden {
		t.Errorf("somebody without a role: %q", got)
	}
}

func TestWhoHasWhichRole(t *testing.T) {
	g := NewGate(nil, Settings{Roles: map[Role][]string{Viewer: {"*@example.com", "*@"}, Responder: {"group:oncall"}, Silencer: {"Ana@Example.com"}, Admin: {"root"}}})
	for _, c := range []struct {
		name   string
		groups []string
		want   Role
	}{
		{"ben@example.com", nil, Viewer}, {"BEN@EXAMPLE.COM", nil, Viewer}, {"ana@example.com", nil, Silencer}, {"ana@example.com", []string{"oncall"}, Silencer},
		{"eve@elsewhere.com", []string{"oncall"}, Responder}, {"eve@elsewhere.com", []string{"Oncall", "on"}, 0}, {"eve@evil-example.com", nil, 0},
		{"eve@example.com@evil.com", nil, 0}, {"eve@evil.com@example.com", nil, 0}, {"root", nil, Admin}, {"root@evil.com", nil, 0}, {"group:oncall", nil, 0},
		{"*@example.com", nil, Viewer}, {"", nil, 0}, {"eve@", nil, 0},
		{"ben@examp\u212ae.com", nil, 0}, {"\u212aoot", nil, 0}, // the sign for Kelvin is no k
	} {
		if got := g.RoleOf([]string{c.name}, c.groups); got != c.want {
			t.Errorf("%q in %q is %s, want %s", c.name, c.groups, got, c.want)
		}
	}
}

func TestNobodySignsInWhereNoWayIsSet(t *testing.T) {
	who, err := NewGate(nil, Settings{}).Who(asking("Authorization", "Bearer x"))
	if err != nil || who.Role != Admin || who.Way != Open || who.Says("ana") != "ana" {
		t.Errorf("%+v, %v", who, err)
	}
}

const secret = "3f0b9a2c7d5e48f1a6b3"

func TestTokens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("another-token-in-a-file\n")
	g := NewGate(nil, Settings{Tokens: []Token{{Name: "ci", Role: Responder, Hash: hashed(secret)}, {Name: "scraper", Role: Viewer, File: file}, {Name: "weak", Role: Admin, Hash: hashed("guess")}}})
	for header, want := range map[string]Role{
		"Bearer " + secret: Responder, "bearer  " + secret: Responder, "Bearer another-token-in-a-file": Viewer,
		"Bearer " + secret + "x": 0, "Bearer": 0, "Bearer ": 0, "Bearer " + hashed(secret): 0, "Bearer guess": 0, "Basic " + secret: 0, secret: 0, "": 0,
	} {
		r := asking()
		if header != "" {
			r = asking("Authorization", header)
		}
		who, err := g.Who(r)
		if who.Role != want || (want == 0) != (reason(err) == Unauthenticated) {
			t.Errorf("%q: %+v, %v; want %s", header, who, err, want)
		}
	}
	who, _ := g.Who(asking("Authorization", "Bearer "+secret))
	if who.Says("ana") != "ana (token ci)" || who.Says("") != "token ci" {
		t.Errorf("a deed goes as %q and %q", who.Says("ana"), who.Says(""))
	}
	write("a-token-that-was-rotated")
	if _, err := g.Who(asking("Authorization", "Bearer another-token-in-a-file")); reason(err) != Unauthenticated {
		t.Errorf("the token before: %v", err)
	}
	write("")
	if _, err := g.Who(asking("Authorization", "Bearer ")); reason(err) != Unauthenticated {
		t.Errorf("an empty token for an empty file: %v", err)
	}
}

func TestPasswords(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	users := map[string]string{"ana": string(hash), "ben": string(hash)}
	g := NewGate(nil, Settings{Users: func() (map[string]string, error) { return users, nil }, Roles: map[Role][]string{Silencer: {"ana"}}})
	g.passwords.nobody = string(hash) // that is right for somebody, and for nobody who does not exist
	ask := func(name, password string) (Identity, error) {
		r := asking()
		r.SetBasicAuth(name, password)
		return g.Who(r)
	}
	for _, c := range []struct{ name, password, want string }{{"ana", "right", ""}, {"ana", "right", ""}, {"ana", "wrong", Unauthenticated}, {"Ana", "right", Unauthenticated}, {"eve", "right", Unauthenticated},
		{"", "", Unauthenticated}, {"ana", "", Unauthenticated}, {"ana", strings.Repeat("x", 100), Unauthenticated}, {"eve", "fakepassword", Unauthenticated}} {
		who, err := ask(c.name, c.password)
		if reason(err) != c.want || c.want == "" && (who.Role != Silencer || who.Name != "ana" || who.Says("eve") != "ana") {
			t.Errorf("%s %s: %+v %v", c.name, c.password, who, err)
		}
	}
	if who, err := ask("ben", "right"); err != nil || reason(who.May(Viewer)) != Forbidden {
		t.Errorf("somebody without a role: %+v %v", who, err)
	}
	changed, err := bcrypt.GenerateFromPassword([]byte("changed"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	users = map[string]string{"ana": string(changed)}
	if _, err := ask("ana", "right"); reason(err) != Unauthenticated {
		t.Errorf("a password that was changed: %v", err)
	}
}

// signer signs as an issuer does, and is the client by which its keys are fetched.
type signer struct {
	t   *testing.T
	key *ecdsa.PrivateKey
	id  string
	alg jose.SignatureAlgorithm
}

func newSigner(t *testing.T, id string) *signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{t: t, key: key, id: id, alg: jose.ES256}
}

func (s *signer) keys() []byte {
	data, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &s.key.PublicKey, KeyID: s.id, Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

// RoundTrip answers for the keys' address.
func (s *signer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.String() != iapKeys {
		return nil, errors.New("nobody asks " + r.URL.String())
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(s.keys())), Request: r}, nil
}

func (s *signer) sign(claims map[string]any) string {
	return signed(s.t, jose.SigningKey{Algorithm: s.alg, Key: jose.JSONWebKey{Key: s.key, KeyID: s.id}}, claims)
}

func signed(t *testing.T, key jose.SigningKey, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	object, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const audience = "/projects/1/global/backendServices/2"

func TestIdentityAwareProxy(t *testing.T) {
	google, mallory := newSigner(t, "k1"), newSigner(t, "k1")
	now := began
	g := NewGate(nil, Settings{IAP: &IAP{Audience: audience}, Client: &http.Client{Transport: google}, Now: func() time.Time { return now }, Roles: map[Role][]string{Responder: {"*@example.com"}}})
	with := func(change map[string]any) map[string]any {
		claims := map[string]any{"iss": iapIssuer, "aud": audience, "sub": "accounts.google.com:1", "email": "ana@example.com", "iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix()}
		for k, v := range change {
			claims[k] = v
		}
		return claims
	}
	good := google.sign(with(nil))
	parts := strings.Split(good, ".")
	ours := jose.SigningKey{Algorithm: jose.HS256, Key: google.keys()} // the public key as a shared secret
	for name, c := range map[string]struct{ assertion, want string }{
		"as it should be":      {good, ""},
		"another key":          {mallory.sign(with(nil)), Unauthenticated},
		"another audience":     {google.sign(with(map[string]any{"aud": "/projects/1/global/backendServices/3"})), Unauthenticated},
		"another issuer":       {google.sign(with(map[string]any{"iss": "https://accounts.google.com"})), Unauthenticated},
		"expired":              {google.sign(with(map[string]any{"exp": now.Add(-time.Minute).Unix()})), Unauthenticated},
		"without an end":       {google.sign(with(map[string]any{"exp": 0})), Unauthenticated},
		"without an email":     {google.sign(with(map[string]any{"email": ""})), Unauthenticated},
		"no signature":         {parts[0] + "." + parts[1] + ".", Unauthenticated},
		"a short signature":    {parts[0] + "." + parts[1] + ".AAAA", Unauthenticated},
		"another payload":      {parts[0] + "." + strings.Split(google.sign(with(map[string]any{"email": "root@example.com"})), ".")[1] + "." + parts[2], Unauthenticated},
		"signed with no key":   {"eyJhbGciOiJub25lIn0." + parts[1] + ".", Unauthenticated},
		"signed symmetrically": {signed(t, ours, with(nil)), Unauthenticated},
		"nonsense":             {"x", Unauthenticated},
		"nobody here":          {google.sign(with(map[string]any{"email": "eve@evil.com"})), Forbidden},
	} {
		t.Run(name, func(t *testing.T) {
			// A right token beside it does not help: what the proxy says decides.
			who, err := g.Who(asking("X-Goog-IAP-JWT-Assertion", c.assertion, "Authorization", "Bearer "+secret))
			if err == nil {
				err = who.May(Responder)
			}
			if reason(err) != c.want || c.want == "" && who.Says("eve") != "ana@example.com" {
				t.Errorf("%+v: %v, want %q", who, err, c.want)
			}
		})
	}
	now = now.Add(time.Hour)
	if _, err := g.Who(asking("X-Goog-IAP-JWT-Assertion", good)); reason(err) != Unauthenticated {
		t.Errorf("an hour later: %v", err)
	}
	if _, err := g.Who(asking()); reason(err) != Unauthenticated {
		t.Errorf("past the proxy: %v", err)
	}
}
