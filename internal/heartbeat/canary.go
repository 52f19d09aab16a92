package heartbeat

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"tocsin/internal/setting"
	"tocsin/internal/sources/google"
	"tocsin/internal/store"
)

// CanarySettings say what is written to a log, to be seen to come back.
type CanarySettings struct {
	// Sources are those that it comes back through.
	Sources []string `yaml:"sources"`
	// Project is whose log it is written to. Left out it is the first project that the source reads, else the configuration's.
	Project string `yaml:"project"`
	// Every is the time from one line to the next, 1m if left out.
	Every setting.Duration `yaml:"every"`
	// Within is how long nothing may have come back, 2m if left out; the configuration's lateness comes on top.
	Within setting.Duration `yaml:"within"`
	// Endpoint is written to instead of logging.googleapis.com, as host:port.
	Endpoint string `yaml:"endpoint"`
}

// CanaryDefaults are the settings with what holds where nothing is said.
func CanaryDefaults() CanarySettings {
	return CanarySettings{Every: setting.Duration(time.Minute), Within: setting.Duration(2 * time.Minute)}
}

// Validate says everything that is wrong with the settings.
func (s *CanarySettings) Validate() []setting.FieldError {
	var errs []setting.FieldError
	wrong := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	if len(s.Sources) == 0 {
		wrong("sources", "no source: name those that the line is to come back through")
	}
	for i, name := range s.Sources {
		if slices.Contains(s.Sources[:i], name) {
			wrong(fmt.Sprintf("sources.%d", i), "%s is named twice", name)
		}
	}
	if s.Project != "" && !projectID.MatchString(s.Project) {
		wrong("project", "%q is no project: write its id, such as k8s-infra-prow", s.Project)
	}
	if s.Every.Std() < 10*time.Second || s.Every.Std() > 10*time.Minute {
		wrong("every", "%s is not between 10s and 10m", s.Every)
	} else if s.Within < 2*s.Every || s.Within.Std() > time.Hour {
		wrong("within", "%s is not between %s, in which two lines are written, and 1h", s.Within, 2*s.Every)
	}
	errs = append(errs, google.CheckEndpoint(s.Endpoint)...)
	return errs
}

// Line is one line of a canary.
type Line struct {
	// Nonce is in its payload, and nowhere else in the world.
	Nonce string `json:"nonce"`
	// At is its timestamp.
	At time.Time `json:"at"`
}

const (
	// awaited is how many lines at the most are waited for, one after the other: those beyond are lost, or come too late to tell anything.
	awaited = 10
	// unwrittenTold is how many writes in a row must fail to be a trouble, if more may help.
	unwrittenTold = 3
	// lookForLine is how often it is looked whether a line has come back that may any moment, and for how long it is so.
	lookForLine, soon = 250 * time.Millisecond, 20 * time.Second
	// CanaryUnwritten is the kind of the trouble that a line cannot be written. While it stands no line counts as lost.
	CanaryUnwritten = "canary_unwritten"
)

// CanaryOptions are what a Canary is made of beside its store.
type CanaryOptions struct {
	Settings CanarySettings
	// Projects are those that are written to, by source.
	Projects map[string]string
	// Writer writes the lines.
	Writer LineWriter
	// Seen says which of the lines was the newest that a rule has matched as it came through the source; false for none of them.
	Seen func(ctx context.Context, tx *store.Tx, source string, lines []Line) (Line, bool, error)
	// Returned hears of each line that has come back, and after how long.
	Returned func(source string, after time.Duration)
	Log      *slog.Logger
}

// Canary writes a line to a log now and then and looks whether it comes back: whether it was seen, scanned, matched and committed, as what
// somebody is called for would be. What it waits for is kept in the store. That nothing comes back is for a rule to say.
type Canary struct {
	store *store.Store
	o     CanaryOptions

	mu   sync.Mutex
	last map[string]CanaryState
}

// CanaryState is what is known of the lines of one source.
type CanaryState struct {
	// Waiting are the lines that were written and have not come back, oldest first.
	Waiting []Line `json:"waiting,omitempty"`
	// WrittenAt is when the last was written, ReturnedAt when the last that came back was written, After how long it took.
	WrittenAt  time.Time     `json:"written_at,omitzero"`
	ReturnedAt time.Time     `json:"returned_at,omitzero"`
	After      time.Duration `json:"after,omitempty"`
	// Failures are the writes that failed since the last that did not, TriedAt when the last was tried.
	Failures int       `json:"failures,omitempty"`
	TriedAt  time.Time `json:"tried_at,omitzero"`
}

// NewCanary makes a canary.
func NewCanary(s *store.Store, o CanaryOptions) *Canary {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Canary{store: s, o: o}
}

// Close ends its connections. It must not be stepped any more.
func (c *Canary) Close() { c.o.Writer.Close() }

// States are what is known, by source, as of the last step; none before the first.
func (c *Canary) States() map[string]CanaryState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.last)
}

// canaryFact is the name under which the states are kept.
const canaryFact = "canary"

// Step looks which lines have come back, and writes those that are due. That one cannot be written is a trouble of tocsin's own, and no
// error of the step: that is the store's.
func (c *Canary) Step(ctx context.Context, now time.Time) (next time.Time, err error) {
	states := map[string]CanaryState{}
	before := ""
	err = c.store.View(ctx, func(tx *store.Tx) error {
		clear(states)
		if before, err = tx.Fact(ctx, canaryFact); err != nil {
			return err
		}
		kept := map[string]CanaryState{}
		if before != "" {
			if err := json.Unmarshal([]byte(before), &kept); err != nil {
				c.o.Log.Error("what is known of the canary cannot be read: it begins anew", "error", err)
			}
		}
		for _, source := range c.o.Settings.Sources { // those that are no longer configured are forgotten
			s := kept[source]
			seen, ok, err := c.o.Seen(ctx, tx, source, s.Waiting)
			if err != nil {
				return err
			}
			if ok {
				c.returned(source, &s, seen, now)
			}
			states[source] = s
		}
		return nil
	})
	if err != nil {
		return now, fmt.Errorf("look for the canary: %w", err)
	}
	var troubles []store.Trouble
	for _, source := range c.o.Settings.Sources {
		s := states[source]
		if c.due(s, now) {
			troubles = append(troubles, c.write(ctx, source, &s, now)...)
			states[source] = s
		}
	}
	if err := c.keep(ctx, states, before, troubles); err != nil {
		return now, err
	}
	c.mu.Lock()
	c.last = states
	c.mu.Unlock()
	return c.next(states, now), nil
}

// returned takes a line that has come back, with those of before it: they did too, or are lost.
func (c *Canary) returned(source string, s *CanaryState, seen Line, now time.Time) {
	i := slices.IndexFunc(s.Waiting, func(l Line) bool { return l.Nonce == seen.Nonce })
	s.Waiting = slices.Clone(s.Waiting[i+1:])
	s.ReturnedAt, s.After = seen.At, max(0, now.Sub(seen.At))
	if c.o.Returned != nil {
		c.o.Returned(source, s.After)
	}
}

// due says whether a line is to be written: a time after the last, sooner after a failure, and at once if the last is of the future, of a
// clock that was set back since.
func (c *Canary) due(s CanaryState, now time.Time) bool {
	every := c.o.Settings.Every.Std()
	if s.Failures > 0 {
		every /= 4
	}
	ago := now.Sub(s.TriedAt)
	return ago >= every || ago < 0
}

// write writes a line, and returns what is to be reported of it.
func (c *Canary) write(ctx context.Context, source string, s *CanaryState, now time.Time) []store.Trouble {
	line := Line{Nonce: rand.Text(), At: now.UTC().Truncate(time.Microsecond)}
	s.TriedAt = now
	err := c.o.Writer.Write(ctx, c.o.Projects[source], source, line)
	t := store.Trouble{Kind: CanaryUnwritten, Labels: map[string]string{"source": source}, At: now}
	if err == nil {
		s.Failures, s.WrittenAt = 0, line.At
		s.Waiting = append(s.Waiting, line)
		s.Waiting = s.Waiting[max(0, len(s.Waiting)-awaited):]
		t.Over, t.Text = true, "a line can be written again"
		return []store.Trouble{t}
	}
	if ctx.Err() != nil {
		return nil
	}
	s.Failures++
	c.o.Log.Warn("the canary's line cannot be written", "source", source, "error", err)
	text, lasting := c.o.Writer.Explain(err)
	if !lasting && s.Failures < unwrittenTold {
		return nil
	}
	t.Text = fmt.Sprintf("write to the log %s of projects/%s: %s", CanaryLog, c.o.Projects[source], text)
	return []store.Trouble{t}
}

// keep writes what has changed.
func (c *Canary) keep(ctx context.Context, states map[string]CanaryState, before string, troubles []store.Trouble) error {
	b, err := json.Marshal(states)
	if err != nil {
		return fmt.Errorf("write down the canary: %w", err)
	}
	if string(b) == before && len(troubles) == 0 {
		return nil
	}
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		for _, t := range troubles {
			if err := tx.Report(ctx, t); err != nil {
				return err
			}
		}
		return tx.SetFact(ctx, canaryFact, string(b))
	})
	if err != nil {
		return fmt.Errorf("keep the canary: %w", err)
	}
	return nil
}

// next is when there is something to do: soon while a line may come back any moment.
func (c *Canary) next(states map[string]CanaryState, now time.Time) time.Time {
	next := now.Add(time.Second)
	for _, s := range states {
		if len(s.Waiting) > 0 && now.Sub(s.Waiting[len(s.Waiting)-1].At) < soon {
			next = now.Add(lookForLine)
		}
	}
	return next
}
