package app

import (
	"fmt"
	"io"
	"text/tabwriter"

	"tocsin/internal/web/client"
)

// PrintTrail writes lines of the audit trail as a table.
func PrintTrail(to io.Writer, lines []client.Trace) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LINE\tWHEN\tWHO\tKNOWN BY\tDID\tTO\t")
	for _, t := range lines {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.At.UTC().Format("2006-01-02 15:04:05Z"), plain(t.Who, 80), plain(t.Way, 60), plain(t.Deed, 40), plain(t.About, 60), plain(t.Detail, 200))
	}
	return w.Flush()
}
