package lql

import (
	"math/bits"
	"strings"
)

// walk is a text of up to n characters that is hard for the program: of some classes drawn for each character one is taken that
// leaves the most threads alive, or one that leaves nearly as many as there were, and none that ends the search. alive is how many
// that is at most, and branches says that there are more states than a table holds.
func (a *automaton) walk(n int) (text string, alive int, branches bool) {
	t := a.newTable()
	var b strings.Builder
	state, now, dice := a.first(), 0, uint64(1)
	draw := func(n int) int {
		dice = dice*6364136223846793005 + 1442695040888963407
		return int(dice>>40) % n
	}
	for range n {
		greedy := draw(2) == 0
		to, most, taken := dead, -1, 0
		for range 8 {
			class := draw(len(a.some) - 1)
			next := a.step(t, state, class)
			if next < 0 || a.step(t, next, class) == accepted { // a match is told by the step behind it
				continue
			}
			left := a.alive(t, next)
			if left > most {
				to, most, taken = next, left, class
			}
			if !greedy && left > now*3/4 {
				break
			}
		}
		if to < 0 || len(t.kinds) > 4*mostStates {
			break
		}
		alive = max(alive, most)
		b.WriteRune(a.some[taken])
		state, now = to, most
	}
	return b.String(), alive, len(t.kinds) > mostStates
}

// alive is how many instructions a state goes on at.
func (a *automaton) alive(t *table, state int32) int {
	n := 0
	number := int(state) / len(a.some)
	for _, w := range t.sets[(number-1)*a.words : number*a.words] {
		n += bits.OnesCount64(w)
	}
	return n
}
