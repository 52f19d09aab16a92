//go:build !race

package escalation

// nightsInTest is how many nights TestWhatAlwaysHolds plays.
const nightsInTest uint64 = 16
