package notifiers

import (
	"testing"

	"github.com/slack-go/slack"

	"tocsin/internal/incident"
)

// TestAcknowledgeIsOfferedToWhoeverIsAsked: what somebody has needs no acknowledge, until another is asked to take it over.
func TestAcknowledgeIsOfferedToWhoeverIsAsked(t *testing.T) {
	s := &slackNotifier{settings: Slack{SigningSecretFile: "secret"}}
	for name, c := range map[string]struct {
		inc  incident.Incident
		want string
	}{
		"nobody has it":    {incident.Incident{State: incident.Open}, "Acknowledge"},
		"ana has it":       {incident.Incident{State: incident.Acknowledged, Acknowledgement: &incident.Acknowledgement{By: "ana"}}, "Resolve"},
		"ben is asked":     {incident.Incident{State: incident.Acknowledged, Acknowledgement: &incident.Acknowledgement{By: "ana", Asked: &incident.Asked{}}}, "Acknowledge"},
		"nothing any more": {incident.Incident{State: incident.Resolved}, ""},
	} {
		got := ""
		if row, ok := s.buttons(&Notice{Incident: c.inc, Notification: incident.Notification{Kind: incident.Message}}).(*slack.ActionBlock); ok {
			got = row.Elements.ElementSet[0].(*slack.ButtonBlockElement).Text.Text
		}
		if got != c.want {
			t.Errorf("%s: the first button is %q, want %q", name, got, c.want)
		}
	}
}
