package incident

import "time"

// NotificationKind says what a notification is.
type NotificationKind string

// The kinds of notifications.
const (
	// Message is the incident's one message at a receiver, brought to the wanted revision: posted once, then edited where the
	// receiver can edit, sent anew where it cannot.
	Message NotificationKind = "message"
	// Post is a post in the thread of the incident's message, telling one event of the timeline.
	Post NotificationKind = "post"
	// Call is a page: it rings until somebody has it.
	Call NotificationKind = "call"
	// CallAcknowledge and CallResolve tell a pager, for one key, that the incident is acknowledged or over.
	CallAcknowledge NotificationKind = "call_acknowledge"
	CallResolve     NotificationKind = "call_resolve"
)

// Reason says why a notification was made.
type Reason string

// The reasons.
const (
	ReasonOpened    Reason = "opened"
	ReasonUpdated   Reason = "updated"
	ReasonEscalated Reason = "escalated"
	ReasonRepeated  Reason = "repeated"
	ReasonResolved  Reason = "resolved"
)

// NotificationState is where a notification is on its way.
type NotificationState string

// The states: pending → inflight → sent or cancelled. A message goes back to pending when a newer revision is wanted. A page
// ends as sent or cancelled only; never by age or attempts.
const (
	Pending   NotificationState = "pending"
	InFlight  NotificationState = "inflight"
	Sent      NotificationState = "sent"
	Cancelled NotificationState = "cancelled"
)

// Adopted is the cause of a call that an earlier life, whose store was lost, had sent: it is sent, and this life has rung nobody with it.
const Adopted = "adopted"

// Notification is a row of the outbox: something that a target must get. (Incident, Round, Kind, Target, Event, Key) is
// unique.
type Notification struct {
	// ID is given by the store, rising.
	ID       int64  `json:"id"`
	Incident string `json:"incident"`
	// Target is the receiver's name.
	Target string           `json:"target"`
	Kind   NotificationKind `json:"kind"`
	// Round is what rings again: 0 for what does not ring.
	Round int `json:"round"`
	// Key names it to the provider and is the same over all attempts: a pager's deduplication key, the nonce of a post.
	Key    string `json:"key"`
	Reason Reason `json:"reason"`
	// Event is the timeline event that a Post tells, or that a CallAcknowledge is of; 0 otherwise.
	Event int64 `json:"event,omitempty"`
	// Text is what a Call or a Post says beside the incident itself ("nobody acknowledged for 10m").
	Text string `json:"text,omitempty"`
	// Mention holds the people to mention by name (see the configuration's people).
	Mention []string `json:"mention,omitempty"`
	// Rings says that it makes something ring, unlike an edit or a post in a thread.
	Rings bool `json:"rings"`
	// Wanted and SentRevision are of a Message.
	Wanted       int64 `json:"wanted,omitempty"`
	SentRevision int64 `json:"sent_revision,omitempty"`

	State NotificationState `json:"state"`
	// Cause says why it was cancelled: acknowledged, resolved, superseded ("superseded by storm ID" of a page that a storm's stands for),
	// merged, held, operator; of what is no page also refused, digest (told in a target's digest), or "rolled into ID" (the post that says
	// it). Of a call that is sent it is Adopted, or nothing.
	Cause string `json:"cause,omitempty"`
	// CreatedAt is when it was asked for; of a storm's page, when it is to ring: its age counts from then.
	CreatedAt time.Time `json:"created_at"`
	// Due is when it is to be tried (again).
	Due time.Time `json:"due"`
	// Epoch and Deadline fence a claim: whoever claimed it, and until when its call may still be on its way.
	Epoch    int64     `json:"epoch,omitempty"`
	Deadline time.Time `json:"deadline,omitzero"`
	Attempts int       `json:"attempts,omitempty"`
	// Unclear says that an attempt ended without a clear answer: it may have arrived.
	Unclear bool `json:"unclear,omitempty"`
	// RefusedAt is when the provider first refused it for good, zero once it is accepted: the timeline tells it once.
	RefusedAt time.Time `json:"refused_at,omitzero"`
	SentAt    time.Time `json:"sent_at,omitzero"`
	// Receipt is what the provider gave for it: Slack's "channel/ts", a pager's key. A Message's is kept for its edits.
	Receipt   string `json:"receipt,omitempty"`
	LastError string `json:"last_error,omitempty"`
}
