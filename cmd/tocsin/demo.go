package main

import (
	"context"
	"errors"

	"tocsin/internal/app"
)

type demoCommand struct {
	Once    bool    `help:"End when the story is over, with exit code 1 if it did not come out as it should."`
	Cloud   bool    `help:"Read the logs from stand-ins of Cloud Logging and Pub/Sub, whose streams break off, in place of a file."`
	Verbose bool    `short:"v" help:"Show the service's own log too."`
	Speed   float64 `hidden:"" default:"1" help:"How many times faster the story goes."`
}

// Help is shown under --help.
func (*demoCommand) Help() string {
	return `A stand-in of Prow's hook answers as it should, then a configuration is merged that does not load and it dies of it, again and
again. The real service reads its log, probes it, and tells stand-ins of Slack and PagerDuty, which are shown here; its page shows the
incident. It takes a minute. Nothing leaves this machine, and nothing is left on it.

Examples:
  tocsin demo             ^C ends it; until then its page stays up
  tocsin demo --cloud     the logs come from stand-ins of Cloud Logging and Pub/Sub, as they would from Google's
  tocsin demo --once      for scripts: ends by itself
  NO_COLOR=1 tocsin demo`
}

// Run runs the demo.
func (c *demoCommand) Run(ctx context.Context, s *streams) error {
	if !(c.Speed > 0 && c.Speed <= 10) {
		return errors.New("--speed must be more than 0, and 10 at the most")
	}
	o := app.DemoOptions{Out: s.out, Color: s.colour, Version: version(), Speed: c.Speed, Once: c.Once, Cloud: c.Cloud}
	if c.Verbose {
		o.Log = newLog(s, false)
	}
	err := app.Demo(ctx, o)
	switch {
	case errors.Is(err, app.ErrStory):
		return &exit{code: exitNo} // it has been said what was different
	case errors.Is(err, context.Canceled):
		return errors.New("demo stopped before its story was over")
	}
	return err
}
