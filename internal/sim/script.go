package sim

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// line is an entry of the log, as a component writes it and Google has it a little later.
type line struct {
	at, received           time.Time
	cluster, service, what string
	id                     string
	severity               string
}

// text is the line as a source reads it. mark goes into its insertId.
func (l *line) text(mark string) string {
	return fmt.Sprintf(`{"logName":"projects/k8s-prow/logs/stderr","insertId":"%s%s","timestamp":"%s","receiveTimestamp":"%s","severity":"%s",`+
		`"resource":{"type":"k8s_container","labels":{"project_id":"k8s-prow","cluster_name":"%s","namespace_name":"default","container_name":"%s"}},`+
		`"jsonPayload":{"msg":"%s"}}`+"\n",
		l.id, mark, l.at.Format(time.RFC3339Nano), l.received.Format(time.RFC3339Nano), l.severity, l.cluster, l.service, l.what)
}

// episode is a time in which something is down, from its first line to the one that says that it is up again.
type episode struct {
	cluster, service string
	from, to         time.Time
}

// span is how long lines are written.
const span = 40 * time.Hour

func (w *World) scriptEnd() time.Time { return w.began.Add(span + time.Hour) }

// write makes up all that is logged in a world, by source: which clusters and services are in trouble when.
func (w *World) write() []*sourceLog {
	s := &script{w: w}
	clusters := 1 + w.input.IntN(3)
	for c := range clusters {
		cluster := fmt.Sprintf("c%d", c)
		if c == 0 && chanceOf(w.input, 0.7) {
			s.beats(cluster)
		}
		for _, service := range []string{"hook", "deck", "tide"}[:1+w.input.IntN(3)] {
			if chanceOf(w.input, 0.8) {
				s.downs(cluster, service)
			}
			if chanceOf(w.input, 0.4) {
				s.bursts(cluster, service, "crash", 2, 6)
			}
			if chanceOf(w.input, 0.3) {
				s.bursts(cluster, service, "slow", 2, 4)
			}
		}
		if chanceOf(w.input, 0.5) {
			s.bursts(cluster, "hook", "config", 3, 8)
		}
		if chanceOf(w.input, 0.2) {
			s.bursts(cluster, "hook", "odd", 1, 3)
		}
	}
	s.wellAgain(clusters)
	s.leaks(clusters)
	w.model.episodes = s.episodes
	odd, even := &sourceLog{name: "odd"}, &sourceLog{name: "even"}
	slices.SortStableFunc(s.lines, func(a, b line) int {
		return cmp.Or(a.received.Compare(b.received), cmp.Compare(a.id, b.id))
	})
	for _, l := range s.lines {
		if l.cluster == "c1" {
			odd.lines = append(odd.lines, l)
		} else {
			even.lines = append(even.lines, l)
		}
	}
	return []*sourceLog{even, odd}
}

// script is write at work.
type script struct {
	w        *World
	lines    []line
	episodes []episode
}

func (s *script) between(least, most time.Duration) time.Duration {
	return between(s.w.input, least, most)
}

func (s *script) add(at time.Time, cluster, service, what, severity string) {
	late := s.between(0, 2*time.Second)
	if chanceOf(s.w.input, s.w.weather.late) {
		late = s.between(2*time.Second, 25*time.Second)
	}
	s.lines = append(s.lines, line{at: at, received: at.Add(late), cluster: cluster, service: service, what: what, severity: severity,
		id: fmt.Sprintf("%d-%s-", len(s.lines), cluster)})
}

// long is a duration of which most are short: from least up to most.
func (s *script) long(least, most time.Duration) time.Duration {
	d := least
	for d < most && s.w.input.IntN(3) > 0 {
		d += s.between(least/2, least*2)
	}
	return min(d, most)
}

// downs lets a service fail again and again.
func (s *script) downs(cluster, service string) {
	at := s.w.began.Add(s.between(time.Minute, 6*time.Hour))
	for at.Before(s.w.began.Add(span - 2*time.Hour)) {
		to := at.Add(s.long(2*time.Minute, 6*time.Hour))
		if chanceOf(s.w.input, 0.3) {
			to = at.Add(s.between(20*time.Minute, 5*time.Hour))
		}
		s.episodes = append(s.episodes, episode{cluster: cluster, service: service, from: at, to: to})
		for n, t := 0, at; t.Before(to) && n < 12; n++ {
			s.add(t, cluster, service, "down", "ERROR")
			t = t.Add(s.between(time.Second, 10*time.Minute))
		}
		s.add(to, cluster, service, "up", "INFO")
		at = to.Add(s.between(3*time.Minute, 8*time.Hour))
	}
}

// bursts are lines of one kind close together, with signs of life behind them.
func (s *script) bursts(cluster, service, what string, least, most int) {
	at := s.w.began.Add(s.between(time.Minute, 8*time.Hour))
	for at.Before(s.w.began.Add(span - 3*time.Hour)) {
		for range least + s.w.input.IntN(most) {
			s.add(at, cluster, service, what, "ERROR")
			at = at.Add(s.between(time.Second, 2*time.Minute))
		}
		for alive := at; alive.Before(at.Add(45 * time.Minute)); alive = alive.Add(4 * time.Minute) {
			s.add(alive, cluster, service, "fine", "INFO")
		}
		if what == "odd" {
			s.add(at.Add(10*time.Minute), cluster, service, "even", "INFO") // its own word: "up" would end what is down
		}
		at = at.Add(s.between(30*time.Minute, 12*time.Hour))
	}
}

// wellAgain are the signs of life at the end, by which all that has been quiet ends.
func (s *script) wellAgain(clusters int) {
	for at := s.w.scriptEnd().Add(10 * time.Minute); at.Before(s.w.scriptEnd().Add(70 * time.Minute)); at = at.Add(4 * time.Minute) {
		for c := range clusters {
			for _, service := range []string{"hook", "deck", "tide"} {
				s.add(at, fmt.Sprintf("c%d", c), service, "fine", "INFO")
			}
		}
	}
}

// beats are signs of life that cease now and then.
func (s *script) beats(cluster string) {
	for at := s.w.began.Add(time.Minute); at.Before(s.w.began.Add(span)); {
		s.add(at, cluster, "beat", "beat", "INFO")
		at = at.Add(s.between(5*time.Minute, 9*time.Minute))
		if chanceOf(s.w.input, 0.01) {
			at = at.Add(s.between(10*time.Minute, 2*time.Hour))
		}
	}
}
