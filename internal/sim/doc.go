// Package sim holds the service to what it promises. Its worlds are a deterministic simulation: the product's own three steps, on
// a store in memory and a virtual clock, against stand-ins of what it reads and of whom it tells, with crashes, lost and late
// answers, outages, pauses and people; after each step the invariants I1 to I26 are checked as they apply (see invariants.go). A
// run repeats exactly from its seed.
//
//	go run ./internal/sim/simulate -steps 300000 -seed 1
//
// kill and the tests beside it run real processes, real kills, the real clients.
package sim
