package client

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestNew(t *testing.T) {
	for _, good := range []string{"http://127.0.0.1:8440", "https://tocsin.example.com/", "http://[::1]:8440", "https://example.com/behind/a/prefix/"} {
		if _, err := New(good); err != nil {
			t.Errorf("New(%q): %v", good, err)
		}
	}
	for _, bad := range []string{"", "127.0.0.1:8440", "localhost:8440", "ftp://x", "http://", "http://:8440", "http://user:pass@x", "http://x?y", "http://x#y", "http://x y", "/path"} {
		_, err := New(bad)
		var coded *Error
		if !errors.As(err, &coded) || coded.Code() != Invalid || !strings.Contains(err.Error(), "http://127.0.0.1:8440") {
			t.Errorf("New(%q): %v, want how to write it", bad, err)
		}
	}
}

func TestNobodyServes(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + l.Addr().String()
	l.Close()
	c, err := New(base)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Status(t.Context())
	if err == nil || !strings.Contains(err.Error(), "is tocsin serving at "+base+"?") {
		t.Errorf("%v", err)
	}
}

// TestSomethingElseServes holds that an answer that is not tocsin's is told from one, whatever it is.
func TestSomethingElseServes(t *testing.T) {
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"a page": {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<!doctype html><p>hello") }, "is it tocsin that serves there?"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://login.example/", http.StatusFound)
		}, "302"},
		"an error without why": {func(w http.ResponseWriter, _ *http.Request) { answer(w, 500, `{"message":"no"}`) }, "without saying why"},
		"JSON of its own":      {func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `["x"]`) }, "decode tocsin's answer"},
		"half an answer":       {func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `{"version":"v1`) }, "decode tocsin's answer"},
		"an endless answer": {func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 200, "")
			block := make([]byte, 1<<20)
			for {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, "longer than 32 MiB"},
	} {
		server := httptest.NewServer(c.serve)
		ends, err := New(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ends.Status(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		server.Close()
	}
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	io.WriteString(w, body)
}

// TestPaths holds that an id is one segment of the path, whatever is in it, and that a prefix of the address is kept.
func TestPaths(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Method + " " + r.RequestURI
		answer(w, 404, `{"error":{"code":"not_found","text":"there is no such incident"}}`)
	}))
	defer server.Close()
	c, err := New(server.URL + "/tocsin/")
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{
		"01D1VY":       "POST /tocsin/api/v1/incidents/01D1VY/resolve",
		"../../x":      "POST /tocsin/api/v1/incidents/..%2F..%2Fx/resolve",
		"a b?c#d%2e":   "POST /tocsin/api/v1/incidents/a%20b%3Fc%23d%252e/resolve",
		"..":           "",
		".":            "",
		"":             "",
		"\x1b[31m\r\n": "POST /tocsin/api/v1/incidents/%1B%5B31m%0D%0A/resolve",
	} {
		got = ""
		_, err := c.Resolve(t.Context(), id, "ana")
		var coded *Error
		if got != want || !errors.As(err, &coded) {
			t.Errorf("%q asks %q, want %q (%v)", id, got, want, err)
		}
	}
}
