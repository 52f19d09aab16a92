//go:build race

package app

// raced says that the race detector looks on: each step costs ten times as much, so a pattern has ten times as long, and of the days that are
// replayed in tests only short ones are, once each, and line by line only some minutes of one. make test replays all of them whole without it.
const raced = true
