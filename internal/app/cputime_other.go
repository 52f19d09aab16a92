//go:build !linux

package app

import "time"

// cpuTime is how long run takes.
func cpuTime(run func()) time.Duration {
	began := time.Now()
	run()
	return time.Since(began)
}
