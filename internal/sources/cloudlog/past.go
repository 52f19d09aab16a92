package cloudlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	logging "cloud.google.com/go/logging/apiv2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tocsin/internal/logs"
)

const (
	// pastShare is the part of a source's calls that reading the past takes: what is read live goes first.
	pastShare = 3
	// PastSlice is how much of the past a call asks for at the most: what rules want changes with what fires, slice by slice.
	PastSlice = time.Hour
	// pastPause is how long it waits when the quota is used up: by then the live reader has had its minute.
	pastPause = 90 * time.Second
	// pastTries is how often one slice is tried that fails for a reason that may pass.
	pastTries = 20
)

// PastCalls is how many calls a minute a source's past is read with.
func PastCalls(s Settings) int { return max(1, s.CallsPerMinute/pastShare) }

// Past reads what a source received from one time until another, by listing alone, in the order in which it was received. Its cursor is
// nobody's: what is read live is not touched, and goes first. Close it.
type Past struct {
	source *Source
	client *logging.Client
	at     time.Time
	until  time.Time
	slice  time.Duration
	queue  []piece
	offset int64
}

// NewPast opens the past of a source of these settings.
func NewPast(ctx context.Context, name string, s Settings, o Options, since, until time.Time) (*Past, error) {
	s.CallsPerMinute = PastCalls(s)
	source := New(name, s, o)
	client, err := source.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("source %s: open Cloud Logging client: %w", name, err)
	}
	return &Past{source: source, client: client, at: since, until: until, slice: PastSlice}, nil
}

// At is up to when, by receive time, its batches have been handed out.
func (p *Past) At() time.Time {
	if len(p.queue) > 0 {
		return p.queue[0].received
	}
	return p.at
}

// Calls is how many calls that took, refused ones too.
func (p *Past) Calls() int64 { return p.source.Figures().Calls }

// Close ends the reading.
func (p *Past) Close() error { return p.client.Close() }

// Next is the next batch: empty where a slice holds nothing that the rules want; io.EOF behind the last. A quota that is used up is waited for.
func (p *Past) Next(ctx context.Context) (logs.Batch, error) {
	for tries := 0; len(p.queue) == 0; tries++ {
		if !p.at.Before(p.until) {
			return logs.Batch{}, io.EOF
		}
		end := p.at.Add(p.slice)
		if end.After(p.until) {
			end = p.until
		}
		l := listing{since: p.at, until: end, rules: p.source.rules(), began: time.Now()}
		p.source.read(ctx, p.client, &l)
		switch code := status.Code(l.err); {
		case errors.Is(l.err, errTooMany):
			p.slice, tries = max(shortestSlice, end.Sub(p.at)/2), -1 // a dense stretch is no trouble of the API's
			continue
		case l.err == nil:
		case ctx.Err() != nil:
			return logs.Batch{}, ctx.Err()
		case tries < pastTries && (code == codes.ResourceExhausted || code == codes.Unavailable || code == codes.DeadlineExceeded):
			select {
			case <-time.After(pastPause):
			case <-ctx.Done():
				return logs.Batch{}, ctx.Err()
			}
			continue
		default:
			return logs.Batch{}, fmt.Errorf("source %s: read what was received from %s: %w", p.source.name, p.at.UTC().Format(time.RFC3339), l.err)
		}
		slices.SortStableFunc(l.entries, func(a, b piece) int { return a.received.Compare(b.received) })
		p.queue, p.at, p.slice = l.entries, end, min(2*p.slice, PastSlice)
		if len(p.queue) == 0 {
			break
		}
	}
	b := logs.Batch{Source: p.source.name, Form: logs.Proto, Offset: p.offset}
	for len(p.queue) > 0 && (len(b.Data) == 0 || len(b.Data)+len(p.queue[0].wire) <= batchBytes) {
		b.Data, p.queue = p.queue[0].append(b.Data), p.queue[1:]
	}
	p.offset += int64(len(b.Data))
	return b, nil
}
