package incident

import "slices"

// unsaid says that a message waits and has surely told nobody yet.
func unsaid(row *Notification) bool { return row.State == Pending && untold(row) }

// unsay cancels a message that was not sent yet, and what waits to be said under it.
func (s *settling) unsay(row *Notification, cause string) {
	for i := range s.have {
		if n := &s.have[i]; n == row || n.Kind == Post && n.Target == row.Target && n.State == Pending {
			s.cancel(n, cause)
		}
	}
}

// untold says whether a message has told nobody, for sure, and is not on its way.
func untold(row *Notification) bool {
	return row.Receipt == "" && row.SentAt.IsZero() && !row.Unclear && (row.State == Pending || row.State == Cancelled)
}

// uncall takes back what would call a person directly once somebody has the incident, or it is over. It says whether they have not been
// told of it: then they are told no more, until a step calls them again.
func (s *settling) uncall(row *Notification) bool {
	silent := untold(row)
	if s.inc.State == Open || s.inc.Asks(row) {
		return silent && row.State == Cancelled
	}
	cause := string(s.inc.State)
	if unsaid(row) {
		s.unsay(row, cause)
	}
	s.cancelRings(row.Target, cause)
	return silent
}

// cancelRings cancels the posts that would ring at a target.
func (s *settling) cancelRings(target, cause string) {
	for i := range s.have {
		if n := &s.have[i]; n.Kind == Post && n.Target == target && n.Rings && n.State == Pending && !n.Unclear && !s.inc.Asks(n) {
			s.cancel(n, cause)
		}
	}
}

// calls takes back what rings, or would, once somebody has it or it is over.
func (s *settling) calls() {
	kind, cause := CallResolve, "resolved"
	switch {
	case s.c.superseded:
		cause = "superseded"
	case s.inc.State == Acknowledged: // held or not: who was called before must see that somebody has it
		kind, cause = CallAcknowledge, "acknowledged"
	case s.inc.State == Resolved:
	case s.inc.Muzzled():
		s.holdCalls()
		return
	default:
		return
	}
	for i := range s.have {
		n := &s.have[i]
		if n.Kind != Call || n.State == Cancelled && kind != CallResolve || s.inc.Asks(n) {
			continue
		}
		if kind == CallAcknowledge && n.CreatedAt.After(s.inc.Acknowledgement.Since()) {
			continue // somebody called since, by name
		}
		came := arrived(n) || !n.SentAt.IsZero() // one that was cancelled on its way may have come all the same
		if n.State == Pending {
			s.cancel(n, cause)
		}
		if !came || n.Target == s.c.said.Receiver && n.Key == s.c.said.Key || !s.desk.Traits[n.Target].Pages {
			continue
		}
		// An acknowledge has no reason of its own: to the pager both end the ringing, and its kind says which it is.
		row := &Notification{Incident: s.inc.ID, Target: n.Target, Kind: kind, Round: n.Round, Key: n.Key, Reason: ReasonResolved,
			State: Pending, CreatedAt: s.b.now, Due: s.b.now}
		switch {
		case kind == CallResolve:
			s.out.Add = append(s.out.Add, row)
		case s.tellsAcknowledge(row):
		case len(s.c.events) == 0:
			s.out.Add = append(s.out.Add, row)
		default:
			s.out.Posts = append(s.out.Posts, ThreadPost{Event: s.acknowledgedBy(), Notification: row})
		}
	}
}

// tellsAcknowledge says whether a row tells, or will, what another is to tell: that its key is acknowledged as it is now. What was told of an
// acknowledge before does not: it was taken back, or the pager's own time for it may be over and the key ring again.
func (s *settling) tellsAcknowledge(row *Notification) bool {
	return slices.ContainsFunc(s.have, func(n Notification) bool {
		return n.Kind == row.Kind && n.Target == row.Target && n.Key == row.Key &&
			(n.State == Pending || n.State != Cancelled && !n.CreatedAt.Before(s.inc.Acknowledgement.Since()))
	})
}

// acknowledgedBy is the event of this change by which the incident is acknowledged: the word of who has it, else what it was taken over with.
func (s *settling) acknowledgedBy() *Event {
	for _, e := range slices.Backward(s.c.events) {
		if e.Kind == EventAcknowledged {
			return e
		}
	}
	return s.c.events[len(s.c.events)-1]
}

// holdCalls takes back what has not been sent: once nothing holds it any more, the policy begins anew.
func (s *settling) holdCalls() {
	for i := range s.have {
		n := &s.have[i]
		switch {
		case n.ID == 0: // it is of this change, which refuses it
		case n.Kind == Call && n.State == Pending && !arrived(n):
			s.cancel(n, "held")
		case n.Kind == Message && s.desk.Traits[n.Target].Direct:
			if unsaid(n) {
				s.unsay(n, "held")
			}
			s.cancelRings(n.Target, "held")
		}
	}
}
