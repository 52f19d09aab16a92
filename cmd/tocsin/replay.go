package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/app"
)

type replayCommand struct {
	Config  string   `required:"" placeholder:"FILE" help:"The configuration. No token file of it is opened."`
	Format  string   `enum:"text,json" default:"text" help:"text for people, json for programs: an object a line, in time order."`
	Until   string   `placeholder:"TIME" help:"Go on to this time (RFC 3339) instead of stopping at the last entry."`
	Batch   int      `hidden:"" default:"0" help:"Bytes of a batch; 1 is a line each. The result does not depend on it."`
	Entries []string `arg:"" optional:"" help:"Files of entries, .gz and .zst too; several are merged by time. - or nothing is standard input."`
}

// Help is shown under --help.
func (*replayCommand) Help() string {
	return `Nothing is sent, and nobody acknowledges. The same entries give the same output.

Examples:
  tocsin replay --config deploy/prow/tocsin.yaml outage.jsonl
  gcloud logging read 'resource.type="k8s_container"' --format=json | tocsin replay --config tocsin.yaml -
  tocsin replay --config tocsin.yaml --format json day.jsonl.gz | jq 'select(.page)'`
}

// Run replays.
func (c *replayCommand) Run(ctx context.Context, s *streams) error {
	plan, errs := app.Load(c.Config)
	if len(errs) > 0 {
		return errs.Err()
	}
	for _, w := range plan.Warnings {
		fmt.Fprintln(s.err, "warning:", w)
	}
	r := &app.Replay{Plan: plan}
	if c.Until != "" {
		t, err := time.Parse(time.RFC3339, c.Until)
		if err != nil {
			return fmt.Errorf("--until %q is not a time: write it as 2019-01-23T17:00:00Z", c.Until)
		}
		r.Until = t
	}
	next, closeAll, err := app.Entries(c.Entries, s.in, c.Batch, time.Now())
	if err != nil {
		return err
	}
	defer closeAll()
	r.Entries = app.Counting(next, s.terminal())
	w := bufio.NewWriterSize(s.out, 64<<10)
	if c.Format == "json" {
		t := &app.JSONTeller{W: w}
		r.Tell = t
		err := errors.Join(r.Run(ctx), t.Err, w.Flush())
		remark(s, r)
		return err
	}
	t := &app.TextTeller{W: w, Color: s.colour}
	r.Tell = t
	if err := r.Run(ctx); err != nil {
		return errors.Join(err, w.Flush())
	}
	fmt.Fprintln(w, t.Summary())
	err = w.Flush()
	remark(s, r)
	return err
}

// remark says what somebody should know of the entries.
func remark(s *streams, r *app.Replay) {
	for _, text := range r.Remarks() {
		fmt.Fprintln(s.err, "warning:", text)
	}
}
