//go:build !race

package cloudlog

// daysInTest are the seeds of the days that the tests go through; those of odd seeds have restarts.
var daysInTest = []uint64{0, 1}
