//go:build !race

package sim

// stepsInTest is how many steps the tests play. make sim plays more.
const stepsInTest = 40_000
