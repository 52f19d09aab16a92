package main

import (
	"context"
	"fmt"
	"strings"

	"tocsin/internal/app"
	"tocsin/internal/web/client"
)

type declareCommand struct {
	remote
	By          string   `help:"Who you are; your login's name if not given."`
	Severity    string   `enum:"info,warning,high,critical" default:"high" help:"Who must hear of it: critical calls oncall (${default})."`
	Label       []string `short:"l" sep:"none" placeholder:"NAME=VALUE" help:"What it is about, such as service=tide or team=prow; several times."`
	Description string   `short:"m" help:"What else is known."`
	Title       []string `arg:"" help:"What is wrong, in one line."`
}

// Help is shown under --help.
func (*declareCommand) Help() string {
	return `It is routed, told and escalated as what a rule has found, and ends only by a person. With a service it belongs to what is open of that
service. Declared again under the same title and labels within two hours of its end it is opened again. Exits 4 if it is declared already.

Examples:
  tocsin declare merges hang
  tocsin declare --severity critical --label service=hook -m "since the rollout at 14:00" "GitHub's webhooks get 502"`
}

// Run declares.
func (c *declareCommand) Run(ctx context.Context, s *streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	wish := client.Declaration{Title: strings.Join(c.Title, " "), Description: c.Description, By: whoami(c.By)}
	if err := wish.Severity.UnmarshalText([]byte(c.Severity)); err != nil {
		return err
	}
	for _, l := range c.Label {
		name, value, ok := strings.Cut(l, "=")
		if !ok {
			return fmt.Errorf("--label %q is no label: write service=tide", l)
		}
		if wish.Labels == nil {
			wish.Labels = map[string]string{}
		}
		if had, twice := wish.Labels[name]; twice && had != value {
			return fmt.Errorf("--label %s is given twice, as %q and %q: leave one out", name, had, value)
		}
		wish.Labels[name] = value
	}
	d, err := cl.Declare(ctx, wish)
	if err != nil {
		return failed(err, "")
	}
	if c.Format == "json" {
		return app.PrintJSON(s.out, d)
	}
	did := "declared"
	if len(d.Incident.Alerts) > 1 {
		did = "declared as part of this incident" // it was open, of the same service
	}
	return app.PrintDeed(s.out, d, did, wish.By)
}
