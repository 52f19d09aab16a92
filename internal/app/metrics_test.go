package app

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// Where kubelets and scrapers ask there is health and metrics, and no page, no API and no deed; and it goes when the service does.
func TestMetricsListener(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(path, []byte("project: p\nsources: {in: {file: {paths: [a.log]}}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	a, err := New(ctx, Options{Config: path, Listen: "127.0.0.1:0", ListenMetrics: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	ask := func(method, path string) int {
		t.Helper()
		// A kubelet asks by the pod's address, which is none of this machine's names.
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+a.metrics.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "10.0.0.7:8481"
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body)
		return res.StatusCode
	}
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/healthz", 200}, {"GET", "/readyz", 200}, {"GET", "/metrics", 200},
		{"POST", "/healthz", 405}, {"GET", "/", 404}, {"GET", "/api/v1/status", 404}, {"GET", "/api/v1/incidents", 404},
		{"POST", "/api/v1/silences", 404}, {"GET", "/incidents/x", 404}, {"GET", "/metrics/../", 404},
	} {
		if got := ask(c.method, c.path); got != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, got, c.want)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := http.Get("http://" + a.metrics.Addr().String() + "/healthz"); err == nil {
		t.Error("it is served after the end")
	}
}
