package cloudlog

// Figures are what a source did since it was made.
type Figures struct {
	// Tailed and Listed entries came; of both together Passed were not handed on: they had come before, or come again.
	Tailed, Listed, Passed int64
	// Missed entries were listed that the tail should have given, Suppressed at the least the API says that it left out.
	Missed, Suppressed int64
	// Sessions of the tail were opened, Breaks of them ended by an error; Calls lists were asked for.
	Sessions, Breaks, Calls int64
	// Trusted spans had more than could be listed and are taken on the tail's word.
	Trusted int64
}

// Figures are what the source did so far.
func (s *Source) Figures() Figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.figures
}

func (s *Source) count(change func(f *Figures)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.figures)
}

// Counts are the figures by name, for the metrics.
func (s *Source) Counts() map[string]int64 {
	f := s.Figures()
	return map[string]int64{"tailed": f.Tailed, "listed": f.Listed, "missed": f.Missed, "suppressed": f.Suppressed,
		"tail_session": f.Sessions, "tail_break": f.Breaks, "list_call": f.Calls, "trusted_span": f.Trusted}
}
