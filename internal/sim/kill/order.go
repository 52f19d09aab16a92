package main

import "tocsin/internal/fakes"

// inOrder judges the order in which the pager took events, key by key. A trigger behind a resolve of its key rings for what is over: that must
// never be. A resolve of which no trigger has come is counted and not judged: whoever was killed in the middle of a call cannot know whether the
// trigger came, and must resolve its key all the same, once none can be on its way any more. If one came then, it would be behind the resolve. Where processes were frozen beyond their lives such a trigger is not
// judged by itself: nobody can fence a call of theirs at the pager (it is judged by what it leaves there, see pagesLeft).
func (r *report) inOrder(events []fakes.PagerDutyRequest) {
	triggered, resolved := map[string]bool{}, map[string]bool{}
	for _, e := range events {
		switch {
		case e.Action == "trigger" && resolved[e.Key]:
			r.blame(&r.pagesBehind, 1, "a trigger of %s came behind its resolve", e.Key)
		case e.Action == "trigger":
			triggered[e.Key] = true
		case e.Action == "resolve":
			if !triggered[e.Key] && !resolved[e.Key] {
				r.resolvesAlone++
			}
			resolved[e.Key] = true
		}
	}
}
