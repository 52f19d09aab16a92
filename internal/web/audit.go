package web

import (
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"

	"tocsin/internal/access"
	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

// listTrail gives the newest lines of the audit trail, or those before ?before=NUMBER.
func (s *server) listTrail(w http.ResponseWriter, r *http.Request) error {
	before := int64(math.MaxInt64)
	if text := r.URL.Query().Get("before"); text != "" {
		var err error
		if before, err = strconv.ParseInt(text, 10, 64); err != nil || before < 1 {
			return invalid(fmt.Sprintf("before is the number of a line, not %q", clean(text, 50)))
		}
	}
	var lines []store.Trace
	err := s.Store.View(r.Context(), func(tx *store.Tx) (err error) {
		lines, err = tx.TracesBefore(r.Context(), before, mostLimit)
		return err
	})
	if err != nil {
		return err
	}
	out := client.Trail{Lines: []client.Trace{}}
	for _, t := range lines {
		out.Lines = append(out.Lines, client.Trace(t))
	}
	if n := len(lines); n == mostLimit && lines[n-1].ID > 1 {
		out.Next = lines[n-1].ID
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// anyHead is the form of a head: what is only mistyped is not told as a broken trail.
var anyHead = regexp.MustCompile(`^[1-9][0-9]{0,18}:[0-9a-f]{64}$`)

// verifyTrail looks for the first line of the audit trail that is not as it was written; ?head= is one that was told before.
func (s *server) verifyTrail(w http.ResponseWriter, r *http.Request) error {
	head := r.URL.Query().Get("head")
	if head != "" && !anyHead.MatchString(head) {
		return invalid("head is no head of the audit trail: write it as it was printed, NUMBER:HASH, with all 64 digits and letters of the hash")
	}
	var verdict access.Verdict
	err := s.Store.View(r.Context(), func(tx *store.Tx) (err error) {
		verdict, err = access.Verify(r.Context(), tx, head)
		return err
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, client.Verdict(verdict))
	return nil
}
