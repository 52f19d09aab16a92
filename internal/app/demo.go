package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"tocsin/internal/fakes"
)

// DemoOptions are what a demo is made of.
type DemoOptions struct {
	// Out gets the story, with colours if Color is set.
	Out   io.Writer
	Color bool
	// Log is the service's own; nil drops it.
	Log     *slog.Logger
	Version string
	// Speed is how many times faster than a reader's pace the story goes; 1 if 0.
	Speed float64
	// Once ends it when the story is over. Otherwise the pages stay up until the context ends.
	Once bool
	// Cloud has the logs come from stand-ins of Google's in place of a file: hook's from Cloud Logging, whose tail breaks off now and then and
	// through which a canary comes back, tide's by a subscription of Pub/Sub; tocsin's own metrics go to one of Cloud Monitoring.
	Cloud bool
}

// ErrStory is the error of a demo whose story did not come out as it should. What was different has been written to Out.
var ErrStory = errors.New("the demo did not come out as it should")

// demoListen is where the pages are, if nobody else is there.
const demoListen = "127.0.0.1:8480"

// demoGrace is how long a demo waits for the service to drain: nothing in it is worth more.
const demoGrace = 1500 * time.Millisecond

// Demo runs the whole service against stand-ins of hook, Slack and PagerDuty, all on this machine, through one outage, and tells on
// Out what happens. It needs nothing and leaves nothing: its files are in a directory of its own that is removed at the end. It
// ends when ctx does, within two seconds; with Once at the story's end, then with an error if the story was cut short.
func Demo(ctx context.Context, o DemoOptions) error {
	if o.Speed == 0 {
		o.Speed = 1
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s, err := newStage(ctx, o)
	if err != nil {
		return fmt.Errorf("set up the demo: %w", err)
	}
	defer s.clear()
	serving, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.app.Run(serving) }()
	s.voice.opening(s)
	wrong := s.story().tell(ctx)
	interrupted := ctx.Err() != nil
	if !interrupted && !o.Once {
		s.voice.say("The page stays up until ^C: %s", s.app.URL())
		select {
		case <-ctx.Done():
		case err = <-ended:
			return fmt.Errorf("serve the demo: %w", err)
		}
	}
	stop()
	select {
	case err = <-ended:
	case <-time.After(demoGrace):
	}
	switch {
	case interrupted && o.Once:
		return context.Cause(ctx)
	case interrupted:
		return nil
	case len(wrong) > 0:
		return ErrStory
	}
	return err
}

// stage is a demo's stand-ins and the service among them.
type stage struct {
	dir   string
	log   *os.File
	hook  *fakes.Hook
	tide  *fakes.Hook // another component, that only logs
	cloud *cloudStage // nil if the logs are a file
	slack *fakes.Slack
	pager *fakes.PagerDuty
	app   *App
	voice *voice
	pace  pace

	hookURL string
	config  string // the path of the configuration
	undo    []func()
}

// newStage sets everything up; with an error nothing is left.
func newStage(ctx context.Context, o DemoOptions) (_ *stage, err error) {
	s := &stage{slack: fakes.NewSlack(), pager: fakes.NewPagerDuty(), pace: pace(o.Speed)}
	s.voice = newVoice(o.Out, o.Color, func(id string) string { return "#" + s.slack.Snapshot().Channels[id] })
	defer func() {
		if err != nil {
			s.clear()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "tocsin-demo-"); err != nil {
		return nil, err
	}
	s.undo = append(s.undo, func() { _ = os.RemoveAll(s.dir) }) // nobody is left to hear that it could not be
	if s.log, err = os.Create(filepath.Join(s.dir, "prow.log")); err != nil {
		return nil, err
	}
	s.undo = append(s.undo, func() { s.log.Close() })
	var lines, other io.Writer = s.log, s.log
	if o.Cloud {
		if s.cloud, err = newCloudStage(); err != nil {
			return nil, err
		}
		s.undo = append(s.undo, s.cloud.close)
		lines, other = toCloud{s.cloud.logging}, toPubSub{s.cloud.pubsub}
	}
	s.hook, s.tide = &fakes.Hook{Log: lines}, &fakes.Hook{Log: renamed{other}}
	s.slack.Scopes = "chat:write,channels:history,channels:read"
	s.slack.Invite("testing-ops", "prow-alerts")
	s.slack.Observe, s.pager.Observe = s.voice.slack, s.voice.pager
	var at [3]string
	for i, handler := range []http.Handler{s.hook, s.slack, s.pager} {
		if at[i], err = s.serve(ctx, handler); err != nil {
			return nil, err
		}
	}
	s.hookURL = at[0] + "/hook"
	places := demoPlaces{Log: s.log.Name(), Hook: s.hookURL, Slack: at[1] + "/api/", PagerDuty: at[2]}
	if s.cloud != nil {
		places.Cloud, places.PubSub, places.Metrics = s.cloud.logging.Addr(), s.cloud.pubsub.Addr(), s.cloud.metrics.Addr()
	}
	if s.config, err = s.pace.write(s.dir, places); err != nil {
		return nil, err
	}
	if s.cloud != nil {
		if err = s.cloud.provision(ctx, s.config); err != nil {
			return nil, err
		}
	}
	options := Options{Config: s.config, Listen: demoListen, Version: o.Version, Log: o.Log, PollEvery: s.pace.of(time.Second)}
	s.app, err = New(ctx, options)
	if errors.Is(err, syscall.EADDRINUSE) {
		options.Listen = "127.0.0.1:0"
		s.app, err = New(ctx, options)
	}
	return s, err
}

// serve serves a stand-in on a free port of this machine and returns its address.
func (s *stage) serve(ctx context.Context, h http.Handler) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(l) //nolint:errcheck // it ends when it is closed
	s.undo = append(s.undo, func() { server.Close() })
	return "http://" + l.Addr().String(), nil
}

// clear ends the stand-ins and removes the files.
func (s *stage) clear() {
	for _, undo := range slices.Backward(s.undo) {
		undo()
	}
	s.undo = nil
}
