package main

import (
	"context"
	"strings"

	"tocsin/internal/web/client"
)

type noteCommand struct {
	actCommand
	Text []string `arg:"" help:"What you have found."`
}

// Help is shown under --help.
func (*noteCommand) Help() string {
	return `It stands in the incident's timeline, also after its end.

Examples:
  tocsin note 01D1V7GZ the new configuration was rolled back at 14:05`
}

// Run writes down.
func (c *noteCommand) Run(ctx context.Context, s *streams) error {
	return c.act(ctx, s, "noted", func(cl *client.Client, by string) (client.Detail, error) {
		return cl.Note(ctx, c.ID, client.Note{By: by, Text: strings.Join(c.Text, " ")})
	})
}

type mergeCommand struct {
	actCommand
	Into string `arg:"" help:"The incident that takes it in."`
}

// Help is shown under --help.
func (*mergeCommand) Help() string {
	return `The other incident has all alerts from then on, and is paged for them if it was not; what rings for the first ends. If you have
one of the two you have both. Exits 3 if there is no such incident, 4 if one is over.

Examples:
  tocsin merge 01D1V7GZ 01D1V6QP`
}

// Run merges.
func (c *mergeCommand) Run(ctx context.Context, s *streams) error {
	return c.act(ctx, s, "took in "+c.ID+",", func(cl *client.Client, by string) (client.Detail, error) {
		return cl.Merge(ctx, c.ID, client.Merge{By: by, Into: c.Into})
	})
}

type splitCommand struct {
	actCommand
	Rule  string `arg:"" help:"The rule of the alert."`
	Group string `help:"Its group, where several alerts of the rule fire: as JSON, such as {\"service\":\"hook\"}."`
}

// Help is shown under --help.
func (*splitCommand) Help() string {
	return `Makes an incident of its own of an alert that fires in another. They stay apart until somebody merges them. Who has the one has
the other, if the acknowledge covered it; else it is told and escalated by itself. Exits 3 if there is no such incident or alert, 4 if
it is the only one.

Examples:
  tocsin split 01D1V7GZ prow-deck-slow`
}

// Run splits off.
func (c *splitCommand) Run(ctx context.Context, s *streams) error {
	return c.act(ctx, s, "split off", func(cl *client.Client, by string) (client.Detail, error) {
		return cl.Split(ctx, c.ID, client.Split{By: by, Rule: c.Rule, Group: c.Group})
	})
}

type askCommand struct {
	actCommand
	Person string `arg:"" help:"Whom: a name of the configuration's people."`
}

// Help is shown under --help.
func (*askCommand) Help() string {
	return `Asks somebody to take an incident, directly and in its threads. Of one that somebody has it is a hand-over: it stays theirs until it
is acknowledged anew; if nobody has within 30 minutes it calls again, from the first step. Exits 3 if there is no such incident or person, 4 if
it is over.

Examples:
  tocsin ask 01D1V7GZ ben`
}

// Run asks.
func (c *askCommand) Run(ctx context.Context, s *streams) error {
	return c.act(ctx, s, "asked of "+c.Person, func(cl *client.Client, by string) (client.Detail, error) {
		return cl.Ask(ctx, c.ID, client.Ask{By: by, Person: c.Person})
	})
}
