// Package notifiers holds the ways to tell a person, one kind a file. A notifier makes one attempt at one notification and
// gives its verdict; the outbox owns the row, the retries and the order.
package notifiers

import (
	"context"
	"errors"
	"net/http"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/setting"
)

// Kinds are the kinds of notifiers by the word that the operator types, each with a maker of its settings at their defaults.
// A new kind is one file and one line here.
var Kinds = map[string]func() Spec{
	"alertmanager": func() Spec { return &Alertmanager{} },
	"console":      func() Spec { return &Console{} },
	"discord":      func() Spec { return &Discord{} },
	"email":        func() Spec { return &Email{} },
	"google_chat":  func() Spec { return &GoogleChat{} },
	"ntfy":         func() Spec { return &Ntfy{} },
	"pagerduty":    func() Spec { return &PagerDuty{} },
	"slack":        func() Spec { return &Slack{} },
	"teams":        func() Spec { return &Teams{} },
	"webhook":      func() Spec { return &Webhook{} },
}

// Spec is the settings of one kind of notifier, decoded from a receiver.
type Spec interface {
	// Validate says everything that is wrong with the settings.
	Validate() []setting.FieldError
	// New makes the notifier of the receiver of that name. It opens no file and no connection: secrets are read at each use.
	New(receiver string) (Notifier, error)
	// Traits say what this kind can do.
	Traits() Traits
}

// Traits are what the rest of tocsin must know of a kind.
type Traits struct {
	// Pages: what it sends rings until somebody answers (a pager).
	Pages bool
	// Edits: a message that was sent can be edited in place, and has a thread.
	Edits bool
	// Direct: it is one person's own, so that what goes there calls them.
	Direct bool
}

// Notice is one notification with all that is needed to word it.
type Notice struct {
	incident.Notification
	// Incident is as it is now, with its alerts.
	Incident incident.Incident
	// Event is what a Post tells.
	Event incident.Event
	// Parent is the receipt of the incident's message at this target: what a Message edits and a Post hangs under; empty if
	// there is none yet.
	Parent string
	// People are those to mention.
	People []Person
	// Oncall names who is on call for the incident, for a Message to say while nobody has it.
	Oncall []string
	// URL is the address of the incident's page; may be empty.
	URL string
	// Now is the time of the attempt.
	Now time.Time
}

// Person is how somebody is reached.
type Person struct {
	Name      string
	Slack     string
	PagerDuty string
	Email     string
	Ntfy      string
}

// Notifier tells. Send makes one attempt, within ctx's deadline. Its receipt is kept and handed back as Parent. An error means
// that it is to be tried again: it may or may not have arrived; see Permanent and Later for the other verdicts. It never
// retries by itself.
type Notifier interface {
	Send(ctx context.Context, n Notice) (receipt string, err error)
	// Preview is what Send would say, as text.
	Preview(n Notice) string
}

// Limited is a Notifier whose provider takes only so many requests.
type Limited interface {
	Limits() Limits
}

// Limits are what a provider takes at most. Its names are made of settings, and hold no secret.
type Limits struct {
	// Account names who is to wait once the provider says that it is asked too often: all receivers of that account.
	Account string
	// Bucket names what the requests are counted by, for all receivers of that name together: Burst may follow each other at once,
	// then one each Every.
	Bucket string
	Every  time.Duration
	Burst  int
}

// Finder is a Notifier that can look up whether an earlier attempt, whose answer never came, arrived after all.
type Finder interface {
	Find(ctx context.Context, n Notice) (receipt string, found bool, err error)
}

// Adopter is a Notifier that can look up what an earlier life of tocsin, whose store was lost, has told of the same (rule, group) and is
// open still: by incident.KeyHash.
type Adopter interface {
	Adopt(ctx context.Context, hash string) (Earlier, error)
}

// Earlier is what an earlier life has told: the receipt of its message, or, at a pager, the keys of all its alerts that are open, the
// newest first. The zero value is nothing.
type Earlier struct {
	Receipt string
	Keys    []string
}

// Refresher is a Notifier whose provider forgets what it is not told again: while an incident is open its message is sent anew.
type Refresher interface {
	// Every is how often.
	Every() time.Duration
}

// Poller is a Notifier through which people answer, asked now and then for what they said.
type Poller interface {
	// Poll returns the answers to those of the keys that were acknowledged or resolved at the provider.
	Poll(ctx context.Context, keys []string) ([]Answer, error)
}

// Answer is what a person said at a provider.
type Answer struct {
	Key string
	// State is incident.Acknowledged or incident.Resolved.
	State incident.State
	// By is the person, as the provider names them, User the provider's id of theirs, if it says.
	By, User string
	At       time.Time
}

// Listener is a Notifier whose provider tells by itself what people said there.
type Listener interface {
	// Hear checks that a request is the provider's and takes out of it what somebody said; see ErrForged, ErrStale and ErrUnread.
	Hear(header http.Header, body []byte, now time.Time) (Said, error)
}

// Said is what somebody said at a provider: an Answer, whose Key is empty if there is none.
type Said struct {
	Answer
	// Assigned are the people whom the page was given to, where that is what was said; State is then empty.
	Assigned []string
	// Ask says that something was said, and not of which key: the provider is to be asked.
	Ask bool
}

// Permanent is a verdict: trying again as it is will not help (a revoked token, a channel that is gone).
type Permanent struct{ Err error }

func (p Permanent) Error() string { return p.Err.Error() }
func (p Permanent) Unwrap() error { return p.Err }

// Later is a verdict: the provider surely did not take it, and asks to wait at least so long.
type Later struct {
	Err   error
	After time.Duration
}

func (l Later) Error() string { return l.Err.Error() }
func (l Later) Unwrap() error { return l.Err }

// IsPermanent says whether err is or wraps a Permanent.
func IsPermanent(err error) bool { return errors.As(err, new(Permanent)) }
