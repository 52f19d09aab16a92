package notifiers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"gopkg.in/yaml.v3"

	"tocsin/internal/incident"
	"tocsin/notifiers"
)

var update = flag.Bool("update", false, "write what the notifiers say into testdata; read the difference")

// input is a notice as testdata writes it.
type input struct {
	Notification incident.Notification
	Incident     incident.Incident
	Event        incident.Event
	Parent, URL  string
	People       []notifiers.Person
	Oncall       []string
	Now          time.Time
}

func (in *input) notice() notifiers.Notice {
	in.Notification.Incident = in.Incident.ID
	return notifiers.Notice{Notification: in.Notification, Incident: in.Incident, Event: in.Event, Parent: in.Parent, URL: in.URL, People: in.People, Oncall: in.Oncall, Now: in.Now}
}

// TestGolden runs testdata/<kind>/*.txtar: settings.yaml and notice.json in, answers.txt if the provider answers otherwise than
// well; the exact requests, the verdict and the preview out.
func TestGolden(t *testing.T) {
	for kind, make := range notifiers.Kinds {
		files, err := filepath.Glob(filepath.Join("testdata", kind, "*.txtar"))
		if err != nil || len(files) == 0 {
			t.Errorf("kind %s has no testdata (%v)", kind, err)
		}
		if drill := filepath.Join("testdata", kind, "drill.txtar"); !slices.Contains(files, drill) {
			t.Errorf("kind %s has no %s: what is only practised must say so", kind, drill)
		}
		for _, file := range files {
			t.Run(strings.TrimSuffix(filepath.ToSlash(file), ".txtar"), func(t *testing.T) { golden(t, kind, file, make()) })
		}
	}
}

func golden(t *testing.T, kind, file string, spec notifiers.Spec) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	section := func(name string) []byte {
		i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == name })
		if i < 0 {
			return nil
		}
		return archive.Files[i].Data
	}
	server := record(t, kind, string(section("answers.txt")))
	office := newPostOffice(t, &postOffice{})
	settings := strings.NewReplacer("$DIR", secrets(t, server.URL), "$URL", server.URL, "$SMTP", office.address).Replace(string(section("settings.yaml")))
	if err := yaml.Unmarshal([]byte(settings), spec); err != nil {
		t.Fatal(err)
	}
	if errs := spec.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	var printed bytes.Buffer
	if c, ok := spec.(*notifiers.Console); ok {
		c.Output = &printed
	}
	if e, ok := spec.(*notifiers.Email); ok {
		e.Roots = office.roots
	}
	notifier, err := spec.New("ops")
	if err != nil {
		t.Fatal(err)
	}
	var in input
	decoder := json.NewDecoder(bytes.NewReader(section("notice.json")))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		t.Fatal(err)
	}
	n := in.notice()
	receipt, err := notifier.Send(context.Background(), n)
	got := map[string]string{
		"requests.txt": strings.ReplaceAll(server.log.String()+printed.String()+office.heard(), server.URL, "$URL"),
		"verdict.txt":  outcome(receipt, err), "preview.txt": notifier.Preview(n) + "\n",
	}
	for _, name := range []string{"requests.txt", "verdict.txt", "preview.txt"} {
		if diff := cmp.Diff(string(section(name)), got[name]); diff != "" && !*update {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == name })
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(got[name])})
	}
	if all := got["requests.txt"] + got["verdict.txt"]; strings.Contains(all, "the-token") && !strings.Contains(all, "token: xoxb-the-token") && !strings.Contains(all, "Bearer xoxb-the-token") && !strings.Contains(all, "AUTH  tocsin xoxb-the-token") {
		t.Error("the token stands where it must not")
	}
	if filepath.Base(file) == "drill.txtar" {
		for name, text := range map[string]string{"what is sent": got["requests.txt"], "the preview": got["preview.txt"]} {
			if !strings.Contains(text, "DRILL: ") && !strings.Contains(text, `DRILL\\: `) {
				t.Errorf("%s does not say that it is a drill", name)
			}
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// secrets is a directory with the files that settings name.
func secrets(t *testing.T, url string) string {
	dir := t.TempDir()
	for name, text := range map[string]string{"token": "xoxb-the-token\n", "key": "0123456789abcdef0123456789abcdef\n", "url": url + "/secret/path"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// outcome is what Send gave, in words.
func outcome(receipt string, err error) string {
	var later notifiers.Later
	switch {
	case err == nil:
		return "receipt " + receipt + "\n"
	case notifiers.IsPermanent(err):
		return "permanent: " + err.Error() + "\n"
	case errors.As(err, &later):
		return fmt.Sprintf("later, after %v: %v\n", later.After, err)
	}
	return "unclear: " + err.Error() + "\n"
}

// recorder writes down every request that it gets.
type recorder struct {
	*httptest.Server
	mu  sync.Mutex
	log bytes.Buffer
}

// record starts a recorder that answers well, as the provider of that kind does, or with the answers given: a status and a
// body a line, the last one again and again.
func record(t *testing.T, kind, answers string) *recorder {
	well := map[string]string{"slack": `200 {"ok":true,"channel":"C0000001","ts":"1548199748.000100"}`, "pagerduty": `202 {"status":"success"}`, "webhook": "200 ok", "alertmanager": "200 ",
		"discord": `200 {"id":"1098765432109876543"}`, "google_chat": `200 {"name":"spaces/A/messages/B"}`, "teams": "202 ", "ntfy": `200 {"id":"x"}`}
	if answers == "" {
		answers = well[kind]
	}
	lines := strings.Split(strings.TrimSpace(answers), "\n")
	rec := &recorder{}
	rec.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec.mu.Lock()
		defer rec.mu.Unlock()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		rec.write(t, r, body)
		status, answer, _ := strings.Cut(lines[0], " ")
		if len(lines) > 1 {
			lines = lines[1:]
		}
		status, after, _ := strings.Cut(status, "/")
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		var code int
		if _, err := fmt.Sscan(status, &code); err != nil {
			t.Error(err)
		}
		w.WriteHeader(code)
		if _, err := io.WriteString(w, answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(rec.Close)
	return rec
}

// write writes a request down so that a person can read it: a form's fields each on a line, JSON indented.
func (rec *recorder) write(t *testing.T, r *http.Request, body []byte) {
	fmt.Fprintf(&rec.log, "%s %s\n", r.Method, r.URL)
	for _, name := range []string{"Authorization", "Content-Type", "Accept", "User-Agent"} {
		if v := r.Header.Get(name); v != "" && !strings.HasPrefix(v, "Go-http") {
			fmt.Fprintf(&rec.log, "%s: %s\n", name, v)
		}
	}
	rec.log.WriteByte('\n')
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form") {
		fmt.Fprintf(&rec.log, "%s\n\n", indent(body))
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		t.Error(err)
	}
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range form[name] {
			value = strings.ReplaceAll(indent([]byte(value)), "\n", "\n    ")
			fmt.Fprintf(&rec.log, "%s: %s\n", name, value)
		}
	}
	rec.log.WriteByte('\n')
}

func indent(text []byte) string {
	if len(text) == 0 || (text[0] != '{' && text[0] != '[') {
		return string(text)
	}
	var v any
	if json.Unmarshal(text, &v) != nil {
		return string(text)
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if e.Encode(v) != nil {
		return string(text)
	}
	return strings.TrimSpace(b.String())
}
