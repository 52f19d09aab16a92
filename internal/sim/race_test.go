//go:build race

package sim

// stepsInTest is how many steps the tests play: under the race detector each costs ten times as much, and there is one goroutine to a
// world. make sim plays more.
const stepsInTest = 3_000

// plantsInTest are bugs that the first worlds find.
var plantsInTest = []string{markFirst, epochSurvives, noLookUp}
