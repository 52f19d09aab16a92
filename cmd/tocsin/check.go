package main

import (
	"fmt"
	"time"

	"tocsin/internal/app"
	"tocsin/internal/config"
)

type checkCommand struct {
	Files []string `arg:"" help:"Configurations and rule files."`
}

// Help is shown under --help.
func (*checkCommand) Help() string {
	return `Every mistake is printed as file:line:col: what is wrong, what would be right. Exits 1 if there is any.
A rule file is told from a configuration by having nothing but rules in it. A configuration's rule files are checked with it.

Examples:
  tocsin check deploy/prow/tocsin.yaml
  tocsin check team/*.yaml`
}

// Run checks.
func (c *checkCommand) Run(s *streams) error {
	found := false
	for _, f := range c.Files {
		summary, warnings, errs := app.Check(f)
		for _, w := range warnings {
			fmt.Fprintf(s.out, "%s (warning)\n", w)
		}
		for _, e := range errs {
			fmt.Fprintln(s.out, e)
		}
		found = found || len(errs) > 0
		if len(errs) == 0 {
			fmt.Fprintf(s.out, "%s: %s\n", f, summary)
		}
	}
	if found {
		return &exit{code: exitNo}
	}
	return nil
}

type testCommand struct {
	Verbose bool     `short:"v" help:"Name the cases that hold too."`
	Files   []string `arg:"" help:"Rule files, or configurations whose rules are to be tested."`
}

// Help is shown under --help.
func (*testCommand) Help() string {
	return `Each case of a rule is a list of entries and the alerts that must come of them. Exits 1 with the difference if one fails.

Examples:
  tocsin test rules/prow/*.yaml
  tocsin test -v tocsin.yaml`
}

// Run tests.
func (c *testCommand) Run(s *streams) error {
	began := time.Now()
	held, failed := 0, 0
	for _, f := range c.Files {
		list, warnings, errs := app.RulesOf(f)
		for _, w := range warnings {
			fmt.Fprintln(s.err, "warning:", w)
		}
		if len(errs) > 0 {
			return errs.Err()
		}
		for _, r := range list {
			for _, cs := range r.Cases {
				diff, err := r.Prove(cs)
				if err != nil {
					return err
				}
				if len(diff) == 0 {
					held++
					if c.Verbose {
						fmt.Fprintf(s.out, "ok    %s: %s\n", r.Name, cs.Name)
					}
					continue
				}
				failed++
				fmt.Fprintf(s.out, "FAIL  %s: %s: %s\n", position(cs.Position), r.Name, cs.Name)
				for _, d := range diff {
					fmt.Fprintf(s.out, "      %s\n", d)
				}
			}
		}
	}
	fmt.Fprintf(s.out, "%d cases hold, %d fail (%s)\n", held, failed, time.Since(began).Round(time.Millisecond))
	if failed > 0 {
		return &exit{code: exitNo}
	}
	return nil
}

func position(p config.Position) string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }
