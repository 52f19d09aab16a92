package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/internal/backtest"
	"tocsin/internal/logs"
	"tocsin/internal/lql"
	"tocsin/internal/sources"
)

// unlisted is how long what was received can perhaps not be listed yet.
const unlisted = time.Minute

// Since is what the sources of a plan received before, to be tried on its rules: read from where the sources read, at a third of their calls, so that who
// reads them live goes first.
type Since struct {
	Plan        *Plan
	From, Until time.Time
	// To is where it is said what will be read and how far it is.
	To io.Writer

	past   []*ahead
	firing func(rule string) bool
	said   time.Time
}

// Backtest reads and counts.
func (s *Since) Backtest(ctx context.Context, night backtest.Night) (report *backtest.Report, remarks []string, err error) {
	s.firing = func(string) bool { return false }
	if err := s.open(ctx); err != nil {
		return nil, nil, err
	}
	defer func() {
		for _, p := range s.past {
			err = errors.Join(err, p.Close())
		}
	}()
	r := &Replay{Plan: s.Plan, Entries: func() (logs.Batch, error) { return s.next(ctx) }, Begun: func(firing func(string) bool) { s.firing = firing }}
	return tested(ctx, r, night)
}

// open announces what is read, and opens it.
func (s *Since) open(ctx context.Context) error {
	var without []string
	for _, name := range slices.Sorted(maps.Keys(s.Plan.Sources)) {
		h, ok := s.Plan.Sources[name].(sources.Historian)
		if !ok {
			without = append(without, fmt.Sprintf("%s (%s)", name, s.Plan.Kinds[name]))
			continue
		}
		perMinute, slice := h.PastCalls()
		calls := int((s.Until.Sub(s.From) + slice - 1) / slice)
		fmt.Fprintf(s.To, "reads what %s received from %s until %s: %s or more, %d a minute at the most, so %s at the least; who reads it live goes first\n", name,
			s.From.UTC().Format("2006-01-02 15:04Z"), s.Until.UTC().Format("2006-01-02 15:04Z"), plural2(calls, "call", "calls"), perMinute, (time.Duration(calls) * time.Minute / time.Duration(perMinute)).Round(time.Second))
		env := sources.Env{Project: s.Plan.File.Project, Filter: func(most int) string { return lql.Cover(s.Plan.Rules.Filters(name, s.firing), most) }}
		p, err := h.Past(ctx, name, env, s.From, s.Until)
		if err != nil {
			return err
		}
		s.past = append(s.past, &ahead{Past: p})
	}
	if len(without) > 0 {
		fmt.Fprintf(s.To, "warning: nothing of the past can be read of %s: what rules make of it is missing\n", strings.Join(without, ", "))
	}
	if len(s.past) == 0 {
		return errors.New("none of the sources can be asked for what was before: name files of entries")
	}
	return nil
}

// ahead is a source's past with the batch that it hands out next, so that it is known of when that is before it is taken.
type ahead struct {
	sources.Past
	held  logs.Batch
	at    time.Time // when the first of what is held was received
	ended bool
}

// At is up to when it has been handed out.
func (a *ahead) At() time.Time {
	if len(a.held.Data) > 0 {
		return a.at
	}
	return a.Past.At()
}

// read takes the next batch, which may hold nothing, or notes that there is none.
func (a *ahead) read(ctx context.Context) error {
	b, err := a.Next(ctx)
	if errors.Is(err, io.EOF) {
		a.ended = true
		return nil
	}
	if err != nil {
		return err
	}
	a.held, a.at = b, a.Past.At()
	b.Entries(time.Time{}, func(e *logs.Entry) bool {
		a.at = e.ReceiveTimestamp
		return false
	})
	return nil
}

// next is the next batch of the source that is furthest behind.
func (s *Since) next(ctx context.Context) (logs.Batch, error) {
	for {
		var first *ahead
		for _, p := range s.past {
			if !p.ended && (first == nil || earlier(p, first) < 0) {
				first = p
			}
		}
		if first == nil {
			return logs.Batch{}, io.EOF
		}
		if time.Since(s.said) > 10*time.Second && !s.said.IsZero() {
			s.said = time.Now()
			fmt.Fprintf(s.To, "up to %s\n", first.At().UTC().Format("2006-01-02 15:04Z"))
		}
		if s.said.IsZero() {
			s.said = time.Now()
		}
		if b := first.held; len(b.Data) > 0 {
			first.held = logs.Batch{}
			return b, nil
		}
		if err := first.read(ctx); err != nil {
			return logs.Batch{}, err
		}
	}
}

// earlier orders by what is handed out next. What is not read yet may be of the very time that it is read up to: it is read first.
func earlier(a, b *ahead) int {
	return cmp.Or(a.At().Compare(b.At()), cmp.Compare(len(a.held.Data), len(b.held.Data)))
}
