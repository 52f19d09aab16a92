package main

import (
	"fmt"
	"time"

	"tocsin/internal/app"
)

type routesCommand struct {
	Test routesTestCommand `cmd:"" help:"Say who would hear of an incident with these labels."`
}

type routesTestCommand struct {
	Config string    `required:"" placeholder:"FILE" help:"The configuration. No token file of it is opened."`
	At     time.Time `placeholder:"TIME" help:"When it opens, such as 2026-11-23T09:00:00Z; now if not given. Mute times, windows and schedules go by it."`
	Verify []string  `name:"verify.receivers" placeholder:"NAME,..." help:"Exit 1 unless these are the receivers, in any order; none is nobody."`
	Format string    `enum:"text,json" default:"text" help:"text for people, json for programs."`
	Labels []string  `arg:"" help:"The incident's labels: severity=critical service=hook."`
}

// Help is shown under --help.
func (*routesTestCommand) Help() string {
	return `The receivers are on the first line, as amtool config routes test prints them; then the routes that take the incident, what holds it at that
time, and who would be called when, if nobody answers. It is taken for one whose rule may page.

Examples:
  tocsin routes test --config deploy/prow/tocsin.yaml severity=critical service=hook
  tocsin routes test --config tocsin.yaml --verify.receivers=testing-ops severity=high rule=prow-panic`
}

// Run tests routes.
func (c *routesTestCommand) Run(s *streams) error {
	plan, errs := app.Load(c.Config)
	if len(errs) > 0 {
		return errs.Err()
	}
	if c.At.IsZero() {
		c.At = time.Now()
	}
	routed, err := plan.Routes(c.Labels, c.At)
	if err != nil {
		return err
	}
	for _, w := range routed.Warnings {
		fmt.Fprintln(s.err, "warning:", w)
	}
	if c.Format == "json" {
		err = app.PrintJSON(s.out, routed)
	} else {
		err = app.PrintRouted(s.out, routed)
	}
	if err != nil {
		return err
	}
	if len(c.Verify) > 0 {
		if text := routed.Differs(c.Verify); text != "" {
			return &exit{code: exitNo, err: fmt.Errorf("other receivers than expected: %s", text)}
		}
	}
	return nil
}
