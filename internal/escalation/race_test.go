//go:build race

package escalation

// nightsInTest is how many nights TestWhatAlwaysHolds plays: each policy with each gap. Under the race detector a night takes ten times
// as long; make test plays more without it.
const nightsInTest uint64 = 8
