// Package escalation calls people until somebody has an incident: policies say whom, one step after the other, and schedules
// say who is on call. Policies and schedules are pure, time comes in as an argument; the steps that they make due are run from
// the store, where they survive whatever happens to the process.
package escalation
