package sim

import (
	"container/heap"
	"time"
)

// event is something that happens in the world at a time, outside of the service: a line is written, a request arrives, a person
// answers, something breaks.
type event struct {
	at  time.Time
	seq int
	do  func()
}

// agenda holds the events to come. Of two at one instant the one that was put in first comes first.
type agenda struct {
	events []event
	seq    int
}

func (a *agenda) Len() int { return len(a.events) }
func (a *agenda) Less(i, j int) bool {
	x, y := &a.events[i], &a.events[j]
	return x.at.Before(y.at) || x.at.Equal(y.at) && x.seq < y.seq
}
func (a *agenda) Swap(i, j int) { a.events[i], a.events[j] = a.events[j], a.events[i] }
func (a *agenda) Push(x any)    { a.events = append(a.events, x.(event)) }
func (a *agenda) Pop() any {
	last := a.events[len(a.events)-1]
	a.events = a.events[:len(a.events)-1]
	return last
}

// add puts an event in.
func (a *agenda) add(at time.Time, do func()) {
	a.seq++
	heap.Push(a, event{at: at, seq: a.seq, do: do})
}

// next is when the next event is; zero for none.
func (a *agenda) next() time.Time {
	if len(a.events) == 0 {
		return time.Time{}
	}
	return a.events[0].at
}

// take takes the next event out.
func (a *agenda) take() event { return heap.Pop(a).(event) }
