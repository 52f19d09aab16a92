package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"tocsin/internal/store"
)

// awayAgain is the longest time between two tries to reach a database server that is away when tocsin starts.
const awayAgain = 5 * time.Second

// open opens the store that the options name, else the configuration's. A database server that is away is waited for: meanwhile
// /healthz answers ok and /readyz 503, and after unwritable the fallback hears of it, past all queues, under one key an hour however often
// the process is started.
func (a *App) open(ctx context.Context, plan *Plan) (*store.Store, error) {
	at := plan.database
	if a.o.Store != "" {
		at.path = a.o.Store
	}
	o := store.Options{PasswordFile: at.passwordFile, Life: a.o.Life, Reserve: reserve, Left: a.wakeFor}
	s, err := store.Open(ctx, at.path, o)
	if !store.Away(err) {
		return s, err
	}
	defer a.answerHealth()()
	since := time.Now()
	for again := time.Second / 2; store.Away(err); again = min(2*again, awayAgain) {
		a.o.Log.Warn("the database is away: trying again", "in", again, "error", err)
		if time.Since(since) >= unwritable && a.failing.call == nil && time.Since(a.failing.asked) >= unwritable {
			a.failing.asked = time.Now()
			a.failing.call = a.awayTold(ctx, plan, since, err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(again):
		}
		s, err = store.Open(ctx, at.path, o)
	}
	return s, err
}

// answerHealth answers a kubelet, and nobody else, until what it returns is called: a process that waits for its database is worth
// keeping, and not ready.
func (a *App) answerHealth() (end func()) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "waiting for the database", http.StatusServiceUnavailable)
	})
	server := &http.Server{Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	var serving sync.WaitGroup
	var listeners []*net.TCPListener
	for _, l := range []net.Listener{a.listener, a.metrics} {
		if tcp, ok := l.(*net.TCPListener); ok {
			listeners = append(listeners, tcp)
			serving.Go(func() { _ = server.Serve(lent{tcp}) })
		}
	}
	return func() {
		_ = server.Close() // nothing that is cut changes anything
		serving.Wait()
		for _, l := range listeners {
			_ = l.SetDeadline(time.Time{}) // the pages' server accepts next
		}
	}
}

// lent is a listener that outlives the server it is lent to: to close it only ends the waiting in Accept.
type lent struct{ *net.TCPListener }

// Close ends an Accept that waits.
func (l lent) Close() error { return l.SetDeadline(time.Now()) }
