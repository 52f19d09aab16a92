package main

import (
	"fmt"

	"tocsin/internal/app"
)

type schemaCommand struct {
	Of string `arg:"" enum:"rules,config,scenarios" help:"rules, config or scenarios: the kind of file."`
}

// Help is shown under --help.
func (*schemaCommand) Help() string {
	return `An editor that knows JSON Schema completes and checks such a file while it is written. tocsin check knows more: names, filters, what fits together.

Examples:
  tocsin schema rules > tocsin-rules.json
  tocsin schema config > tocsin-config.json`
}

// Run prints the schema.
func (c *schemaCommand) Run(s *streams) error {
	_, err := s.out.Write(app.Schemas[c.Of])
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
