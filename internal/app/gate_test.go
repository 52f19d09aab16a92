package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// certificate writes a certificate for 127.0.0.1 and its key.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: raw}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
	return pool
}

// TestPasswordsOverTLS: a file in the form of exporter-toolkit gives the certificate and who gets in; a password that is changed in it
// holds at once.
func TestPasswordsOverTLS(t *testing.T) {
	dir := t.TempDir()
	pool := certificate(t, dir)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	users := func(password string) {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		write("web.yaml", fmt.Sprintf("tls_server_config: {cert_file: cert.pem, key_file: key.pem}\nbasic_auth_users: {ana: %q}\n", hash))
	}
	users("first")
	write("tocsin.yaml", "project: p\nreceivers: {screen: {console: {}}}\nsign_in: {web_config: web.yaml, roles: {viewer: [ana]}}\n")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	a, err := New(ctx, Options{Config: filepath.Join(dir, "tocsin.yaml"), Listen: "127.0.0.1:0", ListenMetrics: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	<-a.begun
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	ask := func(url, password string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if password != "" {
			r.SetBasicAuth("ana", password)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	expect := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	expect("the right password", ask(a.URL()+"/", "first"), 200)
	expect("a wrong one", ask(a.URL()+"/", "second"), 401)
	expect("none", ask(a.URL()+"/metrics", ""), 401)
	expect("health", ask(a.URL()+"/healthz", ""), 200)
	expect("metrics where only they are served", ask("http://"+a.metrics.Addr().String()+"/metrics", ""), 200)
	expect("pages there", ask("http://"+a.metrics.Addr().String()+"/", ""), 404)
	users("second")
	expect("the password of before", ask(a.URL()+"/", "first"), 401)
	expect("the new one", ask(a.URL()+"/", "second"), 200)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
