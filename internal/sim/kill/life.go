package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// life is one process of tocsin, from its start to its end.
type life struct {
	cmd *exec.Cmd
	// slot is which of the replicas it is.
	slot  int
	began time.Time
	// up is closed once it serves, at url.
	up  chan struct{}
	url string
	// leads is closed once it reads the sources; where nobody else could, when it is up.
	leads chan struct{}
	// froze is closed once it has frozen itself at a failpoint, at frozeAt.
	froze   chan struct{}
	frozeAt time.Time
	// done is closed once it has ended; state says how.
	done  chan struct{}
	state *os.ProcessState
}

// start starts tocsin on the store in a slot, with a failpoint (NAME:COUNT, NAME:COUNT:stop) unless that is empty. It does not outlive
// ctx.
func (w *world) start(ctx context.Context, slot int, failpoint string) (*life, error) {
	log, err := os.OpenFile(w.said(slot), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(log, "--- %s failpoint=%s\n", time.Now().UTC().Format(time.RFC3339Nano), failpoint)
	l := &life{slot: slot, began: time.Now(), up: make(chan struct{}), leads: make(chan struct{}), froze: make(chan struct{}), done: make(chan struct{}),
		cmd: exec.CommandContext(ctx, w.binary, "serve", "--config", filepath.Join(w.dir, "tocsin.yaml"), "--listen", "127.0.0.1:0", "--store", w.place.of(slot))}
	l.cmd.Env = append(os.Environ(), "TOCSIN_FAILPOINT="+failpoint)
	if w.settings.life > 0 {
		l.cmd.Env = append(l.cmd.Env, "TOCSIN_LIFE="+w.settings.life.String())
	}
	stderr, err := l.cmd.StderrPipe()
	if err == nil {
		err = l.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start tocsin: %w", err), log.Close())
	}
	go l.watch(stderr, log)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lives[slot] = l
	return l, nil
}

// said is the file that keeps what a slot's lives say.
func (w *world) said(slot int) string {
	return filepath.Join(w.dir, fmt.Sprintf("tocsin%d.stderr", slot))
}

// running are the lives that have not ended.
func (w *world) running() (out []*life) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.lives {
		if l != nil && !l.over() {
			out = append(out, l)
		}
	}
	return out
}

func (l *life) over() bool { return closed(l.done) }

// closed says whether a channel that carries nothing has been closed.
func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// watch keeps what the process says, finds its address in it, and waits for its end.
func (l *life) watch(stderr io.Reader, log io.WriteCloser) {
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fmt.Fprintln(log, lines.Text())
		if url, ok := strings.CutPrefix(lines.Text(), "tocsin serves at "); ok && l.url == "" {
			l.url = url
			close(l.up)
		}
		if strings.Contains(lines.Text(), "reads the sources and runs the engine") && !closed(l.leads) {
			close(l.leads)
		}
	}
	_, _ = io.Copy(log, stderr) // a line beyond all measure
	_ = l.cmd.Wait()            // state says it
	l.state = l.cmd.ProcessState
	fmt.Fprintf(log, "--- ended: %s\n", l.state)
	_ = log.Close()
	close(l.done)
}

// kill kills the process, if it still runs, and waits for its end.
func (l *life) kill() {
	_ = l.cmd.Process.Kill() // SIGKILL; it may be dead already
	<-l.done
}

// killed says whether it ended by SIGKILL. Anything else but a stop that was asked for is a bug.
func (l *life) killed() bool {
	ws, ok := l.state.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL
}

// ends waits for the end of the process, for so long at the most.
func (l *life) ends(ctx context.Context, within time.Duration) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-l.done:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// stop asks the process to end, as a deployment does, and wants it to end well and in time.
func (l *life) stop(ctx context.Context) error {
	if err := l.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop tocsin: %w", err)
	}
	if !l.ends(ctx, 25*time.Second) {
		l.kill()
		return errors.New("tocsin did not end within 25 s of SIGTERM")
	}
	if code := l.state.ExitCode(); code != 0 {
		return fmt.Errorf("tocsin ended with %s after SIGTERM", l.state)
	}
	return nil
}

// acknowledge runs `tocsin ack`. It says whether that reported success.
func (w *world) acknowledge(ctx context.Context, url, id string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return exec.CommandContext(ctx, w.binary, "ack", "--url", url, "--by", "bob", id).Run() == nil
}

// figures are metrics of the process that tell whether anything waits.
type figures struct{ pending, inflight, entries int }

// scrape reads the metrics of the process.
func (l *life) scrape(ctx context.Context) (f figures, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	select {
	case <-l.up: // its address is known from then on
	case <-ctx.Done():
		return f, errors.New("scrape: it does not serve yet")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url+"/metrics", nil)
	if err != nil {
		return f, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return f, fmt.Errorf("scrape: %w", err)
	}
	defer resp.Body.Close()
	found := 0
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		into := map[string]*int{`tocsin_notifications{state="pending"}`: &f.pending, `tocsin_notifications{state="inflight"}`: &f.inflight,
			`tocsin_source_entries_total{source="app"}`: &f.entries}[name]
		if into == nil {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return f, fmt.Errorf("scrape: %w", err)
		}
		*into = int(v)
		found++
	}
	if found != 3 {
		return f, fmt.Errorf("scrape: %d of the 3 metrics are there", found)
	}
	return f, nil
}
