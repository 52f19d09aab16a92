package probe

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tocsin/internal/fakes"
	"tocsin/internal/setting"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a server and returns settings that probe it.
func serve(t *testing.T, h http.Handler) Settings {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	s := hookSettings()
	s.URL = server.URL + "/hook"
	return s
}

func payloadOf(t *testing.T, s Settings) (map[string]any, map[string]any) {
	t.Helper()
	e, _ := one(t, newSource(t, s, nil, nil))
	return e["jsonPayload"].(map[string]any), e
}

func TestProbeOfHook(t *testing.T) {
	hook := &fakes.Hook{Secret: "s3cret"}
	s := serve(t, hook)
	payload, e := payloadOf(t, s)
	phases := payload["phases"].(map[string]any)
	for _, name := range []string{"connect", "firstByte", "transfer"} {
		if ms, ok := phases[name].(float64); !ok || ms < 0 || ms > 10000 {
			t.Errorf("phase %s: %v ms", name, phases[name])
		}
	}
	if status := e["httpRequest"].(map[string]any)["status"]; payload["success"] != true || status != 405.0 || payload["answeredBy"] != "service" {
		t.Errorf("healthy: status %v, %v", status, payload)
	}

	hook.Set(fakes.HookDown)
	payload, e = payloadOf(t, s)
	if payload["success"] != false || payload["answeredBy"] != "load_balancer" || payload["cause"] != "load_balancer" || e["severity"] != "ERROR" {
		t.Errorf("down: %v", payload)
	}
	if payload["error"] != "status 502 Bad Gateway from the load balancer itself, not from the service" {
		t.Errorf("down: error %q", payload["error"])
	}

	hook.Set(fakes.HookRefuse)
	payload, e = payloadOf(t, s)
	if _, ok := e["httpRequest"].(map[string]any)["status"]; ok || payload["success"] != false || payload["answeredBy"] != "" {
		t.Errorf("refused: %v", e)
	}
}

func TestProbeByPing(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "hmac")
	if err := os.WriteFile(secret, []byte("probe-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hook := &fakes.Hook{Orgs: map[string]string{"probe-org": "probe-secret", "kubernetes": "another"}}
	var sent http.Header
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = r.Header
		hook.ServeHTTP(w, r)
	}))
	s.Healthy = []int{200}

	s.Ping = &Ping{SecretFile: secret, Repository: "probe-org/x"}
	if payload, _ := payloadOf(t, s); payload["success"] != true || hook.Received() != 1 {
		t.Errorf("ping of a repository: %v", payload)
	}
	if !strings.HasPrefix(sent.Get("X-Hub-Signature"), "sha1=") || sent.Get("X-GitHub-Event") != "ping" || len(sent.Get("X-GitHub-Delivery")) != 36 {
		t.Errorf("headers %v", sent)
	}
	s.Ping = &Ping{SecretFile: secret, Organization: "probe-org"}
	if payload, _ := payloadOf(t, s); payload["success"] != true || hook.Received() != 2 {
		t.Errorf("ping of an organization: %v", payload)
	}
	s.Ping = &Ping{SecretFile: secret, Organization: "kubernetes"}
	if payload, _ := payloadOf(t, s); payload["success"] != false || payload["error"] != "status 403 Forbidden, healthy is 200" {
		t.Errorf("ping with the wrong secret: %v", payload)
	}
	// That its secret is gone is the probe's own trouble.
	s.Ping.SecretFile = secret + ".gone"
	payload, e := payloadOf(t, s)
	if _, ok := payload["success"]; ok || payload["blind"] != true || e["severity"] != "WARNING" {
		t.Errorf("ping without its secret: %v", payload)
	}
	if strings.Contains(fmt.Sprint(e), "probe-secret") {
		t.Errorf("the secret is in the entry: %v", e)
	}
}

func TestProbeTimeout(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			fmt.Fprint(w, "the first half")
			w.(http.Flusher).Flush()
		}
		<-release
	}))
	defer close(release)
	s.Timeout = setting.Duration(50 * time.Millisecond)
	payload, _ := payloadOf(t, s)
	if payload["cause"] != "timeout" || payload["error"] != "timeout: no whole answer within 50ms, it was still waiting for the first byte" {
		t.Errorf("no answer: %v", payload)
	}
	s.URL = strings.TrimSuffix(s.URL, "/hook") + "/body"
	payload, e := payloadOf(t, s)
	if payload["error"] != "timeout: no whole answer within 50ms, it was still reading the body" || e["httpRequest"].(map[string]any)["status"] != 200.0 {
		t.Errorf("half an answer: %v", e)
	}
}

func TestProbeRedirects(t *testing.T) {
	hops := 0
	var last http.Header
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last = r.Header
		switch r.URL.Path {
		case "/hook":
			http.Redirect(w, r, "/next", http.StatusFound)
		case "/loop":
			hops++
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/metadata":
			http.Redirect(w, r, "http://169.254.169.254/computeMetadata/v1/", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "ftp://example.org/", http.StatusFound)
		case "/away":
			http.Redirect(w, r, "http://localhost"+r.Host[strings.LastIndex(r.Host, ":"):]+"/next", http.StatusFound)
		}
	}))
	base := strings.TrimSuffix(s.URL, "/hook")
	s.FollowRedirects, s.Headers = true, map[string]string{"X-Token": "hush"}
	get := func(path string) map[string]any {
		s.URL = base + path
		payload, _ := payloadOf(t, s)
		return payload
	}
	if p := get("/hook"); p["success"] != true || last.Get("X-Token") != "hush" {
		t.Errorf("one hop: %v", p)
	}
	if p := get("/loop"); p["cause"] != "redirect" || p["error"] != "more than 5 redirects" || hops != 6 {
		t.Errorf("a loop: %v after %d hops", p, hops)
	}
	if p := get("/metadata"); p["success"] == true || !strings.Contains(fmt.Sprint(p["error"]), "169.254.169.254 is not probed") {
		t.Errorf("to the metadata: %v", p)
	}
	if p := get("/file"); !strings.Contains(fmt.Sprint(p["error"]), "is not the URL of a web server") {
		t.Errorf("to another scheme: %v", p)
	}
	if get("/away"); last.Get("X-Token") != "" || last.Get("User-Agent") != "tocsin-probe/1" {
		t.Errorf("the other host got %v", last)
	}
}

// A name that leads to a denied address is refused where the connection is made.
func TestDeniedAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"169.254.169.254": true, "::ffff:169.254.169.254": true, "fe80::1": true, "fe80::1%eth0": true, "fd00:ec2::254": true, "64:ff9b::a9fe:a9fe": true,
		"2002:a9fe:a9fe::1": true, "::169.254.169.254": true, "0.0.0.0": true, "::": true, "224.0.0.1": true, "fd20:ce::254": true, "100.100.100.200": true,
		"127.0.0.1": false, "::1": false, "10.1.2.3": false, "192.168.1.1": false, "fd12::1": false, "8.8.8.8": false, "2001:4860:4860::8888": false,
	} {
		err := control("tcp", net.JoinHostPort(address, "80"), nil)
		if (err != nil) != want {
			t.Errorf("%s: %v", address, err)
		}
		if _, perr := netip.ParseAddr(address); perr != nil {
			t.Fatal(perr)
		}
	}
	s := hookSettings()
	s.URL = "http://prow.k8s.io/" // valid; as if its name led there
	src := newSource(t, s, nil, nil)
	src.settings.URL = "http://169.254.169.254:1/"
	e, b := one(t, src)
	payload := e["jsonPayload"].(map[string]any)
	if !b.Blind || payload["cause"] != "denied" || payload["blind"] != true {
		t.Errorf("%v", e)
	}
}

// certificate makes a certificate for 127.0.0.1 that ends then, signed by itself.
func certificate(t *testing.T, ends time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hook"}, NotBefore: ends.Add(-10000 * time.Hour), NotAfter: ends,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

func TestTLSDaysLeft(t *testing.T) {
	for name, tt := range map[string]struct {
		left    time.Duration
		trusted bool
		want    float64
		success bool
	}{
		"valid":         {24*60*time.Hour + time.Hour, true, 60, true},
		"ends today":    {time.Hour, true, 0, true},
		"expired":       {-time.Hour, true, -1, false},
		"long expired":  {-49 * time.Hour, true, -3, false},
		"of a stranger": {24 * time.Hour * 10, false, 9, false},
	} {
		t.Run(name, func(t *testing.T) {
			cert, pool := certificate(t, time.Now().Add(tt.left))
			server := httptest.NewUnstartedServer(&fakes.Hook{})
			server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			defer server.Close()
			s := hookSettings()
			s.URL = server.URL + "/hook"
			src := newSource(t, s, nil, nil)
			if tt.trusted {
				src.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
			}
			e, _ := one(t, src)
			payload := e["jsonPayload"].(map[string]any)
			if payload["tlsDaysLeft"] != tt.want || payload["success"] != tt.success {
				t.Errorf("days left %v, success %v, error %v; want %v, %v", payload["tlsDaysLeft"], payload["success"], payload["error"], tt.want, tt.success)
			}
			if !tt.success && payload["cause"] != "tls" {
				t.Errorf("cause %v, want tls", payload["cause"])
			}
		})
	}
}
