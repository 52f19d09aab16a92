package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
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
	// EmitTest and Within are of the test that should have been there.
	EmitTest string        `placeholder:"DIR" help:"Write a scenario into this directory instead: somebody is paged in time. With --replay; it fails until the rules do so."`
	Within   time.Duration `default:"5m" help:"With --emit-test: how soon after the first evidence somebody should have been paged (${default})."`
	ID       string        `arg:"" optional:"" name:"incident" help:"The incident: its id, or six characters or more of its beginning. Of a replay with one incident it may be left out."`
}

// Help is shown under --help.
func (*postmortemCommand) Help() string {
	return `The draft has Prow's own headings. It holds what is on record: when it began, when who was told, paged and had it, the lines, the
timeline; what nobody recorded is marked TODO. Text from logs is shortened, redacted and escaped.

Examples:
  tocsin postmortem 01D1V7GZ > draft.md
  tocsin postmortem 01D1V7GZ --out docs/post-mortems
  tocsin postmortem 01D1V7GZ --print mail
  tocsin postmortem --config deploy/prow/tocsin.yaml --replay outage.jsonl.gz
  tocsin postmortem --config tocsin.yaml --replay outage.jsonl.gz --emit-test scenarios --within 10m; tocsin test scenarios/*.yaml`
}

// Run writes the papers.
func (c *postmortemCommand) Run(ctx context.Context, s *streams) error {
	if c.EmitTest != "" {
		return c.emit(ctx, s)
	}
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
		_, d, err := c.relived(ctx, s)
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

// emit writes the test that should have been there.
func (c *postmortemCommand) emit(ctx context.Context, s *streams) error {
	switch {
	case len(c.Replay) == 0:
		return errors.New("--emit-test needs the entries: save those of that time with gcloud logging read, and give them as --replay FILE")
	case slices.Contains(c.Replay, "-"):
		return errors.New("--emit-test reads the entries twice, which standard input cannot be: write them into a file")
	case c.Within <= 0:
		return fmt.Errorf("--within %s is not possible: write how soon somebody should have been paged, such as 5m", c.Within)
	}
	plan, d, err := c.relived(ctx, s)
	if err != nil {
		return err
	}
	next, closeAll, err := app.Entries(c.Replay, nil, 0, time.Now())
	if err != nil {
		return err
	}
	defer closeAll()
	e, err := app.Emit(ctx, plan, d, next, c.Within)
	if err != nil {
		return err
	}
	if err := e.Write(c.EmitTest); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s\n%s (%d entries)\n", e.Scenario, e.Entries, e.Kept)
	today := "nobody is"
	if !e.Comes.IsZero() {
		today = e.Receiver + " is at " + e.Comes.UTC().Format(time.RFC3339)
	}
	if !e.Fails() {
		fmt.Fprintf(s.err, "warning: it holds already: %s is to be paged by %s, and %s; say what should have been sooner with --within\n", e.Receiver, e.By.UTC().Format(time.RFC3339), today)
		return nil
	}
	fmt.Fprintf(s.out, "It fails until the rules do better: %s is to be paged by %s; today %s.\n", e.Receiver, e.By.UTC().Format(time.RFC3339), today)
	return nil
}

// relived is the incident of a replay, and what it was replayed under.
func (c *postmortemCommand) relived(ctx context.Context, s *streams) (*app.Plan, app.Relived, error) {
	if c.Config == "" {
		return nil, app.Relived{}, errors.New("--replay needs --config FILE: the configuration whose rules are asked")
	}
	plan, errs := app.Load(c.Config)
	if len(errs) > 0 {
		return nil, app.Relived{}, errs.Err()
	}
	next, closeAll, err := app.Entries(c.Replay, s.in, 0, time.Now())
	if err != nil {
		return nil, app.Relived{}, err
	}
	defer closeAll()
	all, err := app.Relive(ctx, plan, app.Counting(next, s.terminal()), time.Time{})
	if err != nil {
		return nil, app.Relived{}, err
	}
	d, err := app.Pick(all, c.ID)
	if err != nil {
		return nil, d, &exit{code: exitNotFound, err: err}
	}
	return plan, d, nil
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
