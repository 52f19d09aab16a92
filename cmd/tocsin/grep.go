package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"tocsin/internal/app"
)

type grepCommand struct {
	Count  bool     `short:"c" help:"Print only how many entries match."`
	Filter string   `arg:"" help:"A filter in the Logging query language."`
	Files  []string `arg:"" optional:"" help:"Files of entries, .gz and .zst too; several are merged by time. - or nothing is standard input."`
}

// Help is shown under --help.
func (*grepCommand) Help() string {
	return `Exits 0 if entries match, 1 if none does, 2 if something is wrong, as grep does.

Examples:
  tocsin grep 'jsonPayload.level="fatal"' entries.jsonl
  tocsin grep --count 'resource.type="http_load_balancer" httpRequest.status>=500' day.jsonl.gz
  tocsin grep 'severity>=ERROR' < entries.jsonl | head`
}

// Run greps.
func (c *grepCommand) Run(ctx context.Context, s *streams) error {
	var out io.Writer
	w := bufio.NewWriterSize(s.out, 256<<10)
	if !c.Count {
		out = w
	}
	remark := func(text string) { fmt.Fprintln(s.err, "warning:", text) }
	n, err := app.Grep(ctx, c.Filter, c.Files, s.in, out, remark)
	if c.Count && err == nil {
		fmt.Fprintln(w, n)
	}
	if err := errors.Join(err, w.Flush()); err != nil {
		return err
	}
	if n == 0 {
		return &exit{code: exitNo}
	}
	return nil
}
