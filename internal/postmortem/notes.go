package postmortem

import (
	"fmt"
	"slices"
	"strings"

	"tocsin/internal/incident"
	"tocsin/internal/words"
)

// Note is what to write into the channel once it is over: start, impact, state, what was done. It is Slack's mrkdwn, and what is from
// logs in it can mention nobody.
func Note(r *Record) string {
	d := &draft{Record: r, lags: LagsOf(r)}
	plain := func(s string) string { return words.SlackLine(s, titleLength) }
	var b strings.Builder
	fmt.Fprintf(&b, "*%s*\n", plain(r.Incident.Title))
	fmt.Fprintf(&b, "*Start:* %s\n", moment(d.lags.First))
	fmt.Fprintf(&b, "*Impact:* %s\n", d.effect(plain))
	fmt.Fprintf(&b, "*State:* %s\n", d.standing(plain))
	fmt.Fprintf(&b, "*What was done:* %s\n", Todo)
	fmt.Fprintf(&b, "A post-mortem follows: %s\n", Todo)
	return b.String()
}

// Mail is the mail to the developers' list, with its subject, as plain text.
func Mail(r *Record) string {
	d := &draft{Record: r, lags: LagsOf(r)}
	plain := func(s string) string { return words.Clean(s, titleLength) }
	state := "ongoing"
	if !d.lags.Resolved.IsZero() {
		state = "over"
	}
	where := plain(r.Incident.Project)
	if r.Incident.Cluster != "" {
		where = "cluster " + plain(r.Incident.Cluster) + ", project " + where
	}
	var b strings.Builder
	fmt.Fprintf(&b, "To: %s (the developers' list)\n", Todo)
	fmt.Fprintf(&b, "Subject: [%s] %s\n\n", state, plain(r.Incident.Title))
	fmt.Fprintf(&b, "Hello,\n\nthere was an incident in %s.\n\n", where)
	fmt.Fprintf(&b, "What:    %s\n", plain(r.Incident.Title))
	fmt.Fprintf(&b, "Start:   %s\n", moment(d.lags.First))
	fmt.Fprintf(&b, "Impact:  %s\n", d.effect(plain))
	fmt.Fprintf(&b, "State:   %s\n", d.standing(plain))
	fmt.Fprintf(&b, "Done:    %s\n", Todo)
	fmt.Fprintf(&b, "For you: %s: what has to be done again (comments, pushes, jobs), if anything\n\n", Todo)
	fmt.Fprintf(&b, "A post-mortem follows: %s\n", Todo)
	return b.String()
}

// effect is the impact in a sentence; plain makes names fit for where it goes.
func (d *draft) effect(plain func(string) string) string {
	var names []string
	down := !d.lags.Down.IsZero()
	for _, a := range d.alerts() {
		if name := plain(a.Service()); name != "" && (a.Impact == incident.Down || !down) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	who := words.Names(names, 5)
	if who == "" {
		who = "the service"
	}
	if down {
		return fmt.Sprintf("%s answered nobody from %s to %s (%s). %s: what users saw", who, moment(d.lags.Down), moment(d.lags.Up),
			words.Duration(d.lags.Up.Sub(d.lags.Down)), Todo)
	}
	return fmt.Sprintf("trouble in %s. %s: what users saw", who, Todo)
}

// standing says whether it is over.
func (d *draft) standing(plain func(string) string) string {
	l := &d.lags
	switch {
	case !l.Resolved.IsZero():
		return fmt.Sprintf("over since %s, after %s", moment(l.Resolved), words.Duration(l.Resolved.Sub(l.First)))
	case !l.Acknowledged.IsZero():
		return "not over; " + plain(l.By) + " has it"
	}
	return "not over"
}
