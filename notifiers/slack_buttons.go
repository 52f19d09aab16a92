package notifiers

import (
	"regexp"

	"github.com/slack-go/slack"

	"tocsin/internal/incident"
)

// signingSecret is how the signing secret of an app looks.
var signingSecret = regexp.MustCompile(`^[0-9a-f]{32}$`)

// actionPrefix begins the action_id of our buttons.
const actionPrefix = "tocsin:"

// slackButtons are the buttons of an incident's message in their order.
var slackButtons = []struct {
	name, text string
	style      slack.Style
	// untaken: only while nobody has the incident; alone: not of one that stands for others.
	untaken, alone bool
}{
	{ButtonAcknowledge, "Acknowledge", slack.StylePrimary, true, false},
	{ButtonResolve, "Resolve", slack.StyleDefault, false, false},
	{ButtonSilence1h, "Silence 1 h", slack.StyleDefault, false, true},
	{ButtonSilence8h, "Silence 8 h", slack.StyleDefault, false, true},
	{ButtonEscalate, "Escalate", slack.StyleDefault, false, true},
	{ButtonNotUseful, "Not useful", slack.StyleDanger, false, true},
}

// buttons are what can be done about the incident of a message, nil if nothing can: it is over, or nothing would come of it because
// what people press does not come in.
func (s *slackNotifier) buttons(n *Notice) slack.Block {
	inc := &n.Incident
	open := inc.State == incident.Open || inc.State == incident.Acknowledged
	if s.Ear() == "" || n.Kind != incident.Message || !open {
		return nil
	}
	var row []slack.BlockElement
	for _, b := range slackButtons {
		if b.untaken && taken(&n.Incident) || b.alone && inc.IsStorm() {
			continue
		}
		button := slack.NewButtonBlockElement(actionPrefix+b.name, inc.ID, slack.NewTextBlockObject(slack.PlainTextType, b.text, false, false)).WithStyle(b.style)
		if b.name == ButtonNotUseful {
			button.WithConfirm(notUsefulConfirm())
		}
		row = append(row, button)
	}
	return slack.NewActionBlock("tocsin", row...)
}

// taken says that somebody has an incident, and nobody is asked to take it over.
func taken(inc *incident.Incident) bool {
	return inc.State == incident.Acknowledged && (inc.Acknowledgement == nil || inc.Acknowledgement.Asked == nil)
}

// notUsefulConfirm says what the button does: nobody would guess it.
func notUsefulConfirm() *slack.ConfirmationBlockObject {
	plain := func(text string) *slack.TextBlockObject {
		return slack.NewTextBlockObject(slack.PlainTextType, text, false, false)
	}
	return slack.NewConfirmationBlockObject(plain("Was this not useful?"),
		plain("Its rule is silenced for this group until the morning, and its lines go into the thread as a case by which the rule can be mended."),
		plain("Silence it"), plain("Cancel"))
}
