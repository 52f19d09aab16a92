package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"tocsin/internal/app"
)

type serveCommand struct {
	Config        string `required:"" placeholder:"FILE" help:"The configuration."`
	Listen        string `placeholder:"ADDRESS" help:"Where to serve the pages; the configuration's if not given, else 127.0.0.1:8480."`
	Store         string `placeholder:"FILE" help:"The database file, or the URL of a PostgreSQL database (without a password); the configuration's if not given, else beside the configuration."`
	ListenMetrics string `placeholder:"ADDRESS" help:"Where to serve /healthz, /readyz and /metrics besides, and nothing else, for Kubernetes and Prometheus, such as 0.0.0.0:8481."`
	LogJSON       bool   `name:"log-json" help:"Write the log as JSON, as Cloud Logging reads it."`
}

// Help is shown under --help.
func (*serveCommand) Help() string {
	return `SIGTERM and ^C drain: what was read is committed, what is being sent is finished. SIGHUP reads the configuration again; with
a mistake in it the last good one stays in force, and the page, the log and /api/v1/status say so.

Examples:
  tocsin serve --config tocsin.yaml
  tocsin serve --config tocsin.yaml --listen 127.0.0.1:9000 --store /var/lib/tocsin/tocsin.db
  kill -HUP $(pidof tocsin)`
}

// Run serves.
func (c *serveCommand) Run(ctx context.Context, s *streams) error {
	log := newLog(s, c.LogJSON)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP) // first of all: unheard, it would end the process
	defer signal.Stop(hup)
	a, err := app.New(ctx, app.Options{Config: c.Config, Listen: c.Listen, ListenMetrics: c.ListenMetrics, Store: c.Store, Version: version(), Log: log,
		Failpoint: failpoint(), Life: life()})
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		log.Info("stopped before the database was there")
		return nil
	}
	if err != nil {
		return err
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-hup:
				_ = a.Reload(ctx) // it logs what is wrong, and the pages show it
			case <-done:
				return
			}
		}
	}()
	fmt.Fprintf(s.err, "tocsin serves at %s\n", a.URL())
	if err := a.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func newLog(s *streams, asJSON bool) *slog.Logger {
	if !asJSON {
		return slog.New(slog.NewTextHandler(s.err, nil))
	}
	return slog.New(slog.NewJSONHandler(s.err, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.LevelKey {
			a.Key = "severity"
			if a.Value.String() == "WARN" {
				a.Value = slog.StringValue("WARNING")
			}
		}
		if len(groups) == 0 && a.Key == slog.MessageKey {
			a.Key = "message"
		}
		return a
	}}))
}

// failpoint reads TOCSIN_FAILPOINT=NAME:N, by which a test has the process killed at the N-th passing of a named place, or
// NAME:N:stop, by which it is frozen there until the test wakes it: never set it otherwise.
func failpoint() func(name string) {
	want, count, ok := strings.Cut(os.Getenv("TOCSIN_FAILPOINT"), ":")
	count, freeze := strings.CutSuffix(count, ":stop")
	n, err := strconv.ParseInt(count, 10, 64)
	if !ok || err != nil {
		return nil
	}
	var passed atomic.Int64
	return func(name string) {
		switch {
		case name != want || passed.Add(1) != n:
		case freeze:
			_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP) // it goes on from here
		default:
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // as sudden as a power cut
			select {}
		}
	}
}

// life reads TOCSIN_LIFE, by which a test has a process that is not heard of replaced sooner than after the store's DefaultLife: never
// set it otherwise.
func life() time.Duration {
	d, err := time.ParseDuration(os.Getenv("TOCSIN_LIFE"))
	if err != nil {
		return 0
	}
	return d
}

type versionCommand struct{}

// Help is shown under --help.
func (versionCommand) Help() string {
	return `A build that is no release names its commit.

Examples:
  tocsin version`
}

// Run prints the version.
func (versionCommand) Run(s *streams) error {
	_, err := fmt.Fprintln(s.out, "tocsin", version())
	return err
}

// release is set by the linker for a release.
var release = ""

// version is the release, else what the build knows of its commit.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	revision, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			revision = "-" + s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	return "devel" + revision + dirty
}
