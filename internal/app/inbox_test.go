package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/store"
)

// TestAlertsOfOthers: what amtool adds here, and what the real Alertmanager posts here by its webhook, becomes incidents, and is over when
// they say so; what comes back from tocsin itself does not.
func TestAlertsOfOthers(t *testing.T) {
	for _, program := range []string{"amtool", "prometheus-alertmanager"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("what is posted is held to Alertmanager's own: install Debian's prometheus-alertmanager: %v", err)
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "tocsin.yaml")
	text := "project: p\nlateness: 0s\nsources: {prometheus: {alertmanager: {}}}\nrules: [\"builtin:alertmanager/*.yaml\"]\nreceivers: {screen: {webhook: {url: \"http://127.0.0.1:1/\"}}}\nroute: {receiver: screen}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	a, err := New(ctx, Options{Config: path, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	want := func(want string) {
		t.Helper()
		var got string
		if !soon(func() bool { got = incidentsOf(t, a.store); return got == want }) {
			t.Fatalf("incidents are %q, want %q", got, want)
		}
	}
	amtool := func(to string, args ...string) {
		t.Helper()
		out, err := exec.Command("amtool", append([]string{"--alertmanager.url=" + to, "alert", "add"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("amtool %s %q: %v: %s", to, args, err, out)
		}
	}
	amtool(a.URL(), "alertname=TideBehind", "severity=critical", "cluster=prow", "job=tide", `--annotation=summary=tide is behind`)
	want("open critical TideBehind: tide is behind")
	amtool(a.URL(), "alertname=TideBehind", "severity=critical", "cluster=prow", "job=tide", "--end="+time.Now().Add(-time.Second).Format(time.RFC3339))
	want("resolved critical TideBehind: tide is behind")

	am := alertmanagerThatPosts(t, a.URL()+"/api/v2/alerts")
	amtool(am, "alertname=DiskFull", "severity=warning", "instance=node-1", "incident=01D1W0XQ0VABCDEFGHJKMNPQRS")
	amtool(am, "alertname=DiskFull", "severity=warning", "instance=node-2")
	want("open warning DiskFull, resolved critical TideBehind: tide is behind")
	amtool(am, "alertname=DiskFull", "severity=warning", "instance=node-2", "--end="+time.Now().Add(-time.Second).Format(time.RFC3339))
	want("resolved critical TideBehind: tide is behind, resolved warning DiskFull")
	var left logs.Batch
	forgotten := func() bool {
		err := a.store.View(ctx, func(tx *store.Tx) (err error) {
			left, err = tx.PostedBatch(ctx, "prometheus", "", "p", 100)
			return err
		})
		return err == nil && len(left.Data) == 0
	}
	if !soon(forgotten) {
		t.Errorf("what was read is still there: %s", left.Data)
	}
}

// soon says whether something of another process comes true within 20 s.
func soon(is func() bool) bool {
	tick, end := time.NewTicker(50*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-end:
			return false
		}
	}
	return true
}

// incidentsOf are the incidents of a store, by their state, severity and title.
func incidentsOf(t *testing.T, s *store.Store) string {
	t.Helper()
	var lines []string
	err := s.View(t.Context(), func(tx *store.Tx) error {
		for _, state := range []incident.State{incident.Open, incident.Resolved} {
			all, err := tx.Incidents(t.Context(), store.IncidentFilter{States: []incident.State{state}, Limit: 50})
			if err != nil {
				return err
			}
			for i := len(all) - 1; i >= 0; i-- {
				if all[i].Labels["service"] != "tocsin" {
					lines = append(lines, fmt.Sprintf("%s %s %s", state, all[i].Severity, all[i].Title))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, ", ")
}

// alertmanagerThatPosts starts the real Alertmanager, which tells a webhook of every alert by itself.
func alertmanagerThatPosts(t *testing.T, hook string) (address string) {
	t.Helper()
	dir := t.TempDir()
	config := "route: {receiver: tocsin, group_by: [\"...\"], group_wait: 100ms, group_interval: 500ms}\nreceivers: [{name: tocsin, webhook_configs: [{url: \"" + hook + "\"}]}]\n"
	if err := os.WriteFile(filepath.Join(dir, "am.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := l.Addr().String()
	l.Close()
	cmd := exec.Command("prometheus-alertmanager", "--config.file="+filepath.Join(dir, "am.yml"), "--storage.path="+dir, "--web.listen-address="+listen, "--cluster.listen-address=")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	ready := func() bool {
		resp, err := http.Get("http://" + listen + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}
	if !soon(ready) {
		t.Fatal("Alertmanager does not become ready")
	}
	return "http://" + listen
}
