package chat

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tocsin/notifiers"
)

// TestASecretThatCannotBeRead: of two apps of Slack's, one whose signing secret cannot be read does not keep the other from being heard,
// in whatever order they are asked. What nobody else knows may be its own: it is delivered again rather than refused as forged.
func TestASecretThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	ear := func(name, secret string) notifiers.Hearing {
		t.Helper()
		for file, text := range map[string]string{name + "-token": "xoxb-1", name + "-secret": secret} {
			if text == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		n, err := (&notifiers.Slack{Channel: "C0123456789", TokenFile: filepath.Join(dir, name+"-token"), SigningSecretFile: filepath.Join(dir, name+"-secret")}).New(name)
		if err != nil {
			t.Fatal(err)
		}
		return n.(notifiers.Hearing)
	}
	const good = "0123456789abcdef0123456789abcdef"
	well, other, blind := ear("well", good), ear("other", strings.Repeat("a", 32)), ear("blind", "")
	ask := func(secret string, ears ...notifiers.Hearing) (int, string) {
		t.Helper()
		body, at := `{"type":"url_verification","challenge":"are you there"}`, strconv.FormatInt(time.Now().Unix(), 10)
		mac := hmac.New(sha256.New, []byte(secret))
		fmt.Fprintf(mac, "v0:%s:%s", at, body)
		r := httptest.NewRequest(http.MethodPost, "/slack/events", strings.NewReader(body))
		r.Header.Set("X-Slack-Request-Timestamp", at)
		r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
		w := httptest.NewRecorder()
		New(Options{Ears: func() []notifiers.Hearing { return ears }, Log: slog.New(slog.DiscardHandler)}).ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	for _, c := range []struct {
		name, secret string
		ears         []notifiers.Hearing
		want         int
	}{
		{"one app", good, []notifiers.Hearing{well}, http.StatusOK},
		{"beside another", good, []notifiers.Hearing{other, well}, http.StatusOK},
		{"beside one whose secret cannot be read", good, []notifiers.Hearing{blind, well}, http.StatusOK},
		{"signed by nobody that is known", "x", []notifiers.Hearing{other, well}, http.StatusUnauthorized},
		{"of the one that cannot be read, perhaps", "x", []notifiers.Hearing{blind, well}, http.StatusInternalServerError},
	} {
		for range 2 {
			code, body := ask(c.secret, c.ears...)
			if code != c.want || code == http.StatusOK && body != "are you there" {
				t.Errorf("%s: %d %q, want %d", c.name, code, body, c.want)
			}
			slices.Reverse(c.ears)
		}
	}
}
