// Package lint holds the tests of the house's shape: who may import whom, which rooms are pure, that what is exported is
// documented, sizes and habits. Each complaint says file, line and the mend. It has no code of its own: run its tests.
package lint
