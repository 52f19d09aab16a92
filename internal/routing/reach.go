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
	return r.Possible(func(label string) (string, bool) { return severity.String(), label == "severity" })
}

// Possible are the routes by which an incident may go of whose labels only those are known for which known says true.
func (r *Router) Possible(known func(label string) (value string, ok bool)) []Reached {
	return r.root.reach(known, nil)
}

func (n *node) reach(known func(string) (string, bool), to []Reached) []Reached {
	taken := false // whether one of the routes inside takes every such incident
	for _, child := range n.routes {
		may, surely := child.takes(known)
		if !may {
			continue
		}
		to = child.reach(known, to)
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

// takes says whether the route may match such an incident, and whether it surely does.
func (n *node) takes(known func(string) (string, bool)) (may, surely bool) {
	surely = true
	for _, m := range n.matchers {
		if value, ok := known(m.Name); !ok {
			surely = false
		} else if !m.Matches(value) {
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

// Names says whether a route, reached or not, names the policy.
func (r *Router) Names(policy string) bool {
	return r.root.any(func(n *node) bool { return n.policy == policy })
}

// Tells says whether a route, reached or not, names the receiver.
func (r *Router) Tells(receiver string) bool {
	return r.root.any(func(n *node) bool { return n.receiver == receiver })
}

// any says whether something holds for the route or one inside it.
func (n *node) any(holds func(*node) bool) bool {
	return holds(n) || slices.ContainsFunc(n.routes, func(child *node) bool { return child.any(holds) })
}
