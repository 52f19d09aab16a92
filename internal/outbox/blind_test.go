package outbox

import (
	"errors"
	"strings"
	"testing"

	"tocsin/internal/incident"
	"tocsin/notifiers"
)

// TestWhatCannotBeLookedForIsSentAgainSeldom: where nobody may search the history what got no clear answer is sent again, once for each such
// answer and ever later, and it is said that it may be there twice, and why.
func TestWhatCannotBeLookedForIsSentAgainSeldom(t *testing.T) {
	w := newWorld(t)
	w.ops.blind = notifiers.Permanent{Err: errors.New("the bot is in no channel of that name")}
	w.ops.after = failing(6, errors.New("reset by peer"))
	w.incident("A", incident.Open, 1)
	w.add(message("A", "ops", 1))
	w.run(35)
	if why := w.all("A")[0].LastError; !strings.Contains(why, "reset by peer") || !strings.Contains(why, "in no channel of that name") {
		t.Errorf("its error is %q", why)
	}
	w.run(600)
	w.equal("tries", w.ops.triesAt(), "0 10 20 30 40 56 88")
	if !strings.Contains(w.timeline("A"), "may be there twice") {
		t.Errorf("the timeline says only %s", w.timeline("A"))
	}
}
