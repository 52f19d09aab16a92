package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"tocsin/internal/app"
)

// nightly is when people sleep.
type nightly struct {
	Night string `default:"22:00-08:00" placeholder:"FROM-TO" help:"When people sleep (${default})."`
	Zone  string `placeholder:"NAME" help:"Where, as in America/Los_Angeles; else where the first schedule is, else UTC."`
}

type backtestCommand struct {
	nightly
	Config  string        `required:"" placeholder:"FILE" help:"The configuration. No token file of it is opened."`
	Format  string        `enum:"text,json" default:"text" help:"text for people, json for programs: one object."`
	HTML    string        `name:"html" placeholder:"FILE" help:"Write it as a page with a chart too, whole in itself."`
	Since   time.Duration `placeholder:"TIME" help:"Read the last 30d, or another time, from where the sources read, in the place of files; says first how many calls that takes."`
	Entries []string      `arg:"" optional:"" help:"Files of entries, .gz and .zst too; several are merged by time. - or nothing is standard input."`
}

// Help is shown under --help.
func (*backtestCommand) Help() string {
	return `Counts what each rule would have fired, told and paged, a day and a night. Nothing is sent. What an incident says and whom it calls is
counted for the rule that made it so severe. A page is a call-out: the first of an incident, and the first at each higher
severity; those that only repeat because in a replay nobody answers are among the rings.

Examples:
  tocsin backtest --config deploy/prow/tocsin.yaml month/*.jsonl.gz
  tocsin backtest --config tocsin.yaml --html backtest.html month/*.jsonl.gz
  tocsin backtest --config tocsin.yaml --since 30d --html backtest.html
  tocsin backtest --config tocsin.yaml --format json day.json | jq '.rules[] | select(.pages > 0)'`
}

// Run counts.
func (c *backtestCommand) Run(ctx context.Context, s *streams) error {
	plan, errs := app.Load(c.Config)
	if len(errs) > 0 {
		return errs.Err()
	}
	for _, w := range plan.Warnings {
		fmt.Fprintln(s.err, "warning:", w)
	}
	night, err := app.NightOf(plan, c.Night, c.Zone)
	if err != nil {
		return err
	}
	from := app.BacktestFrom{Files: c.Entries, Stdin: s.in, Since: c.Since, Say: s.err, Terminal: s.terminal()}
	report, remarks, err := from.Backtest(ctx, plan, night)
	if err != nil {
		return err
	}
	if c.HTML != "" {
		f, err := os.Create(c.HTML)
		if err != nil {
			return fmt.Errorf("write the page: %w", err)
		}
		if err := errors.Join(report.HTML(f), f.Close()); err != nil {
			return err
		}
	}
	w := bufio.NewWriter(s.out)
	if c.Format == "json" {
		err = app.PrintJSON(w, report)
	} else {
		err = report.Text(w)
	}
	s.warn(remarks)
	return errors.Join(err, w.Flush())
}

// terminal is where to show how far a long reading is; nil if nobody looks.
func (s *streams) terminal() io.Writer {
	if f, ok := s.err.(*os.File); ok && isTerminal(f) {
		return f
	}
	return nil
}

// warn says what somebody should know of the entries.
func (s *streams) warn(remarks []string) {
	for _, text := range remarks {
		fmt.Fprintln(s.err, "warning:", text)
	}
}

type diffCommand struct {
	nightly
	Config  string   `placeholder:"FILE" help:"Where OLD and NEW are rules alone: the configuration that they are tried with, in the place of its own."`
	Entries []string `required:"" sep:"none" placeholder:"FILE" help:"Entries that both are tried on, as replay reads them; may be given several times."`
	Format  string   `enum:"text,json,markdown" default:"text" help:"text for people, json for programs, markdown for a pull request."`
	Budget  *float64 `placeholder:"PAGES" help:"Exit 1 if NEW makes more pages a day than this."`
	Old     string   `arg:"" help:"A configuration, a rule file, or a directory of rule files."`
	New     string   `arg:"" help:"The same, changed."`
}

// Help is shown under --help.
func (*diffCommand) Help() string {
	return `Tries two sets of rules on the same entries and lists the pages and messages that come with the new one (+), go with the old one (-), or
are at another time or because of another rule (~). What a page is, backtest --help says. Exits 1 if NEW makes more pages a
day than --budget allows, of the entries' time, which is a day at least.

Examples:
  tocsin diff main/tocsin.yaml branch/tocsin.yaml --entries month.jsonl.gz
  tocsin diff old/rules new/rules --config tocsin.yaml --entries outage.jsonl --entries quiet.jsonl
  tocsin diff --budget 0.3 --format markdown old.yaml new.yaml --entries month.jsonl.gz >> "$GITHUB_STEP_SUMMARY"`
}

// Run compares.
func (c *diffCommand) Run(ctx context.Context, s *streams) error {
	if c.Budget != nil && *c.Budget < 0 {
		return fmt.Errorf("--budget %g is not possible: write how many pages a day are allowed, 0 or more", *c.Budget)
	}
	if slices.Contains(c.Entries, "-") {
		return errors.New("--entries -: the entries are read twice, which standard input cannot be: write them into a file")
	}
	old, err := app.LoadVersion(c.Config, c.Old)
	if err != nil {
		return err
	}
	now, err := app.LoadVersion(c.Config, c.New)
	if err != nil {
		return err
	}
	night, err := app.NightOf(now, c.Night, c.Zone)
	if err != nil {
		return err
	}
	d, remarks, err := app.Compare(ctx, old, now, c.Entries, night, s.terminal())
	if err != nil {
		return err
	}
	switch c.Format {
	case "json":
		err = app.PrintJSON(s.out, d)
	case "markdown":
		err = d.Markdown(s.out)
	default:
		err = d.Text(s.out)
	}
	s.warn(remarks)
	if err == nil && c.Budget != nil && d.PagesADay > *c.Budget {
		return &exit{code: exitNo, err: fmt.Errorf("%.2f pages a day are over the budget of %g", d.PagesADay, *c.Budget)}
	}
	return err
}
