package routing

import (
	"slices"

	"tocsin/internal/incident"
)

// Reached is a route that takes some incidents, with what it does about them.
type Reached struct {
	// Path is the route's, from the outermost: "routes.1.routes.0"; empty for that itself.
	Path string
	// Receiver and Policy are the route's own or inherited; Policy is "" for none.
	Receiver, Policy string
}

// Reach are the routes by which an incident of that severity may go, whatever its other labels are.
func (r *Router) Reach(severity incident.Severity) []Reached {
	return r.root.reach(severity.String(), nil)
}

func (n *node) reach(severity string, to []Reached) []Reached {
	taken := false // whether one of the routes inside takes every incident of that severity
	for _, child := range n.routes {
		may, surely := child.takes(severity)
		if !may {
			continue
		}
		to = child.reach(severity, to)
		taken = taken || surely
		if surely && !child.goesOn {
			break
		}
	}
	if taken {
		return to
	}
	return append(to, Reached{Path: n.path, Receiver: n.receiver, Policy: n.policy})
}

// takes says whether the route may match an incident of that severity, and whether it surely does.
func (n *node) takes(severity string) (may, surely bool) {
	surely = true
	for _, m := range n.matchers {
		if m.Name != "severity" {
			surely = false
		} else if !m.Matches(severity) {
			return false, false
		}
	}
	return true, surely
}

// Users are the routes that run a policy.
func (r *Router) Users(policy string) []Reached {
	var out []Reached
	for s := incident.Info; s <= incident.Critical; s++ {
		for _, reached := range r.Reach(s) {
			if reached.Policy == policy && !slices.Contains(out, reached) {
				out = append(out, reached)
			}
		}
	}
	return out
}
