package app

import "tocsin/docs/schema"

// Schemas are the JSON Schemas of the files that people write, by what is in them.
var Schemas = map[string][]byte{"rules": schema.Rules, "config": schema.Config, "scenarios": schema.Scenarios}
