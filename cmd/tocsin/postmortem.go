package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"tocsin/internal/app"
)

type postmortemCommand struct {
	serving
	Config string   `placeholder:"FILE" help:"With --replay: the configuration to replay under."`
	Replay []string `sep:"none" placeholder:"ENTRIES" help:"Take the incident from recorded entries instead, as replay reads them; may be given several times."`
	Print  string   `enum:"draft,note,mail" default:"draft" help:"What to print: the draft, the note to the channel, or the mail to the developers (${enum})."`
	Out    string   `placeholder:"DIR" help:"Write all three into this directory instead; nothing is overwritten."`
	ID     string   `arg:"" optional:"" name:"incident" help:"The incident: its id, or six characters or more of its beginning. Of a replay with one incident it may be left out."`
}

// Help is shown under --help.
func (*postmortemCommand) Help() string {
	return `The draft has Prow's own headings. It holds what is on record: when it began, when who was told, paged and had it, the lines, the
timeline; what nobody recorded is marked TODO. Text from logs is shortened, redacted and escaped.

Examples:
  tocsin postmortem 01D1V7GZ > draft.md
  tocsin postmortem 01D1V7GZ --out docs/post-mortems
  tocsin postmortem 01D1V7GZ --print mail
  tocsin postmortem --config deploy/prow/tocsin.yaml --replay outage.jsonl.gz`
}

// Run writes the papers.
func (c *postmortemCommand) Run(ctx context.Context, s *streams) error {
	papers, err := c.papers(ctx, s)
	if err != nil {
		return err
	}
	if c.Out != "" {
		names, err := papers.Write(c.Out)
		for _, name := range names {
			fmt.Fprintln(s.out, name)
		}
		return err
	}
	_, err = fmt.Fprint(s.out, map[string]string{"draft": papers.Draft, "note": papers.Note, "mail": papers.Mail}[c.Print])
	return err
}

func (c *postmortemCommand) papers(ctx context.Context, s *streams) (app.Papers, error) {
	if len(c.Replay) > 0 {
		d, err := c.relived(ctx, s)
		return app.PapersOf(d.Detail, d.Ended, true, ""), err
	}
	if c.Config != "" {
		return app.Papers{}, errors.New("--config is for --replay: an incident of the running service is asked for at --url")
	}
	if c.ID == "" {
		return app.Papers{}, errors.New("name the incident (`tocsin incidents --all` lists them), or give --config and --replay ENTRIES")
	}
	cl, err := c.client()
	if err != nil {
		return app.Papers{}, err
	}
	d, err := cl.Incident(ctx, c.ID)
	if err != nil {
		return app.Papers{}, failed(err, c.ID)
	}
	return app.PapersOf(d, time.Now(), false, page(c.URL, d.Incident.ID)), nil
}

// relived is the incident of a replay.
func (c *postmortemCommand) relived(ctx context.Context, s *streams) (app.Relived, error) {
	if c.Config == "" {
		return app.Relived{}, errors.New("--replay needs --config FILE: the configuration whose rules are asked")
	}
	plan, errs := app.Load(c.Config)
	if len(errs) > 0 {
		return app.Relived{}, errs.Err()
	}
	next, closeAll, err := app.Entries(c.Replay, s.in, 0, time.Now())
	if err != nil {
		return app.Relived{}, err
	}
	defer closeAll()
	all, err := app.Relive(ctx, plan, app.Counting(next, s.terminal()), time.Time{})
	if err != nil {
		return app.Relived{}, err
	}
	d, err := app.Pick(all, c.ID)
	if err != nil {
		return d, &exit{code: exitNotFound, err: err}
	}
	return d, nil
}

// page is the address of an incident's page where others can reach it too; "" where only this machine can.
func page(service, id string) string {
	u, err := url.Parse(service)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsLoopback() || u.Hostname() == "localhost" {
		return ""
	}
	return strings.TrimRight(service, "/") + "/incidents/" + id
}
