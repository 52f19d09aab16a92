package sources

import (
	"context"
	"errors"
	"time"

	"tocsin/internal/logs"
	"tocsin/internal/setting"
)

// Alertmanager is the settings of kind alertmanager: it reads the alerts that Prometheus, or an Alertmanager, posts to tocsin's own
// address, POST /api/v2/alerts. Each is kept in the store before the post is answered. There is nothing to set.
type Alertmanager struct{}

// Inbox is where what was posted waits. Its methods may be called from any goroutine.
type Inbox interface {
	// Posted is what was posted for the source of that name after a cursor, without Data if there is nothing. What was to be posted again
	// by now and was not is in it, as over.
	Posted(ctx context.Context, source string, from logs.Cursor) (logs.Batch, error)
	// Forget is called once what was read up to a cursor has been committed.
	Forget(ctx context.Context, source string, upto logs.Cursor) error
}

// inboxEvery is how often it is looked for what was posted.
const inboxEvery = time.Second

// Validate finds nothing wrong: there is nothing to set.
func (a *Alertmanager) Validate() []setting.FieldError { return nil }

// Speaks says that it is looked into every second.
func (a *Alertmanager) Speaks() time.Duration { return 10 * inboxEvery }

// New makes the source.
func (a *Alertmanager) New(name string, env Env) (Source, error) {
	return &inboxSource{name: name, inbox: env.Inbox}, nil
}

type inboxSource struct {
	name  string
	inbox Inbox
}

// Read sends what is posted.
func (s *inboxSource) Read(ctx context.Context, from logs.Cursor, out chan<- logs.Batch) error {
	if s.inbox == nil {
		return errors.New("nothing can be posted here")
	}
	tick := time.NewTicker(inboxEvery)
	defer tick.Stop()
	var told time.Time
	for {
		b, err := s.inbox.Posted(ctx, s.name, from)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		b.Received = time.Now()
		if upto := b.Cursor; upto != from {
			b.Committed = func() {
				_ = s.inbox.Forget(context.WithoutCancel(ctx), s.name, upto) // what stays is deleted with the next
			}
		}
		if len(b.Data) > 0 || b.Received.Sub(told) >= 5*inboxEvery {
			if !send(ctx, out, b) {
				return nil
			}
			from, told = b.Cursor, b.Received
			if !b.CaughtUp {
				continue
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
