//go:build !race

package sim

// stepsInTest is how many steps the tests play. make sim plays more.
const stepsInTest = 40_000

// plantsInTest are bugs that a few worlds find.
var plantsInTest = []string{markFirst, cursorFirst, noLedger, keyFingerprint, timersInMemory, staleEscalation, givesUp, epochSurvives, noLookUp, noSecondPath}
