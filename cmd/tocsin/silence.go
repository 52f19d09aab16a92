package main

import (
	"context"
	"fmt"
	"time"

	"tocsin/internal/app"
	"tocsin/internal/web/client"
)

type silenceCommand struct {
	Add    silenceAddCommand    `cmd:"" help:"Make a silence, or see what it would hide."`
	List   silenceListCommand   `cmd:"" help:"List the silences and the maintenance windows in force, with what each hides now."`
	Expire silenceExpireCommand `cmd:"" help:"End a silence now: what it hid and still fires is told."`
}

// Help is shown under --help.
func (*silenceCommand) Help() string {
	return `Examples:
  tocsin silence add --reason "upgrade of build01" 'cluster="build01"'
  tocsin silence list
  tocsin silence expire 12`
}

type silenceAddCommand struct {
	remote
	By       string        `help:"Who you are; your login's name if not given."`
	Reason   string        `required:"" help:"Why."`
	For      time.Duration `default:"2h" help:"How long, such as 30m, 12h or 7d; at most 30d."`
	Starts   time.Time     `help:"When it begins, such as 2026-11-23T09:00:00Z; now if not given."`
	UpTo     string        `enum:",info,warning,high,critical" default:"" help:"The highest severity it may hide; that of what it matches if not given."`
	Yes      bool          `help:"Make it. Without this it is only said what it would hide."`
	Matchers []string      `arg:"" help:"What it hides: LABEL=\"VALUE\", with =, !=, =~ or !~; all of them must hold."`
}

// Help is shown under --help.
func (*silenceAddCommand) Help() string {
	return `It is said first what the silence would hide, of what is open and of the last seven days. The matchers ask the labels of an alert,
its rule and its severity. An incident is held while each of its alerts that fire is hidden: it is recorded and not told. What is worse
than the silence was made for breaks it; an end is never held, and an alert of impact down only by a matcher rule="ITS-RULE".
Before a silence ends, the channel hears what still fires under it; at its end that is told and paged.

Examples:
  tocsin silence add --reason "the disk is being replaced" 'rule="prow-config-load-error"' 'cluster="prow"'
  tocsin silence add --yes --for 30m --reason "upgrade of build01" 'cluster="build01"'`
}

// Run makes a silence.
func (c *silenceAddCommand) Run(ctx context.Context, s *streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	wish := client.SilenceWish{Matchers: c.Matchers, Starts: c.Starts, By: whoami(c.By), Reason: c.Reason, Try: !c.Yes}
	if err := wish.UpTo.UnmarshalText([]byte(c.UpTo)); err != nil {
		return err
	}
	if wish.Starts.IsZero() {
		wish.Starts = time.Now()
	}
	wish.Ends = wish.Starts.Add(c.For)
	made, err := cl.Silence(ctx, wish)
	if err != nil {
		return failed(err, "")
	}
	if c.Format == "json" {
		return app.PrintJSON(s.out, made)
	}
	if err := app.PrintSilence(s.out, made); err != nil {
		return err
	}
	app.PrintWarnings(s.err, made)
	if !c.Yes {
		fmt.Fprintln(s.err, "nothing is silenced yet: add --yes to make it")
	}
	return nil
}

type silenceListCommand struct {
	remote
	All bool `short:"a" help:"Those that have ended in the last 30 days, too."`
}

// Help is shown under --help.
func (*silenceListCommand) Help() string {
	return `Examples:
  tocsin silence list
  tocsin silence list --all --format json`
}

// Run lists.
func (c *silenceListCommand) Run(ctx context.Context, s *streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	list, err := cl.Silences(ctx, c.All)
	if err != nil {
		return failed(err, "")
	}
	if c.Format == "json" {
		return app.PrintJSON(s.out, list)
	}
	if len(list.Silences) == 0 {
		fmt.Fprintln(s.err, "nothing is silenced")
	}
	if len(list.Silences)+len(list.Maintenance) == 0 {
		return nil
	}
	return app.PrintHolding(s.out, list)
}

type silenceExpireCommand struct {
	remote
	By string `help:"Who you are; your login's name if not given."`
	ID int64  `arg:"" help:"The silence's number."`
}

// Help is shown under --help.
func (*silenceExpireCommand) Help() string {
	return `What it hid and still fires is told and paged now. Exits 3 if there is no such silence, 4 if it has ended.

Examples:
  tocsin silence expire 12`
}

// Run ends a silence.
func (c *silenceExpireCommand) Run(ctx context.Context, s *streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	ended, err := cl.ExpireSilence(ctx, c.ID, whoami(c.By))
	if err != nil {
		return failed(err, "")
	}
	if c.Format == "json" {
		return app.PrintJSON(s.out, ended)
	}
	return app.PrintSilences(s.out, ended)
}
