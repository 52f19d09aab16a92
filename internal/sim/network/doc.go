// Package network holds tests of the service behind a bad network: toxiproxy stands between it and its providers, and between it and
// PostgreSQL. Nothing is lost, nothing is said twice, who is well connected hears in time, and nothing is left open in the end.
package network
