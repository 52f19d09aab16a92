package app

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"tocsin/internal/store/pgtest"
)

// TestADatabaseThatIsAwayIsWaitedFor: a start while the database server is away waits, alive and not ready, and goes on by itself.
func TestADatabaseThatIsAwayIsWaitedFor(t *testing.T) {
	there, err := url.Parse(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	free := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}
	away := *there
	away.Host = free()
	dir, pages, metrics := t.TempDir(), free(), free()
	path := filepath.Join(dir, "tocsin.yaml")
	config := fmt.Sprintf("project: p\nstore: {postgres: {url: %q}}\nsources: {in: {file: {paths: [in.log]}}}\nreceivers: {ops: {console: {}}}\nroute: {receiver: ops}\n", away.String())
	for name, text := range map[string]string{path: config, filepath.Join(dir, "in.log"): ""} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	type made struct {
		app *App
		err error
	}
	done := make(chan made, 1)
	go func() {
		app, err := New(t.Context(), Options{Config: path, Listen: pages, ListenMetrics: metrics, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
		done <- made{app, err}
	}()
	status := func(address, path string) int {
		r, err := http.Get("http://" + address + path)
		if err != nil {
			return 0
		}
		defer r.Body.Close()
		return r.StatusCode
	}
	for _, address := range []string{pages, metrics} {
		eventually(t, "who waits is alive", func() bool { return status(address, "/healthz") == 200 })
		if got := status(address, "/readyz"); got != 503 {
			t.Errorf("who waits answers /readyz with %d", got)
		}
	}
	newWireAt(t, away.Host, there.Host)
	result := <-done
	if result.err != nil {
		t.Fatal(result.err)
	}
	if got := result.app.listener.Addr().String(); got != pages {
		t.Errorf("it listens on %s", got)
	}
	go func() { _ = result.app.server.Serve(result.app.listener) }()
	eventually(t, "the pages are served where who waited was", func() bool { return status(pages, "/") == 200 })
	_ = result.app.server.Close()
	if err := result.app.store.Close(); err != nil {
		t.Error(err)
	}
	if r, err := New(t.Context(), Options{Config: path, Store: "postgres://nobody@" + there.Host + "/nowhere?sslmode=disable", Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("a database that is not there was waited for, or made", r.URL())
	}
}
