package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"tocsin/internal/app"
	"tocsin/internal/config"
)

type testCommand struct {
	Verbose bool     `short:"v" help:"Name what holds too."`
	Update  bool     `help:"Rewrite what scenario files expect so that it is what came. Read the difference before you keep it."`
	Format  string   `enum:"text,json" default:"text" help:"text for people, json for programs: an object a line for each case and scenario."`
	Files   []string `arg:"" help:"Rule files, scenario files, or configurations whose rules are to be tested."`
}

// Help is shown under --help.
func (*testCommand) Help() string {
	return `Each case of a rule is a list of entries and the alerts that must come of them. A scenario is a day of entries, a configuration, and the
incidents, pages and messages that must come of it (docs/scenarios.md). Exits 1 with the difference if one fails: what is
wanted and did not come begins with -, what came and is not wanted with +.

Examples:
  tocsin test rules/prow/*.yaml
  tocsin test -v tocsin.yaml
  tocsin test scenarios.yaml
  tocsin test --update scenarios.yaml; git diff scenarios.yaml`
}

// tested is a proof as programs get it.
type tested struct {
	File   string   `json:"file"`
	Line   int      `json:"line"`
	Column int      `json:"column"`
	Kind   string   `json:"kind"` // case or scenario
	Rule   string   `json:"rule,omitempty"`
	Name   string   `json:"name"`
	Holds  bool     `json:"holds"`
	Diff   []string `json:"diff,omitempty"`
}

// Run tests.
func (c *testCommand) Run(ctx context.Context, s *streams) error {
	began := time.Now()
	kinds := map[string]int{}
	failed := 0
	for _, f := range c.Files {
		list, warnings, errs := app.Trials(f)
		for _, w := range warnings {
			fmt.Fprintln(s.err, "warning:", w)
		}
		if len(errs) > 0 {
			return errs.Err()
		}
		var differ []*app.Trial
		for _, t := range list {
			diff, err := t.Prove(ctx)
			if err != nil {
				return err
			}
			kinds[t.Kind()]++
			if len(diff) > 0 {
				failed++
				differ = append(differ, t)
			}
			if err := c.say(s, t, diff); err != nil {
				return err
			}
		}
		if c.Update && len(differ) > 0 {
			left, err := c.update(s, f, list, differ)
			if err != nil {
				return err
			}
			failed -= len(differ) - left
		}
	}
	if c.Format == "text" {
		fmt.Fprintf(s.out, "%s\n", summary(kinds, failed, time.Since(began)))
	}
	if failed > 0 {
		return &exit{code: exitNo}
	}
	return nil
}

// update rewrites a scenario file and says how many of those that differed still do.
func (c *testCommand) update(s *streams, file string, list, differ []*app.Trial) (left int, err error) {
	changed, err := app.Update(file, list)
	if err != nil {
		return 0, err
	}
	if changed {
		fmt.Fprintf(s.err, "%s: rewritten\n", file)
	}
	again, _, errs := app.Trials(file)
	if len(errs) > 0 {
		return 0, errs.Err()
	}
	for _, t := range differ {
		for _, now := range again {
			if now.Rule == t.Rule && now.Name == t.Name && len(now.Against(t)) > 0 {
				left++
			}
		}
	}
	if left > 0 {
		fmt.Fprintf(s.err, "%s: %d of them --update does not mend: the cases beside rules, and who must be silent, are written by hand\n", file, left)
	}
	return left, nil
}

// say prints a proof.
func (c *testCommand) say(s *streams, t *app.Trial, diff []string) error {
	if c.Format == "json" {
		b, err := json.Marshal(tested{t.Position.File, t.Position.Line, t.Position.Column, t.Kind(), t.Rule, t.Name, len(diff) == 0, diff})
		if err != nil {
			return fmt.Errorf("encode result: %w", err)
		}
		_, err = fmt.Fprintf(s.out, "%s\n", app.Visible(b))
		return err
	}
	name := t.Name
	if t.Rule != "" {
		name = t.Rule + ": " + t.Name
	}
	if len(diff) == 0 {
		if c.Verbose {
			fmt.Fprintf(s.out, "ok    %s\n", name)
		}
		return nil
	}
	fmt.Fprintf(s.out, "FAIL  %s: %s\n", position(t.Position), name)
	for _, d := range diff {
		colour := ""
		if s.colour {
			colour = map[string]string{"-": "\x1b[31m", "+": "\x1b[32m"}[d[:1]]
		}
		end := strings.Repeat("\x1b[0m", min(len(colour), 1))
		fmt.Fprintf(s.out, "      %s%s%s\n", colour, d, end)
	}
	return nil
}

// summary is the whole in one line: of cases alone as long as nothing else was proved.
func summary(kinds map[string]int, failed int, took time.Duration) string {
	what := "cases"
	switch {
	case kinds["scenario"] > 0 && kinds["case"] > 0:
		what = "cases and scenarios"
	case kinds["scenario"] > 0:
		what = "scenarios"
	}
	return fmt.Sprintf("%d %s hold, %d fail (%s)", kinds["case"]+kinds["scenario"]-failed, what, failed, took.Round(time.Millisecond))
}

func position(p config.Position) string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }
