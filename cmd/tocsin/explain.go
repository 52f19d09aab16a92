package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/app"
	"tocsin/internal/web/client"
)

type explainCommand struct {
	Config  string    `required:"" placeholder:"FILE" help:"The configuration. No token file of it is opened."`
	Rule    string    `placeholder:"NAME" help:"Explain this rule; without it, all that match, and the three that come nearest."`
	All     bool      `help:"Say of every rule that does not match which clause said no."`
	At      time.Time `placeholder:"TIME" help:"Say what --rule had made of the recorded ENTRIES by then, such as 2026-11-23T09:00:00Z."`
	Source  string    `placeholder:"NAME" help:"The source that the entry is from; else it is found out."`
	URL     string    `env:"TOCSIN_URL" placeholder:"URL" help:"Where tocsin serves, to be asked what is open and silenced (${env})."`
	Format  string    `enum:"text,json" default:"text" help:"text for people, json for programs."`
	Entries []string  `arg:"" name:"entry" help:"The entry: a file that holds one, - for standard input, or its JSON. With --at, files of entries."`
}

// Help is shown under --help.
func (*explainCommand) Help() string {
	return `Every gate between an entry and a person, in order: source, parse, the rule's sources, its filter clause by clause with the values it saw,
group, detector, for, mode, alert, incident, what holds it back, route, receiver, escalation. The first that says no is marked; what stands behind
it is what would be, did it not. "may" is what cannot be told from here.

Examples:
  tocsin explain --config deploy/prow/tocsin.yaml entry.json
  gcloud logging read 'insertId="abc"' --format=json | tocsin explain --config tocsin.yaml --rule prow-panic -
  tocsin explain --config tocsin.yaml '{"severity": "ERROR", "textPayload": "panic: nil"}'
  tocsin explain --config tocsin.yaml --at 2019-01-23T11:55:00Z --rule prow-crash-loop outage.jsonl`
}

// Run explains.
func (c *explainCommand) Run(ctx context.Context, s *streams) error {
	plan, errs := app.Load(c.Config)
	if len(errs) > 0 {
		return errs.Err()
	}
	if !c.At.IsZero() {
		return c.standing(ctx, s, plan)
	}
	if len(c.Entries) > 1 {
		return errors.New("one entry is explained at a time: name several files with --at TIME --rule NAME")
	}
	e, err := app.ReadEntry(c.Entries[0], s.in)
	if err != nil {
		return err
	}
	o := app.ExplainOptions{Rule: c.Rule, All: c.All, Source: c.Source}
	if c.URL != "" {
		cl, err := client.New(c.URL)
		if err != nil {
			return err
		}
		if o.Service, err = app.AskService(ctx, cl, time.Now()); err != nil {
			return failed(err, "")
		}
	}
	x, err := plan.Explain(e, o)
	if err != nil {
		return err
	}
	if c.Format == "json" {
		return app.PrintJSON(s.out, x)
	}
	return app.PrintExplained(s.out, x, s.colour)
}

// standing says what a rule had made of recorded entries by a time.
func (c *explainCommand) standing(ctx context.Context, s *streams, plan *app.Plan) error {
	if c.Rule == "" {
		return errors.New("--at TIME asks what one rule had made of the entries: add --rule NAME")
	}
	next, closeAll, err := app.Entries(c.Entries, s.in, 0, time.Now())
	if err != nil {
		return err
	}
	defer closeAll()
	x, err := plan.Standing(ctx, next, c.Rule, c.At)
	if err != nil {
		return err
	}
	if c.Format == "json" {
		return app.PrintJSON(s.out, x)
	}
	if x.Entries == 0 {
		fmt.Fprintf(s.err, "warning: there are no entries up to %s\n", c.At.UTC().Format(time.RFC3339))
	}
	return app.PrintStanding(s.out, x, s.colour)
}
