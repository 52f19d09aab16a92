package main

import (
	"context"
	"fmt"
	"time"

	"tocsin/internal/app"
)

type promoteCommand struct {
	serving
	Config string        `required:"" placeholder:"FILE" help:"The configuration that names the rule's file."`
	To     string        `required:"" enum:"tell,page" placeholder:"MODE" help:"The new mode: tell, from shadow; page, from tell."`
	Since  time.Duration `default:"7d" help:"How far back its record is shown (${default})."`
	Write  bool          `help:"Write it into the rule's file; without, nothing is changed."`
	Rule   string        `arg:"" help:"The rule's name."`
}

// Help is shown under --help.
func (*promoteCommand) Help() string {
	return `Shows what the rule did of late, from the service that runs, and the change in its file; --write makes it. Nothing but the mode changes,
comments stay. What check would refuse, such as a rule that pages and pins no place, is not written.

Examples:
  tocsin promote tide-does-not-sync --to tell --config tocsin.yaml
  tocsin promote tide-does-not-sync --to page --config tocsin.yaml --since 30d --write; kill -HUP $(pidof tocsin)`
}

// Run shows, and writes if it is asked to.
func (c *promoteCommand) Run(ctx context.Context, s *streams) error {
	if c.Since <= 0 {
		return fmt.Errorf("--since %s is not possible: write how far back, such as 7d", c.Since)
	}
	p, err := app.Promote(c.Config, c.Rule, c.To)
	if err != nil {
		return err
	}
	if err := c.record(ctx, s); err != nil {
		return err
	}
	if err := p.Diff(s.out); err != nil {
		return err
	}
	if !c.Write {
		fmt.Fprintln(s.err, "nothing is written: --write does")
		return nil
	}
	return p.Write()
}

// record shows what the rule did. That the service cannot be asked keeps nobody from changing a file.
func (c *promoteCommand) record(ctx context.Context, s *streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	now := time.Now()
	r, err := cl.RuleRecord(ctx, c.Rule, now.Add(-c.Since))
	if err != nil {
		fmt.Fprintln(s.err, "warning: its record is not known:", err)
		return nil
	}
	return app.PrintRecord(s.out, r, now)
}
