package web

import (
	"fmt"
	"time"

	"tocsin/internal/incident"
)

// toldOf words a notification: what was said to whom, whether it arrived, and by what one can find it there.
func toldOf(n incident.Notification, now time.Time) toldView {
	v := toldView{When: exactly(n.CreatedAt, now), Who: clean(n.Target, titleLength), What: whatWasSaid(n), Receipt: clean(n.Receipt, titleLength)}
	if !n.SentAt.IsZero() {
		v.When = exactly(n.SentAt, now)
	}
	if n.LastError != "" && n.State != incident.Sent && n.State != incident.Cancelled {
		v.Trouble = clean(n.LastError, 500)
		if n.Unclear {
			v.Trouble += " (it may have arrived)"
		}
	}
	tried := ", " + tries(n.Attempts)
	if n.Attempts == 0 {
		tried = ""
	}
	switch n.State {
	case incident.Sent:
		v.State, v.Tone = "sent"+tried, "ok"
	case incident.Cancelled:
		v.State, v.Tone = "not needed: "+clean(n.Cause, titleLength), "soft"
	case incident.InFlight:
		v.State, v.Tone = "on its way"+tried, "warning"
	default:
		v.State, v.Tone = "waiting"+tried, "warning"
		if n.Due.After(now) {
			v.State += ", next " + exactly(n.Due, now).Ago
		}
		if n.LastError != "" {
			v.Tone = "critical"
		}
	}
	return v
}

func whatWasSaid(n incident.Notification) string {
	text := clean(n.Text, titleLength)
	with := func(what string) string {
		if text == "" {
			return what
		}
		return what + ": " + text
	}
	switch n.Kind {
	case incident.Message:
		switch {
		case n.SentRevision == 0:
			return with("message, " + string(n.Reason))
		case n.Wanted > n.SentRevision:
			return with(fmt.Sprintf("message, revision %d; an edit waits", n.SentRevision))
		}
		return with(fmt.Sprintf("message, revision %d", n.SentRevision))
	case incident.Post:
		return with("in its thread")
	case incident.Call:
		return with(fmt.Sprintf("call, round %d", n.Round))
	case incident.CallAcknowledge:
		return with("to the pager: somebody has it")
	case incident.CallResolve:
		return with("to the pager: it is over")
	}
	return with(clean(string(n.Kind), 60))
}

// eventWords are the kinds of events as people say them, and their class.
var eventWords = map[incident.EventKind]struct{ word, tone string }{
	incident.EventOpened:       {"opened", "bad"},
	incident.EventAlertFired:   {"alert", "bad"},
	incident.EventAlertOver:    {"over", "good"},
	incident.EventRaised:       {"raised", "bad"},
	incident.EventLowered:      {"lowered", "plain"},
	incident.EventHeadline:     {"headline", "plain"},
	incident.EventAcknowledged: {"acknowledged", "good"},
	incident.EventAckTakenBack: {"taken back", "bad"},
	incident.EventEscalated:    {"escalated", "bad"},
	incident.EventNobody:       {"nobody answered", "bad"},
	incident.EventGap:          {"nobody on call", "bad"},
	incident.EventResolved:     {"resolved", "good"},
	incident.EventReopened:     {"reopened", "bad"},
	incident.EventMerged:       {"merged", "plain"},
	incident.EventSplit:        {"split off", "plain"},
	incident.EventAsked:        {"asked", "plain"},
	incident.EventShift:        {"change of shift", "plain"},
	incident.EventRerouted:     {"rerouted", "plain"},
	incident.EventSent:         {"told", "plain"},
	incident.EventFailed:       {"not delivered", "bad"},
	incident.EventNote:         {"note", "plain"},
	incident.EventCase:         {"case", "plain"},
}

func eventOf(e incident.Event, now time.Time) eventView {
	words, ok := eventWords[e.Kind]
	if !ok {
		words.word, words.tone = clean(string(e.Kind), 60), "plain"
	}
	return eventView{When: exactly(e.At, now), Kind: words.word, Tone: words.tone, Text: cleanLines(e.Text, noteLength),
		By: clean(e.By, titleLength), Of: clean(e.Alert.Rule, titleLength), Lines: linesOf(e.Lines, now)}
}
