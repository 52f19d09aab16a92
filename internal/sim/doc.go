// Package sim holds the service to what it promises. Its worlds are a deterministic simulation: the product's own three steps, on
// a store in memory and a virtual clock, against stand-ins of what it reads and of whom it tells, with crashes, lost and late
// answers, outages, pauses and people, who answer, declare, merge, split, ask, note and end what nothing else ends; after each step
// the invariants I1 to I26 are checked as they apply (see invariants.go). A run repeats exactly from its seed.
//
//	go run ./internal/sim/simulate -steps 300000 -seed 1
//
// kill and the tests beside it run real processes, real kills, the real clients.
//
// Most invariants are held by the worlds; those that need several processes, a network, a host or texts are held elsewhere:
//
//	I15 one lease at a time             internal/store lives_test, internal/app replicas_test, make freeze
//	I18 no heartbeat unless clean       internal/heartbeat beat_test and audit_test
//	I19 caps, and floods are one page   internal/outbox flood_test, make latency
//	I20 a refused reload changes none   cmd/tocsin testdata/script/reload.txtar; that a reload loses no page is held by the worlds
//	I22 what leaves is escaped          internal/words words_test, notifiers fakes_test
//	I23 no secret leaves                internal/words words_test, notifiers fakes_test
//	I26 several are as one              internal/outbox replicas_test, make kill STORE=postgres
//
// A world has one process and a store in memory: two at once, and files, are kill's.
package sim
