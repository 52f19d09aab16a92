package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/internal/fakes"
	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/internal/words"
)

// story leads a demo through its outage. Each scene lasts its time, and until the service has done what it must before the next.
type story struct {
	*stage
	wrong []string // what did not come out as it should

	scenes chan scene // what is to be logged from now on
}

// scene is what is being logged.
type scene int

const (
	well scene = iota
	misconfigured
	dying
	mended // the configuration is, hook is not up yet
	wellAgain
)

// patience is how long the story waits for what must happen, at any pace.
const patience = 30 * time.Second

func (s *stage) story() *story { return &story{stage: s, scenes: make(chan scene)} }

// tell tells the story to its end, or until ctx ends, and returns what did not come out as it should.
func (s *story) tell(ctx context.Context) []string {
	logging, stop := context.WithCancel(ctx)
	var writer sync.WaitGroup
	writer.Go(func() { s.write(logging) })
	defer writer.Wait()
	defer stop()
	for _, scene := range []func(context.Context) bool{s.breaks, s.dies, s.answers, s.recovers} {
		if !scene(ctx) {
			break
		}
	}
	if ctx.Err() != nil {
		s.voice.say("Stopped.")
		return nil
	}
	s.judge(ctx)
	return s.wrong
}

// breaks: all is well, then a configuration is merged that does not load.
func (s *story) breaks(ctx context.Context) bool {
	s.voice.event("hook", "is well: it answers 405 to a GET, as it should, and logs what it does")
	if !s.pause(ctx, 5*time.Second) {
		return false
	}
	s.voice.event("prow", "a configuration is merged that does not load: hook and tide say so, and go on with the one they have")
	s.turn(ctx, misconfigured)
	return s.await(ctx, "nothing was said in Slack", func(incident.Incident) bool { return len(s.slack.Messages()) > 0 }) && s.pause(ctx, 10*time.Second)
}

// dies: the pod of hook restarts.
func (s *story) dies(ctx context.Context) bool {
	s.voice.event("hook", "its pod restarts, reads that configuration, and dies of it, again and again: webhooks get 502")
	s.hook.Set(fakes.HookDown)
	s.turn(ctx, dying)
	id := ""
	rang := func(inc incident.Incident) bool {
		id = inc.ID
		return len(s.pager.Rings()) > 0
	}
	if !s.await(ctx, "nobody was paged", rang) {
		return false
	}
	s.voice.event("", "It rings again in %s unless somebody acknowledges. You can, at %s/incidents/%s; else the demo's oncall does at PagerDuty.",
		words.Duration(s.pace.second()), s.app.URL(), id)
	return true
}

// answers: somebody acknowledges, and the second call never comes.
func (s *story) answers(ctx context.Context) bool {
	second := time.Now().Add(s.pace.second() + s.pace.of(2*time.Second))
	acknowledged := func(inc incident.Incident) bool { return inc.State != incident.Open }
	if !s.wait(ctx, s.pace.second()*6/10, acknowledged) && ctx.Err() == nil {
		for _, a := range s.pager.Snapshot().Alerts {
			s.pager.Acknowledge(a.Key, "the demo's oncall")
		}
	}
	if !s.await(ctx, "an acknowledge was not seen", acknowledged) || !s.pauseUntil(ctx, second) {
		return false
	}
	if n := len(s.pager.Snapshot().Alerts); n == 1 {
		s.voice.event("", "Now the second call would have gone out: somebody has it, nobody is called.")
	}
	return s.await(ctx, "the crash loop and the 502 were not folded under the incident", func(inc incident.Incident) bool {
		return inc.State == incident.Resolved || fired(inc, "crash") && fired(inc, "502")
	}) && s.pause(ctx, 3*time.Second)
}

func fired(inc incident.Incident, what string) bool {
	return slices.ContainsFunc(inc.Alerts, func(a incident.Alert) bool { return strings.Contains(a.Rule, what) })
}

// recovers: the configuration is reverted, then hook's next start succeeds.
func (s *story) recovers(ctx context.Context) bool {
	s.voice.event("prow", "the configuration is reverted; hook is still in back-off")
	s.turn(ctx, mended)
	if !s.pause(ctx, 4*time.Second) {
		return false
	}
	s.voice.event("hook", "starts, logs, and answers 405 again")
	s.hook.Set(fakes.HookHealthy)
	s.turn(ctx, wellAgain)
	return s.await(ctx, "the incident was not resolved", func(inc incident.Incident) bool { return inc.State == incident.Resolved }) &&
		s.await(ctx, "Slack and PagerDuty did not hear that it is over", func(incident.Incident) bool { return s.toldOver() })
}

// toldOver says whether Slack's message and PagerDuty's page are resolved.
func (s *story) toldOver() bool {
	for _, m := range s.slack.Messages() {
		if m.ThreadTS == "" && !strings.Contains(m.Text, "Resolved: ") {
			return false
		}
	}
	return !slices.ContainsFunc(s.pager.Snapshot().Alerts, func(a fakes.PagerDutyAlert) bool { return a.Status != "resolved" })
}

// write logs what the scene asks for until ctx ends.
func (s *story) write(ctx context.Context) {
	tick := time.NewTicker(s.pace.of(time.Second))
	defer tick.Stop()
	now := well
	for n := 0; ; n++ {
		if err := s.lines(now, n); err != nil {
			s.voice.say("The demo cannot write its log: %v", err)
		}
		select {
		case <-ctx.Done():
			return
		case now = <-s.scenes:
			n = -1
		case <-tick.C:
		}
	}
}

// lines logs what a scene logs in its n-th second.
func (s *story) lines(scene scene, n int) error {
	switch {
	case scene == well || scene == wellAgain:
		return s.hook.Chatter(1)
	case scene == misconfigured && n%2 == 0:
		return s.hook.ConfigError()
	case scene == misconfigured:
		if err := s.tide.ConfigError(); err != nil {
			return err
		}
		return s.hook.Chatter(1)
	case scene == dying && n%2 == 0:
		if err := s.hook.Fatal(); err != nil {
			return err
		}
		return s.hook.BackOff()
	case scene == dying:
		return s.tide.ConfigError()
	}
	return nil
}

// turn lets another scene be logged, from its first line on.
func (s *story) turn(ctx context.Context, to scene) {
	select {
	case s.scenes <- to:
	case <-ctx.Done():
	}
}

// pause lets a time of the story go by; false if ctx ended.
func (s *story) pause(ctx context.Context, d time.Duration) bool {
	return s.pauseUntil(ctx, time.Now().Add(s.pace.of(d)))
}

func (s *story) pauseUntil(ctx context.Context, t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// await waits with patience until something is so of the incident, and notes what is missing if it never is.
func (s *story) await(ctx context.Context, missing string, so func(incident.Incident) bool) bool {
	ok := s.wait(ctx, patience, so)
	if !ok && ctx.Err() == nil {
		s.wrong = append(s.wrong, missing)
	}
	return ok
}

func (s *story) wait(ctx context.Context, d time.Duration, so func(incident.Incident) bool) bool {
	for end := time.Now().Add(d); ; {
		if list := s.incidents(ctx); len(list) > 0 && so(list[0]) {
			return true
		}
		if !time.Now().Before(end) || !s.pauseUntil(ctx, time.Now().Add(50*time.Millisecond)) {
			return false
		}
	}
}

func (s *story) incidents(ctx context.Context) []incident.Incident {
	var list []incident.Incident
	err := s.app.store.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.Incidents(ctx, store.IncidentFilter{})
		return err
	})
	if err != nil && ctx.Err() == nil {
		s.wrong = append(s.wrong, err.Error())
	}
	return list
}

// judge sums the story up, and adds to what is wrong with it.
func (s *story) judge(ctx context.Context) {
	list := s.incidents(ctx)
	messages, edits, posts := 0, 0, 0
	for _, m := range s.slack.Messages() {
		if m.ThreadTS != "" {
			posts++
			continue
		}
		messages++
		edits += len(m.Edits)
	}
	rang := len(s.pager.Snapshot().Alerts)
	acknowledged := s.acknowledges(ctx, list)
	expect := func(so bool, format string, args ...any) {
		if !so {
			s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
		}
	}
	expect(len(list) == 1, "%s, not one", plural(len(list), "incident"))
	expect(messages == 1, "%s in Slack, not one", plural(messages, "message"))
	expect(edits > 0, "the message in Slack was not edited")
	expect(rang == 1, "it rang %d times, not once", rang)
	expect(acknowledged > 0, "nobody acknowledged")
	over, by := "", ""
	for _, inc := range list {
		if inc.ResolvedBy != "" {
			by = inc.ResolvedBy
		}
		expect(inc.Headline.Rule == "prow-config-load-error", "the headline is %s, not the configuration", inc.Headline.Rule)
		if inc.State == incident.Resolved {
			over = ", over after " + words.Duration(inc.ResolvedAt.Sub(inc.FirstEntry))
		}
	}
	if s.cloud != nil {
		s.canary(expect)
	}
	s.voice.summary(s.wrong, "%s%s. Slack: %s, %s, %s in its thread. Pages: %d rang, %d acknowledged.",
		plural(len(list), "incident"), over, plural(messages, "message"), plural(edits, "edit"), plural(posts, "post"), rang, acknowledged)
	if by != "" && len(s.wrong) > 0 {
		s.voice.say("%s resolved it by hand while hook was down: what failed after that became an incident of its own.", words.Terminal(by))
	}
}

// canary tells how long the last line took that was written to the log to be seen to come back.
func (s *story) canary(expect func(so bool, format string, args ...any)) {
	state := s.app.generationNow().canary.States()["prow-logs"]
	expect(!state.ReturnedAt.IsZero(), "the canary has not come back")
	s.voice.event("canary", "a line written to the log every ten seconds came back last after %s; %s of tocsin's own were written to Cloud Monitoring",
		words.Duration(state.After), plural(len(s.cloud.metrics.Written()), "point"))
}

// acknowledges counts those in the timelines.
func (s *story) acknowledges(ctx context.Context, list []incident.Incident) int {
	n := 0
	for _, inc := range list {
		err := s.app.store.View(ctx, func(tx *store.Tx) error {
			events, err := tx.Events(ctx, inc.ID)
			for _, e := range events {
				if e.Kind == incident.EventAcknowledged {
					n++
				}
			}
			return err
		})
		if err != nil {
			s.wrong = append(s.wrong, err.Error())
		}
	}
	return n
}
