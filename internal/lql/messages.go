package lql

import (
	"slices"

	"tocsin/internal/logs"
)

// messages calls f with every message of a batch of protocol buffers and its entry, of which that is read what the filters ask for
// that may match it; those are in asked then. Each message is walked, because its bytes alone do not tell whether its text is there
// as it is.
func (sc *scanner) messages(b logs.Batch, f func(message []byte, offset int, e *logs.Entry)) {
	lines := sc.plan
	sc.plan = sc.wire()
	sc.hits = sc.hits[:0]
	for _, g := range sc.grams {
		sc.hits = g.find(b.Data, 0, len(b.Data), sc.hits)
	}
	slices.SortFunc(sc.hits, func(a, b hit) int { return a.at - b.at })
	hits := sc.hits
	b.EachMessage(func(message []byte, offset, end int) {
		n := 0
		for n < len(hits) && hits[n].at < end {
			n++
		}
		e := sc.readMessage(message, hits[:n])
		hits = hits[n:]
		f(message, offset, e)
	})
	sc.plan = lines
}

// readMessage is read for a message.
func (sc *scanner) readMessage(message []byte, hits []hit) *logs.Entry {
	sc.asked = sc.asked[:0]
	for _, h := range hits {
		sc.ask(h.needle)
	}
	want := sc.restWant
	if len(sc.asked) > 0 {
		want = sc.want
	}
	if slices.ContainsFunc(sc.asked, func(i int) bool { return sc.whole[i] }) {
		want = everything
	}
	e, odd := sc.picker.Message(message, want)
	if odd && len(sc.pointed) > 0 {
		// What a needle stands for may be here in another form.
		if want != everything {
			e, _ = sc.picker.Message(message, everything)
		}
		sc.askHidden(e)
	}
	sc.begin()
	sc.settle(e)
	return e
}
