package app

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"tocsin/internal/incident"
	"tocsin/internal/web/client"
	"tocsin/internal/words"
)

// plain is text from logs or people for a terminal, on one line.
func plain(text string, most int) string { return words.Terminal(words.Clean(text, most)) }

// PrintIncidents writes a list of incidents as a table. With colour as much of each id is bold as names it among them.
func PrintIncidents(to io.Writer, list client.IncidentList, colour bool) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	ids := make([]string, len(list.Incidents))
	for i := range list.Incidents {
		ids[i] = list.Incidents[i].ID
	}
	enough := distinct(ids)
	bold := func(id string, n int) string {
		if !colour {
			return id
		}
		return "\x1b[1m" + id[:n] + "\x1b[0m" + id[n:] // the same bytes in each row: the columns stay in line
	}
	fmt.Fprintf(w, "%s\tSTATE\tSEVERITY\tSINCE\tTITLE\n", bold("ID", 2))
	for i := range list.Incidents {
		inc := &list.Incidents[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", bold(inc.ID, enough[i]), stateOf(inc), inc.Severity, inc.FirstEntry.Format("01-02 15:04:05Z"), plain(inc.Title, 120))
	}
	return w.Flush()
}

// distinct is for each id how much of its beginning no other has: six characters at least, which is what a command asks for.
func distinct(ids []string) []int {
	sorted := slices.Sorted(slices.Values(ids))
	out := make([]int, len(ids))
	for i, id := range ids {
		n, _ := slices.BinarySearch(sorted, id)
		out[i] = 6
		for _, near := range []int{n - 1, n + 1} {
			if near < 0 || near >= len(sorted) {
				continue
			}
			common := 0
			for common < min(len(id), len(sorted[near])) && id[common] == sorted[near][common] {
				common++
			}
			out[i] = max(out[i], common+1)
		}
		out[i] = min(out[i], len(id))
	}
	return out
}

func stateOf(inc *incident.Incident) string {
	if inc.State == incident.Acknowledged && inc.Acknowledgement != nil { // it is kept when the incident is over
		return "acknowledged by " + plain(inc.Acknowledgement.By, 40)
	}
	return string(inc.State)
}

// PrintIncident writes one incident with its alerts, its timeline and who was told.
func PrintIncident(to io.Writer, d client.Detail) error {
	inc := &d.Incident
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s  %s  %s\n%s\n", inc.ID, inc.Severity, stateOf(inc), plain(inc.Title, 300))
	if a := inc.Alert(inc.Headline); a != nil {
		fmt.Fprintf(w, "\n  %s\n", plain(a.FirstLine.Text, 300))
	}
	for _, h := range inc.Holds {
		fmt.Fprintf(w, "\nheld by %s\n", plain(h.String(), 300))
	}
	fmt.Fprintln(w, "\nALERT\tSTATE\tFIRST\tLAST\tLINES")
	for i := range inc.Alerts {
		a := &inc.Alerts[i]
		fmt.Fprintf(w, "%s %s\t%s\t%s\t%s\t%s\n", a.Rule, plain(a.Group, 120), a.State, a.First.Format(time.TimeOnly), a.Last.Format(time.TimeOnly), words.Lines(a.Count, a.About))
	}
	fmt.Fprintln(w, "\nWHEN\tWHAT\t")
	for i := range d.Events {
		e := &d.Events[i]
		fmt.Fprintf(w, "%s\t%s\t%s\n", e.At.Format("01-02 15:04:05Z"), strings.ReplaceAll(string(e.Kind), "_", " "), plain(e.Text, 300))
	}
	fmt.Fprintln(w, "\nTOLD\tKIND\tROUND\tSTATE\tTRIES\tRECEIPT")
	for i := range d.Notifications {
		n := &d.Notifications[i]
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d\t%s\n", n.Target, n.Kind, n.Round, n.State, n.Attempts, plain(n.Receipt, 80))
	}
	return w.Flush()
}

// PrintDeed writes what a person did to an incident, under the name that it is kept by: of whoever signs in that is their own.
func PrintDeed(to io.Writer, d client.Detail, did, by string) error {
	over := ""
	switch inc := d.Incident; {
	case did == "resolved" && inc.State == incident.Resolved && inc.ResolvedBy != "":
		by = inc.ResolvedBy
	case did == "acknowledged" && inc.State == incident.Acknowledged && inc.Acknowledgement != nil:
		by = inc.Acknowledgement.By
		if from := inc.Acknowledgement.From; from != "" {
			over = ", taken over from " + plain(from, 80)
		}
	}
	_, err := fmt.Fprintf(to, "%s %s by %s%s: %s\n", d.Incident.ID, did, plain(by, 80), over, plain(d.Incident.Title, 200))
	return err
}

// PrintSilence writes a silence and what it hides, or would.
func PrintSilence(to io.Writer, made client.SilenceMade) error {
	if err := PrintSilences(to, made.Silence); err != nil {
		return err
	}
	if len(made.Affected) == 0 {
		_, err := fmt.Fprintln(to, "\nIt matches nothing that is open, and nothing of the last seven days.")
		return err
	}
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nHIDES\tINCIDENT\tSTATE\tSEVERITY\tOPENED\tTITLE")
	for _, a := range made.Affected {
		hides := "yes"
		if !a.Hidden {
			hides = "no: " + plain(a.Why, 120)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", hides, a.ID, a.State, a.Severity, a.OpenedAt.UTC().Format("01-02 15:04:05Z"), plain(a.Title, 120))
	}
	return w.Flush()
}

// PrintWarnings writes what is odd about a silence's matchers, a line each.
func PrintWarnings(to io.Writer, made client.SilenceMade) {
	for _, w := range made.Warnings {
		fmt.Fprintln(to, "warning:", plain(w, 500))
	}
}

// PrintHolding writes the silences and the maintenance windows in force as tables, and below each what it hides now.
func PrintHolding(to io.Writer, list client.SilenceList) error {
	silences := make([]incident.Silence, len(list.Silences))
	for i := range list.Silences {
		silences[i] = list.Silences[i].Silence
	}
	if len(silences) > 0 {
		if err := PrintSilences(to, silences...); err != nil {
			return err
		}
	}
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	if len(list.Maintenance) > 0 {
		fmt.Fprintln(w, "MAINTENANCE\tUNTIL\tREASON")
		for i := range list.Maintenance {
			m := &list.Maintenance[i]
			fmt.Fprintf(w, "%s\t%s\t%s\n", plain(m.Name, 80), m.Until.UTC().Format("01-02 15:04:05Z"), plain(m.Reason, 200))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprintln(w, "HIDES NOW\tINCIDENT\tSEVERITY\tTITLE")
	hides := func(name string, h client.Hidden) {
		for i := range h.Incidents {
			inc := &h.Incidents[i]
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, inc.ID, inc.Severity, plain(inc.Title, 120))
		}
		switch {
		case len(h.Incidents) == 0:
			fmt.Fprintf(w, "%s\tnothing\t\t\n", name)
		case h.More > 0:
			fmt.Fprintf(w, "%s\tand %d more\t\t\n", name, h.More)
		}
	}
	for i := range list.Silences {
		hides("silence "+strconv.FormatInt(list.Silences[i].ID, 10), list.Silences[i].Hides)
	}
	for i := range list.Maintenance {
		hides("maintenance "+plain(list.Maintenance[i].Name, 80), list.Maintenance[i].Hides)
	}
	return w.Flush()
}

// PrintSilences writes a list of silences as a table.
func PrintSilences(to io.Writer, list ...incident.Silence) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tFROM\tUNTIL\tUP TO\tOWNER\tMATCHERS\tREASON")
	for i := range list {
		s := &list[i]
		id, until := "-", s.Ends.UTC().Format("01-02 15:04:05Z")
		if s.ID != 0 {
			id = strconv.FormatInt(s.ID, 10)
		}
		if s.EndedBy != "" {
			until += " (ended by " + plain(s.EndedBy, 40) + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", id, s.Starts.UTC().Format("01-02 15:04:05Z"), until, s.UpTo, plain(s.Owner, 40),
			plain(strings.Join(s.Matchers, " "), 200), plain(s.Reason, 200))
	}
	return w.Flush()
}
