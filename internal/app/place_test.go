package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPostgresURL: a misspelt word in a database's URL is found when the configuration is read, and not when the service is to start.
func TestPostgresURL(t *testing.T) {
	const at = "postgres://tocsin@db.example.com:5432/tocsin"
	for query, want := range map[string]string{
		"": "", "?sslmode=verify-full&sslrootcert=/ca.pem&target_session_attrs=primary": "", "?sslmode=disable&connect_timeout=3": "",
		"?sslmode=verifyfull":             `unknown sslmode "verifyfull": did you mean "verify-full"? known: allow, disable, prefer, require, verify-ca, verify-full`,
		"?sslmode=":                       `unknown sslmode "": known: allow, disable, prefer, require, verify-ca, verify-full`,
		"?sslmod=require":                 `unknown parameter "sslmod": did you mean "sslmode"? known: sslcert, sslcertmode, sslkey, sslmode, sslnegotiation, sslrootcert, sslsni`,
		"?target_session_attrs=readwrite": `unknown target_session_attrs "readwrite": did you mean "read-write"? known: any, prefer-standby, primary, read-only, read-write, standby`,
	} {
		got := ""
		for _, e := range (Postgres{URL: at + query}).Validate() {
			got += e.Text
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", query, diff)
		}
	}
}
