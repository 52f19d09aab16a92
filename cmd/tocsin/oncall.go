package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/app"
	"tocsin/internal/web/client"
)

type oncallCommand struct {
	Show     oncallShowCommand     `cmd:"" default:"withargs" help:"Show who is on call now, and the next handovers."`
	Override oncallOverrideCommand `cmd:"" help:"Put somebody on call for a while."`
}

// Help is shown under --help.
func (*oncallCommand) Help() string {
	return `Examples:
  tocsin oncall
  tocsin oncall override prow ana --to 2026-12-27T09:00:00Z --reason "swapped with bob"`
}

type oncallShowCommand struct {
	remote
}

// Help is shown under --help.
func (*oncallShowCommand) Help() string {
	return `Where nobody is on call it says so. A schedule that is read from elsewhere says how old its copy is, and why it could not be
read since.

Examples:
  tocsin oncall
  tocsin oncall --format json`
}

// Run shows.
func (c *oncallShowCommand) Run(ctx context.Context, s *streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	list, err := cl.Duties(ctx)
	if err != nil {
		return failed(err, "")
	}
	if c.Format == "json" {
		return app.PrintJSON(s.out, list)
	}
	if len(list.Schedules) == 0 {
		fmt.Fprintln(s.err, "no schedule is configured")
		return nil
	}
	return app.PrintDuties(s.out, time.Now(), list.Schedules...)
}

type oncallOverrideCommand struct {
	remote
	From     time.Time `help:"When it begins, such as 2026-12-24T09:00:00Z; now if not given."`
	To       time.Time `required:"" help:"When it ends."`
	By       string    `help:"Who you are; your login's name if not given."`
	Reason   string    `required:"" help:"Why."`
	Schedule string    `arg:"" help:"The schedule."`
	Person   string    `arg:"" help:"Who is on call meanwhile: one of the configuration's people."`
}

// Help is shown under --help.
func (*oncallOverrideCommand) Help() string {
	return `Of two that overlap the later made decides, so that one is taken back by another that names who it would have been. A step that
waits because nobody is on call sees it at once. Exits 3 if there is no such schedule.

Examples:
  tocsin oncall override prow ana --to 2026-12-27T09:00:00Z --reason "swapped with bob"
  tocsin oncall override prow bob --from 2026-12-24T09:00:00Z --to 2026-12-25T09:00:00Z --reason holidays`
}

// Run puts somebody on call.
func (c *oncallOverrideCommand) Run(ctx context.Context, s *streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	d, err := cl.Override(ctx, c.Schedule, client.OverrideWish{Person: c.Person, From: c.From, To: c.To, By: whoami(c.By), Reason: c.Reason})
	if err != nil {
		return failed(err, "")
	}
	if c.Format == "json" {
		return app.PrintJSON(s.out, d)
	}
	return app.PrintDuties(s.out, time.Now(), d)
}

type notifyTestCommand struct {
	remote
	Config string `placeholder:"FILE" help:"Try it by this configuration, from here, without a service."`
	Send   bool   `help:"With --config: send it, and that it is over. Without this it is only said what would be sent."`
	By     string `help:"Who you are; your login's name if not given."`
	DryRun bool   `help:"Say what would be sent, and send nothing."`
	Target string `arg:"" help:"A receiver, or person:NAME."`
}

// Help is shown under --help.
func (*notifyTestCommand) Help() string {
	return `The service that runs sends it, with its own secrets: a message that says that it is a test. A pager rings; resolve it there.
With --config nothing need run: it is said what would be sent, and with --send it is sent from here, with the secrets that the configuration
names, and then that it is over; a pager rings for 20 seconds.
Exits 1 with the reason if it was not taken, 3 if there is no such receiver or person.

Examples:
  tocsin notify-test testing-ops
  tocsin notify-test --dry-run person:ana
  tocsin notify-test --config tocsin.yaml --send testing-ops`
}

// Run tries a receiver.
func (c *notifyTestCommand) Run(ctx context.Context, s *streams) error {
	trial, err := c.try(ctx)
	if err != nil {
		return err
	}
	if c.Format == "json" {
		err = app.PrintJSON(s.out, trial)
	} else {
		err = app.PrintTrial(s.out, trial)
	}
	if err == nil && trial.Error != "" {
		return &exit{code: exitNo, err: fmt.Errorf("%s did not take it: %s", c.Target, app.Plain(trial.Error))}
	}
	if err == nil && c.Config != "" && !c.Send && c.Format == "text" {
		fmt.Fprintln(s.err, "nothing is sent yet: add --send to send it")
	}
	return err
}

func (c *notifyTestCommand) try(ctx context.Context) (client.Trial, error) {
	if c.Config == "" && c.Send {
		return client.Trial{}, &exit{code: exitError, err: errors.New("--send goes with --config; a service sends unless --dry-run says otherwise")}
	}
	if c.Config != "" {
		trial, err := app.TryReceiver(ctx, app.Trying{Config: c.Config, Target: c.Target, By: whoami(c.By), Send: c.Send && !c.DryRun, Rings: 20 * time.Second})
		var coded interface{ Code() string }
		if errors.As(err, &coded) && coded.Code() == client.NotFound {
			return trial, &exit{code: exitNotFound, err: err}
		}
		return trial, err
	}
	cl, err := c.client()
	if err != nil {
		return client.Trial{}, err
	}
	trial, err := cl.Try(ctx, client.TrialWish{Target: c.Target, By: whoami(c.By), Dry: c.DryRun})
	if err != nil {
		return trial, failed(err, "")
	}
	return trial, nil
}
