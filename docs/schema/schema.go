// Package schema holds the JSON Schemas of the files that people write: rule files, configurations, scenario files. They are made of the settings'
// own types and comments, so that an editor completes and checks what `tocsin check` reads; what only `check` knows (names that must exist, filters)
// they leave open. A test holds them to the types: go test ./docs/schema -update writes them anew.
package schema

import _ "embed" // the schemas are files

// The schemas, as JSON.
var (
	//go:embed rules.json
	Rules []byte
	//go:embed config.json
	Config []byte
	//go:embed scenarios.json
	Scenarios []byte
)
