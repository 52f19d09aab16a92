package web

import (
	"strings"
	"testing"

	"tocsin/internal/incident"
	"tocsin/internal/store"
	"tocsin/internal/web/client"
)

// TestRecordOfARuleThatIsNotLoaded: of one that nobody knows it is said so, by its name; of one that has fired and is gone there is a record.
func TestRecordOfARuleThatIsNotLoaded(t *testing.T) {
	_, c, s := serve(t, nil)
	if _, err := c.RuleRecord(t.Context(), "NOSUCH", noon); codeOf(err) != client.NotFound || !strings.Contains(err.Error(), "no rule NOSUCH is loaded") {
		t.Errorf("of no rule: %v", err)
	}
	if err := s.Update(t.Context(), func(tx *store.Tx) error {
		return tx.AddFiring(t.Context(), store.Firing{Key: incident.Key{Rule: "gone", Group: "{}"}, At: noon, Mode: incident.Tell})
	}); err != nil {
		t.Fatal(err)
	}
	if rec, err := c.RuleRecord(t.Context(), "gone", noon); err != nil || rec.Fired != 1 {
		t.Errorf("of one that is gone: %+v, %v", rec, err)
	}
}
