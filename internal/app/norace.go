//go:build !race

package app

// raced says that the race detector looks on.
const raced = false
