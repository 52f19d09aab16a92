package notifiers

import (
	"context"
	"errors"
	"net/http"
)

// Hearing is a Notifier where people can answer: they press buttons of its messages, give commands, write in the messages' threads.
type Hearing interface {
	// Ear names the account whose words come in; "" where none do. Receivers of one ear hear the same, so one of them is asked.
	Ear() string
	// Read checks a request that says that it comes from the provider, and says what it tells; of what is none of ours Heard has no Kind.
	// answer is the body that the provider wants for it. The error is ErrForged if another ear may know it, else why it is refused.
	Read(path string, header http.Header, body []byte) (h Heard, answer []byte, err error)
	// Listen hears over a connection of its own until that or ctx ends, and says connected once it has it. What heard returns is the answer that
	// only the person sees, or why it is to be delivered again. The error is why there is no connection any more, or none to be had: a Later if
	// the provider says when it may be asked again. Without a way to listen it returns nil at once.
	Listen(ctx context.Context, connected func(), heard func(ctx context.Context, h Heard) (text string, err error)) error
	// Answer tells whoever did something, and nobody else, what came of it. text is the provider's markup.
	Answer(ctx context.Context, h Heard, text string) error
	// Body is the text as the body of an answer to a command's request.
	Body(text string) []byte
}

// The reasons for which a request is not taken.
var (
	ErrForged = errors.New("its signature is not right")
	ErrStale  = errors.New("it is older than five minutes")
	// ErrUnread is of a request that is signed and makes no sense.
	ErrUnread = errors.New("it cannot be read")
)

// HeardKind says what a person did.
type HeardKind string

// The kinds: a button of a message was pressed, a command was typed, something was written in a message's thread.
const (
	Pressed HeardKind = "pressed"
	Typed   HeardKind = "typed"
	Wrote   HeardKind = "wrote"
)

// The buttons.
const (
	ButtonAcknowledge = "acknowledge"
	ButtonResolve     = "resolve"
	ButtonSilence1h   = "silence_1h"
	ButtonSilence8h   = "silence_8h"
	ButtonEscalate    = "escalate"
	ButtonNotUseful   = "not_useful"
)

// Heard is what a person did at a provider. All of it is theirs: it may say anything.
type Heard struct {
	// ID names it: whenever it is delivered again it has the same.
	ID   string
	Kind HeardKind
	// By is the person, as the provider names them.
	By string
	// Button is which was pressed, Incident that of its message.
	Button, Incident string
	// Text is what was typed behind the command, or written; without markup.
	Text string
	// Message is the receipt of the message in whose thread it was written; Edited says that it stood there otherwise before.
	Message string
	Edited  bool

	channel, thread, reply string
}
