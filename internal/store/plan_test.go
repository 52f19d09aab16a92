package store

import (
	"context"
	"strings"
	"testing"
)

// TestHotQueriesUseTheirIndex: what every step asks must not read whole tables, nor sort all to take a few.
func TestHotQueriesUseTheirIndex(t *testing.T) {
	s := opened(t)
	// By these indexes, and by nothing else: they are in the order that is asked for.
	alone := map[string]string{
		"due incidents": "incidents_due", "last due incidents": "incidents_due",
		"open blind spans": "blind_spans_open", "newest blind spans": "blind_spans_newest",
	}
	for name, q := range map[string]struct {
		text string
		args []any
	}{
		"due states":           {selectDueStates, []any{1, 1}},
		"next state":           {selectNextState, nil},
		"due incidents":        {selectDueIncidents, []any{1, 1}},
		"last due incidents":   {selectLastDue, []any{1, 1}},
		"next incident":        {selectNextIncident, nil},
		"related":              {selectRelated, []any{"p", 1}},
		"near":                 {selectNear, []any{"p", 1, "c", "r", "g"}},
		"newest incidents":     {selectIncidentsNewest, []any{1}},
		"firing alert":         {selectFiring, []any{"r", "g"}},
		"due rows":             {selectDueAny, []any{1, 1, 1}},
		"due rows of one":      {selectDueTarget, []any{1, 1, 1, "t"}},
		"next row":             {selectNextAny, nil},
		"next row of one":      {selectNextTarget, []any{"t"}},
		"rows to be settled":   {selectNextSettle, []any{1, ""}},
		"calls nobody took":    {selectUnheard, []any{"t"}},
		"posts nobody took":    {selectUnheardPosts, []any{"t"}},
		"a post that waits":    {selectWaitingPost, []any{"t", 1}},
		"a call that waits":    {selectWaitingCall, []any{"t", 1}},
		"message of a receipt": {selectByReceipt, []any{"r"}},
		"rows of an incident":  {selectNotificationsOf, []any{"i"}},
		"trouble of a kind":    {selectTroubleOf, []any{"k", "{}"}},
		"standing troubles":    {selectStanding, nil},
		"troubles to be read":  {selectTroubles, []any{1, 10}},
		"oldest call":          {selectOldestCall, nil},
		"overrides":            {selectOverrides, []any{"s", 1}},
		"open blind spans":     {selectOpenBlind, nil},
		"newest blind spans":   {selectBlindSpans, []any{1}},
		"blindness":            {sumBlind, []any{1}},
		"what was handed over": {selectHanded, []any{"s", 1, 1}},
		"series of a probe":    {selectProbePoints, []any{"p", 1, 2}},
		"when a probe failed":  {selectProbeFailures, []any{"p", 1, 2}},
		"series of a rule":     {selectRulePoints, []any{"r", 1}},
		"old points":           {pruneProbes, []any{1, 1}},
		"old points of rules":  {pruneRules, []any{1, 1}},
		"timeline":             {selectEvents + " WHERE incident = $1 ORDER BY id", []any{"i"}},
	} {
		view(t, s, func(ctx context.Context, tx *Tx) error {
			plan, err := list(ctx, tx, func(r row, line *string) error {
				var a, b, c any
				return r.Scan(&a, &b, &c, line)
			}, "EXPLAIN QUERY PLAN "+q.text, q.args...)
			for _, line := range plan {
				if strings.HasPrefix(line, "SCAN") && !strings.Contains(line, "INDEX") {
					t.Errorf("%s: %s", name, strings.Join(plan, "; "))
				}
			}
			if index := alone[name]; index != "" && (len(plan) != 1 || !strings.Contains(plan[0], "INDEX "+index)) {
				t.Errorf("%s: %s, want %s alone", name, strings.Join(plan, "; "), index)
			}
			return err
		})
	}
}
