package outbox

import "tocsin/internal/incident"

// calls says whether a row calls somebody in its incident's name: a page, or what a person is told directly, as long as it has not come.
func (c *claimer) calls(n *incident.Notification) bool {
	switch {
	case n.Kind == incident.Call:
		return true
	case !c.o.o.Targets[n.Target].Traits.Direct || c.incidents[n.Incident].IsStorm():
		return false
	case n.Kind == incident.Message:
		return n.Receipt == "" && n.SentAt.IsZero()
	}
	return n.Kind == incident.Post && n.Rings
}

// answered says why nobody is to be called by n any more; "" if somebody is.
func answered(inc *incident.Incident, n *incident.Notification) string {
	switch ack := inc.Acknowledgement; {
	case inc.State == incident.Resolved:
		return "resolved"
	case inc.State == incident.Merged:
		return "merged"
	case inc.State == incident.Acknowledged && ack != nil && !n.CreatedAt.After(ack.Since()) && !inc.Asks(n):
		return "acknowledged"
	case inc.Muzzled():
		return "held" // when nothing holds it any more its policy begins anew
	}
	return ""
}
