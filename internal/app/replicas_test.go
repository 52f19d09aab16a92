package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/internal/store/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// wire is the way to a server, which can be cut: then nothing comes through, in neither direction, and nobody is told.
type wire struct {
	address string
	mu      sync.Mutex
	whole   sync.Cond
	isCut   bool
}

func newWire(t *testing.T, server string) *wire { return newWireAt(t, "127.0.0.1:0", server) }

func newWireAt(t *testing.T, address, server string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{address: l.Addr().String()}
	w.whole.L = &w.mu
	t.Cleanup(func() {
		l.Close()
		w.cut(false)
	})
	pass := func(to, from net.Conn) {
		defer to.Close()
		defer from.Close()
		buffer := make([]byte, 1<<16)
		for {
			n, err := from.Read(buffer)
			w.await()
			if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
				return
			}
		}
	}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				w.await()
				upstream, err := net.Dial("tcp", server)
				if err != nil {
					client.Close()
					return
				}
				go pass(client, upstream)
				pass(upstream, client)
			}()
		}
	}()
	return w
}

func (w *wire) await() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.isCut {
		w.whole.Wait()
	}
}

func (w *wire) cut(is bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isCut = is
	w.whole.Broadcast()
}

// heard is a receiver of webhooks: which lines it was told of, by their text.
type heard struct {
	mu    sync.Mutex
	lines []string
}

func (h *heard) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var message struct {
		Status string
		Alerts []struct{ Annotations map[string]string }
	}
	if json.Unmarshal(body, &message) == nil && message.Status == "firing" {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, a := range message.Alerts {
			h.lines = append(h.lines, a.Annotations["summary"])
		}
	}
}

func (h *heard) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.lines, " ")
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	look, late := time.NewTicker(10*time.Millisecond), time.After(time.Minute)
	defer look.Stop()
	for !is() {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// pair is two replicas on one database, each by a wire of its own.
type pair struct {
	dir     string
	place   string
	told    *heard
	a, b    *App
	wires   [2]*wire
	stopped [2]chan error
	stop    [2]context.CancelFunc
	// bystander looks at the database.
	bystander *store.Store
}

const pairConfig = `
project: p
store: {postgres: {url: %q}}
sources: {in: {file: {paths: [in.log]}}}
rules: [rules.yaml]
receivers: {ops: {webhook: {url: %q}}}
route: {receiver: ops}
`

const pairRules = `
rules:
  - name: boom
    filter: jsonPayload.message="boom"
    group_by: {cluster: jsonPayload.n} # lines of different clusters are different incidents
    detect: {threshold: {count: 1, window: 1m}}
    resolves: by_hand
    severity: high
    mode: tell
    annotations: {summary: 'line {{ .Labels.cluster }}'}
    cases:
      - {name: one, entries: [{jsonPayload: {message: boom, n: "1"}}], fires: [{at: 0s, labels: {cluster: "1"}}]}
`

func newPair(t *testing.T, life time.Duration) *pair {
	t.Helper()
	p := &pair{dir: t.TempDir(), place: pgtest.Database(t), told: &heard{}}
	receiver := httptest.NewServer(p.told)
	t.Cleanup(receiver.Close)
	for name, text := range map[string]string{"rules.yaml": pairRules, "in.log": ""} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	begin := func(i int) *App {
		u, err := url.Parse(p.place)
		if err != nil {
			t.Fatal(err)
		}
		p.wires[i] = newWire(t, u.Host)
		u.Host = p.wires[i].address
		path := filepath.Join(p.dir, fmt.Sprintf("tocsin%d.yaml", i))
		if err := os.WriteFile(path, fmt.Appendf(nil, pairConfig, u.String(), receiver.URL), 0o600); err != nil {
			t.Fatal(err)
		}
		app, err := New(t.Context(), Options{Config: path, Listen: "127.0.0.1:0", Life: life, Log: slog.New(slog.NewTextHandler(t.Output(), nil)).With("replica", i)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		p.stop[i], p.stopped[i] = stop, make(chan error, 1)
		go func() { p.stopped[i] <- app.Run(ctx) }()
		return app
	}
	p.a = begin(0)
	p.b = begin(1)
	t.Cleanup(func() {
		for i := range p.stop {
			p.wires[i].cut(false)
			p.end(t, i)
		}
	})
	return p
}

// end stops a replica, if it still runs, and waits for it.
func (p *pair) end(t *testing.T, i int) {
	p.stop[i]()
	if p.stopped[i] == nil {
		return
	}
	if err := <-p.stopped[i]; err != nil {
		t.Errorf("replica %d ended with %v", i, err)
	}
	p.stopped[i] = nil
}

func (p *pair) say(t *testing.T, n string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(p.dir, "in.log"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintf(f, `{"severity":"ERROR","time":%q,"message":"boom","n":%q}`+"\n", time.Now().UTC().Format(time.RFC3339Nano), n)
}

// TestOneOfTwoReplicasGoesOn: the one that runs the engine is cut off from the database; the other takes over, and what the first had
// in memory changes nothing once the way is free again. A clean stop hands over at once.
func TestOneOfTwoReplicasGoesOn(t *testing.T) {
	const life = 2 * time.Second
	p := newPair(t, life)
	leads := func(a *App) func() bool {
		return func() bool { return a.leading() != nil && a.leading().reading != nil }
	}
	eventually(t, "the first leads", leads(p.a))
	if leads(p.b)() {
		t.Fatal("both lead")
	}
	p.say(t, "1")
	eventually(t, "line 1 is told", func() bool { return p.told.text() == "line 1" && p.rows(t) == "sent 1" }) // else it is sent again: this receiver knows no keys

	cut := time.Now()
	p.wires[0].cut(true)
	p.say(t, "2") // both read it, and the one that is cut off cannot commit what it makes of it
	eventually(t, "line 2 is told", func() bool { return p.told.text() == "line 1 line 2" })
	t.Logf("told %s after the cut", time.Since(cut).Round(time.Millisecond))
	if !leads(p.b)() {
		t.Error("it was told, and the second does not lead")
	}
	before := p.a.store.Epoch()
	p.wires[0].cut(false)
	eventually(t, "the first has another life", func() bool { return p.a.store.Epoch() > before })
	eventually(t, "the first leads no more", func() bool { return p.a.leading() == nil })
	p.say(t, "3")
	eventually(t, "line 3 is told", func() bool { return p.told.text() == "line 1 line 2 line 3" })

	p.end(t, 1)
	ended := time.Now()
	p.say(t, "4")
	eventually(t, "line 4 is told", func() bool { return p.told.text() == "line 1 line 2 line 3 line 4" })
	t.Logf("told %s after a clean stop", time.Since(ended).Round(time.Millisecond))
	eventually(t, "all is sent", func() bool { return p.rows(t) == "sent 4" })
}

// rows counts those of the outbox by their state.
func (p *pair) rows(t *testing.T) (text string) {
	t.Helper()
	err := p.look(t).View(t.Context(), func(tx *store.Tx) error {
		counts, err := tx.CountNotifications(t.Context())
		for _, state := range []incident.NotificationState{incident.Pending, incident.InFlight, incident.Sent, incident.Cancelled} {
			if counts[state] > 0 {
				text += fmt.Sprintf(" %s %d", state, counts[state])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(text)
}

// look is the store of a bystander, which nobody cuts off.
func (p *pair) look(t *testing.T) *store.Store {
	t.Helper()
	if p.bystander == nil {
		s, err := store.Open(t.Context(), p.place, store.Options{Life: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		p.bystander = s
	}
	return p.bystander
}
