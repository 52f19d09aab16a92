package store

import (
	"context"
	"strings"
	"testing"
)

// TestHotQueriesUseTheirIndex: what every step asks must not read whole tables.
func TestHotQueriesUseTheirIndex(t *testing.T) {
	s := opened(t)
	for name, q := range map[string]struct {
		text string
		args []any
	}{
		"due states":          {selectDueStates, []any{1, 1}},
		"next state":          {selectNextState, nil},
		"due incidents":       {selectDueIncidents, []any{1, 1}},
		"next incident":       {selectNextIncident, nil},
		"related":             {selectRelated, []any{"p", 1}},
		"near":                {selectNear, []any{"p", 1, "c", "r", "g"}},
		"newest incidents":    {selectIncidentsNewest, []any{1}},
		"firing alert":        {selectFiring, []any{"r", "g"}},
		"due rows":            {selectDueAny, []any{1, 1, 1}},
		"due rows of one":     {selectDueTarget, []any{1, 1, 1, "t"}},
		"next row":            {selectNextAny, nil},
		"next row of one":     {selectNextTarget, []any{"t"}},
		"rows to be settled":  {selectNextSettle, []any{1, ""}},
		"calls nobody took":   {selectUnheard, []any{"t"}},
		"posts nobody took":   {selectUnheardPosts, []any{"t"}},
		"a post that waits":   {selectWaitingPost, []any{"t", 1}},
		"a call that waits":   {selectWaitingCall, []any{"t", 1}},
		"rows of an incident": {selectNotificationsOf, []any{"i"}},
		"trouble of a kind":   {selectTroubleOf, []any{"k", "{}"}},
		"standing troubles":   {selectStanding, nil},
		"troubles to be read": {selectTroubles, []any{1, 10}},
		"oldest call":         {selectOldestCall, nil},
		"overrides":           {selectOverrides, []any{"s", 1}},
		"timeline":            {selectEvents + " WHERE incident = $1 ORDER BY id", []any{"i"}},
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
			return err
		})
	}
}
