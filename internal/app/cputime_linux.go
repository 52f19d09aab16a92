package app

import (
	"runtime"
	"syscall"
	"time"
)

// rusageThread asks for what the calling thread has used.
const rusageThread = 1

// cpuTime is how much CPU time run takes: other work on the machine does not count.
func cpuTime(run func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, began := threadTime(), time.Now()
	run()
	if before < 0 {
		return time.Since(began)
	}
	return threadTime() - before
}

// threadTime is the CPU time of the calling thread so far; -1 if the system does not say.
func threadTime() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(rusageThread, &used) != nil {
		return -1
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
