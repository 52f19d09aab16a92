// Package sim runs the service as a whole against stand-ins of what it talks to: real processes, real kills, the real clients.
// kill is the long proof; the tests here are those that every change has to pass.
package sim
