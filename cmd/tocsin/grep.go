package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

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
A line longer than 1 MiB, four times what an entry may have, is cut there.

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

// negated puts -- before a filter that begins with the language's minus or with a comment, so that it is not taken for flags.
func negated(args []string) []string {
	if len(args) == 0 || args[0] != "grep" {
		return args
	}
	for i, a := range args[1:] {
		long := strings.HasPrefix(a, "--")
		switch {
		case long && strings.ContainsAny(a, " \n"), !long && len(a) > 1 && a[0] == '-' && a != "-c" && a != "-h":
			return slices.Insert(slices.Clone(args), i+1, "--")
		case a == "--" || !strings.HasPrefix(a, "-"):
			return args
		}
	}
	return args
}
