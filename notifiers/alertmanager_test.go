package notifiers_test

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/incident"
	"tocsin/notifiers"
)

// alertmanagerTo makes a receiver for the Alertmanagers at those addresses.
func alertmanagerTo(t *testing.T, urls ...string) notifiers.Notifier {
	t.Helper()
	spec := &notifiers.Alertmanager{URLs: urls}
	if errs := spec.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	n, err := spec.New("am")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAlertmanagerCluster: every member is sent everything, one that takes it is enough; of failures the one that may pass counts.
func TestAlertmanagerCluster(t *testing.T) {
	for want, answers := range map[string][]string{
		"receipt m-1":           {"500 ", "200 ", "400 no"},
		"unclear: send":         {"400 no", "500 "},
		"later, after 17s":      {"400 no", "429/17 "},
		"permanent: send":       {"400 no", "404 no"},
		"unclear: send to Aler": {"429/17 ", "500 "},
	} {
		var urls []string
		var members []*recorder
		for _, a := range answers {
			r := record(t, "alertmanager", a)
			urls, members = append(urls, r.URL), append(members, r)
		}
		if got := outcome(alertmanagerTo(t, urls...).Send(t.Context(), notice("config", incident.Message, "m-1"))); !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s, want %s", answers, got, want)
		}
		for i, m := range members {
			if !strings.Contains(m.log.String(), `"alertname": "config"`) {
				t.Errorf("%q: member %d was sent %q", answers, i, m.log.String())
			}
		}
	}
}

// grouped is what an Alertmanager's webhook receiver is posted, as far as it matters here.
type grouped struct {
	Status string            `json:"status"`
	Labels map[string]string `json:"groupLabels"`
	Alerts []struct {
		Status string            `json:"status"`
		Labels map[string]string `json:"labels"`
	} `json:"alerts"`
}

// realAlertmanager starts Alertmanager's own program, which posts each group, of one incident, to posted.
func realAlertmanager(t *testing.T, hook string) (address string) {
	t.Helper()
	program, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		t.Fatalf("alerts are held to the real Alertmanager: install Debian's prometheus-alertmanager: %v", err)
	}
	dir := t.TempDir()
	config := "route: {receiver: hook, group_by: [incident], group_wait: 300ms, group_interval: 1s}\nreceivers: [{name: hook, webhook_configs: [{url: \"" + hook + "\"}]}]\n"
	if err := os.WriteFile(filepath.Join(dir, "am.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := l.Addr().String()
	l.Close()
	cmd := exec.Command(program, "--config.file="+filepath.Join(dir, "am.yml"), "--storage.path="+dir, "--web.listen-address="+listen, "--cluster.listen-address=")
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Log(said.String())
		}
	})
	for start := time.Now(); time.Since(start) < 20*time.Second; {
		if resp, err := http.Get("http://" + listen + "/-/ready"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return "http://" + listen
			}
		}
		select {
		case <-ended:
			t.Fatal("it ended at its start")
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatal("it does not become ready")
	return ""
}

// TestRealAlertmanager: the real Alertmanager takes what we send, makes one group of an incident, and resolves it when we do.
func TestRealAlertmanager(t *testing.T) {
	posted := make(chan grouped, 10)
	hook := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var g grouped
		body, err := io.ReadAll(r.Body)
		if err := errors.Join(err, json.Unmarshal(body, &g)); err != nil {
			t.Error(err)
		}
		posted <- g
	}))
	am := alertmanagerTo(t, realAlertmanager(t, hook))
	next := func() string {
		t.Helper()
		select {
		case g := <-posted:
			lines := []string{g.Status + " " + g.Labels["incident"]}
			for _, a := range g.Alerts {
				lines = append(lines, strings.TrimSpace(a.Status+" "+a.Labels["alertname"]+" "+a.Labels["service"]))
			}
			slices.Sort(lines[1:])
			return strings.Join(lines, "\n")
		case <-time.After(20 * time.Second):
			t.Fatal("nothing is posted")
		}
		return ""
	}
	n := notice("config", incident.Message, "m-1")
	n.URL = "https://tocsin.example/incidents/" + n.Incident.ID
	n.Incident.Alerts = append(n.Incident.Alerts, incident.Alert{Key: incident.Key{Rule: "crash", Group: `{"service":"hook"}`}, State: incident.Firing,
		Labels: incident.Labels{"service": "hook", "k8s-pod/app": "<b>\x1b[31m"}, First: n.Now, Severity: incident.High})
	send(t, am, n)
	send(t, am, n) // as every three minutes: it changes nothing
	if diff := cmp.Diff("firing "+n.Incident.ID+"\nfiring config\nfiring crash hook", next()); diff != "" {
		t.Errorf("opened (-want +got):\n%s", diff)
	}
	n.Incident.Alerts[1].State, n.Incident.Alerts[1].ResolvedAt = incident.AlertResolved, time.Now()
	send(t, am, n)
	if diff := cmp.Diff("firing "+n.Incident.ID+"\nfiring config\nresolved crash hook", next()); diff != "" {
		t.Errorf("one is over (-want +got):\n%s", diff)
	}
	n.Incident.State, n.Incident.ResolvedAt, n.Now = incident.Resolved, time.Now(), time.Now()
	send(t, am, n)
	if got := next(); !strings.HasPrefix(got, "resolved "+n.Incident.ID+"\nresolved config") {
		t.Errorf("the end: %s", got)
	}
}
