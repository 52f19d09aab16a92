package main

import (
	"fmt"

	"tocsin/internal/app"
)

type checkCommand struct {
	Files []string `arg:"" help:"Configurations, rule files, scenario files."`
}

// Help is shown under --help.
func (*checkCommand) Help() string {
	return `Every mistake is printed as file:line:col: what is wrong, what would be right. Exits 1 if there is any.
A rule file is told from a configuration by having nothing but rules in it, a scenario file by having nothing but scenarios. A configuration's rule files are checked with it.

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
