package notifiers

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"tocsin/internal/incident"
	"tocsin/internal/setting"
	"tocsin/internal/words"
)

// Console prints what is told to standard output: for a first look, a demonstration and a replay.
type Console struct {
	// Output is where to print to; standard output if it is nil. It is set by who builds the program, not by its configuration.
	Output io.Writer `yaml:"-"`
}

// Traits say that it neither rings nor edits.
func (c *Console) Traits() Traits { return Traits{} }

// Validate finds nothing wrong: there is nothing to set.
func (c *Console) Validate() []setting.FieldError { return nil }

// New makes the notifier of a receiver.
func (c *Console) New(receiver string) (Notifier, error) {
	out := c.Output
	if out == nil {
		out = os.Stdout
	}
	return &consoleNotifier{receiver: receiver, out: out}, nil
}

type consoleNotifier struct {
	receiver string
	mu       sync.Mutex
	out      io.Writer
}

// Preview is what Send would print, without the line above it.
func (c *consoleNotifier) Preview(n Notice) string {
	s := tell(&n)
	return words.Terminal(s.plain(&n))
}

// Send prints a block: a line that says when, to whom and what, then the text, each line of it indented, so that a line from a
// log cannot pass for one of ours. The receipt is the notification's key.
func (c *consoleNotifier) Send(_ context.Context, n Notice) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  %s\n", n.Now.UTC().Format("2006-01-02 15:04:05"), words.Terminal(words.Clean(c.receiver, maxWho)), deed(&n))
	for line := range strings.Lines(c.Preview(n) + "\n") {
		b.WriteString("    " + line)
	}
	b.WriteByte('\n')
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := io.WriteString(c.out, b.String()); err != nil {
		return "", fmt.Errorf("print to the console: %w", err)
	}
	return n.Key, nil
}

// deed says what a notice does: "page, round 2: escalated".
func deed(n *Notice) string {
	switch n.Kind {
	case incident.Call:
		return fmt.Sprintf("page, round %d: %s", n.Round, n.Reason)
	case incident.CallAcknowledge:
		return "page: acknowledged"
	case incident.CallResolve:
		return "page: resolved"
	case incident.Post:
		return "post: " + string(n.Reason)
	}
	return "message: " + string(n.Reason)
}
