package main

import (
	"fmt"
	"io"

	"tocsin/internal/app"
)

type ruleCommand struct {
	New ruleNewCommand `cmd:"" help:"Write a rule of an entry: filter, groups, a case that fires and one that stays silent."`
}

type ruleNewCommand struct {
	From string `required:"" placeholder:"ENTRY" help:"The entry: a file that holds one, - for standard input, or its JSON."`
	Name string `help:"What the rule is called; made of what the entry says if not given."`
}

// Help is shown under --help.
func (*ruleNewCommand) Help() string {
	return `The rule pins where the entry is from, and what in its words does not change from entry to entry. Its mode is shadow: it is recorded, and sent
nowhere. Its cases have been run. Look at it, say what is worth a person's time, then tocsin check and tocsin test.

Examples:
  tocsin rule new --from entry.json > team/new.yaml
  tocsin grep 'jsonPayload.msg:"Error syncing"' day.jsonl | head -1 | tocsin rule new --name tide-does-not-sync --from -`
}

// Run writes the rule.
func (c *ruleNewCommand) Run(s *streams) error {
	e, err := app.ReadEntry(c.From, s.in)
	if err != nil {
		return err
	}
	text, warnings, err := app.NewRule(e, c.Name)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		fmt.Fprintln(s.err, "warning:", w)
	}
	_, err = io.WriteString(s.out, text)
	return err
}
