//go:build race

package cloudlog

// daysInTest are the seeds of the days that the tests go through: under the race detector one takes minutes.
var daysInTest = []uint64{1}
