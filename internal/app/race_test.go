//go:build race

package app

// raced says that the race detector looks on: each step costs ten times as much, so of the days that are replayed only short ones are.
// make test replays all of them without it.
const raced = true
