package app

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A disk that fails ends the process, with the fallback told; nothing is tried on it again.
func TestABrokenDiskEndsTheProcess(t *testing.T) {
	told := make(chan string, 10)
	outside := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		told <- string(body)
	}))
	defer outside.Close()
	dir := t.TempDir()
	path := filepath.Join(dir, "tocsin.yaml")
	text := fmt.Sprintf("project: p\nreceivers: {hook: {webhook: {url: %q}}}\nfallback: hook\n", outside.URL)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), Options{Config: path, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	unwritableFile(t, filepath.Join(dir, "tocsin.db-wal"))
	ended := make(chan error, 1)
	go func() { ended <- a.Run(t.Context()) }()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "the disk of the store failed") || !strings.Contains(err.Error(), "Look at the disk") {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it goes on")
	}
	select {
	case body := <-told:
		if !strings.Contains(body, "tocsin cannot write") {
			t.Errorf("the fallback was told %s", body)
		}
	case <-time.After(10 * time.Second):
		t.Error("the fallback was not told")
	}
}

// unwritableFile makes every write fail to a file that this process has open.
func unwritableFile(t *testing.T, path string) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	other, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, entry := range fds {
		var fd int
		if _, err := fmt.Sscan(entry.Name(), &fd); err != nil {
			continue
		}
		if to, _ := os.Readlink("/proc/self/fd/" + entry.Name()); to != path {
			continue
		}
		if err := syscall.Dup3(other, fd, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n == 0 {
		t.Fatalf("nobody has %s open", path)
	}
}
