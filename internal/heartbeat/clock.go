package heartbeat

import "time"

// Clock notices when the wall clock goes otherwise than time does: it was set, or the machine slept. The zero value is ready.
type Clock struct {
	wall time.Time
	mono time.Duration
	set  bool
}

// jumped is by how much the two may differ between two looks.
const jumped = 10 * time.Second

// Look takes the wall clock and the time of a clock that nobody sets, and says by how much the wall clock has gone ahead (negative:
// back) since the last look, if it is more than can be explained, else 0.
func (c *Clock) Look(wall time.Time, mono time.Duration) time.Duration {
	wall = wall.Round(0) // without the reading of the other clock, which Sub would use
	off := wall.Sub(c.wall) - (mono - c.mono)
	first := !c.set
	c.wall, c.mono, c.set = wall, mono, true
	if first || off.Abs() < jumped {
		return 0
	}
	return off
}
