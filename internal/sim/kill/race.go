//go:build race

package main

// raced says that the race detector is on: the binary that is killed has it too, so a race in it ends the test.
const raced = true
