// Package sources holds the kinds of source, one a file. A Source looks endless and in order; behind that it hides files that
// rotate, pages of an API, a probe's ticker, and where it was when the process last ended.
package sources

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"tocsin/internal/logs"
	"tocsin/internal/setting"
	"tocsin/internal/sources/cloudlog"
)

// Source yields what it watches as batches.
type Source interface {
	// Read sends batches to out, beginning after from, until ctx ends; then it returns nil. On an error it returns it: whoever
	// started it starts it again with backoff, from the cursor of the last batch that was committed. It never closes out.
	// Batches are sent in order, each with the cursor to go on from; it may hold back while out is full. A source that sees
	// nothing new says so by a batch without Data that is CaughtUp.
	Read(ctx context.Context, from logs.Cursor, out chan<- logs.Batch) error
}

// Spec is the settings of one kind of source, decoded from the configuration.
type Spec interface {
	// Validate says everything that is wrong with the settings.
	Validate() []setting.FieldError
	// New makes the source of that name.
	New(name string, env Env) (Source, error)
}

// Historian is a Spec whose sources can be asked for what they received before, beside what is read live.
type Historian interface {
	// Past are the entries that were received from since until until.
	Past(ctx context.Context, name string, env Env, since, until time.Time) (Past, error)
	// PastCalls is how many calls a minute that takes at the most, and how much of the past one call is for at the most.
	PastCalls() (perMinute int, slice time.Duration)
}

// Past are entries of before. One goroutine reads them.
type Past interface {
	// Next is the next batch, which may hold nothing; io.EOF behind the last.
	Next(ctx context.Context) (logs.Batch, error)
	// At is up to when it has been read, Calls how many calls that took.
	At() time.Time
	Calls() int64
	Close() error
}

// Speaker is a Spec whose sources are heard of now and then though there is nothing new: one that is not is stuck.
type Speaker interface {
	// Speaks is how often at the least.
	Speaks() time.Duration
}

// Shared is a Spec whose sources any number of processes may read side by side, each of which gets some of what there is. Their batches
// are of the form logs.Lines, each entry has an insertId, and there is no cursor: what is not committed comes again.
type Shared interface {
	// Shared does nothing: it says so.
	Shared()
}

// Counter is a Source that counts what it does to read: sessions, calls, what it found out.
type Counter interface {
	// Counts are its counts by name, one word in snake_case each, since it was made.
	Counts() map[string]int64
}

// Asked is a filter that a rule asks of a source.
type Asked = cloudlog.Asked

// Env is what a source is given by whoever wires it.
type Env struct {
	// Project is the configuration's project: the project of entries that the source itself makes.
	Project string
	// Filter is the narrowest filter of at most that many characters that covers all rules' filters for this source, for a source whose
	// server can filter. Empty means everything.
	Filter func(most int) string
	// Asked, if set, are the filters that Filter covers, by rule: for a source to say which of them its server does not take.
	Asked func() []Asked
	// Trouble, if set, is told what a source goes on from by itself and somebody should hear of: once when it begins, once at
	// each change, and with nil when the source is well again. It may be called from any goroutine.
	Trouble func(err error)
	// Inbox is where what was posted to tocsin waits; nil where nothing is.
	Inbox Inbox
	// Log, if set, gets what nobody need be woken for.
	Log *slog.Logger
	// Transport, if set, stands in for the network of the kinds that speak HTTP (the simulation sets it).
	Transport http.RoundTripper
	// Dial, if set, stands in for the network of the kinds that speak gRPC with Google, where they have an endpoint.
	Dial func(ctx context.Context, address string) (net.Conn, error)
}

// Kinds are the kinds of source: the word that the configuration uses, and its settings with their defaults in place.
var Kinds = map[string]func() Spec{
	"alertmanager":     func() Spec { return &Alertmanager{} },
	"file":             func() Spec { return &File{Follow: true} },
	"stdin":            func() Spec { return &Stdin{} },
	"http_probe":       func() Spec { return newHTTPProbe() },
	"cloud_logging":    func() Spec { return newCloudLogging() },
	"cloud_monitoring": func() Spec { return newCloudMonitoring() },
	"pubsub":           func() Spec { return newPubSub() },
}

// tell passes trouble on, if somebody listens.
func (e Env) tell(err error) {
	if e.Trouble != nil {
		e.Trouble(err)
	}
}
