package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"

	"tocsin/internal/app"
	"tocsin/internal/web/client"
)

// serving is how a command reaches the service.
type serving struct {
	URL       string `default:"http://127.0.0.1:8480" env:"TOCSIN_URL" help:"Where tocsin serves (${env})."`
	TokenFile string `placeholder:"FILE" env:"TOCSIN_TOKEN_FILE" help:"The file that holds your token, where one signs in (${env}); or put the token itself into TOCSIN_TOKEN."`
}

// remote is how a command reaches the service, and how it prints what that says.
type remote struct {
	serving
	Format string `enum:"text,json" default:"text" help:"text for people, json for programs."`
}

// client shows the token that there is; one never stands on the command line, where every process of the machine could read it.
func (r *serving) client() (*client.Client, error) {
	c, err := client.New(r.URL)
	if err != nil {
		return nil, err
	}
	if r.TokenFile == "" {
		return c.WithToken(strings.TrimSpace(os.Getenv("TOCSIN_TOKEN"))), nil
	}
	data, err := os.ReadFile(r.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("read token: %w", err)
	}
	return c.WithToken(strings.TrimSpace(string(data))), nil
}

// failed gives an error of the service its exit code. id is the incident that was asked for, if it was one.
func failed(err error, id string) error {
	var e *client.Error
	if !errors.As(err, &e) {
		return err
	}
	if id != "" {
		err = fmt.Errorf("incident %s: %w", id, err)
	}
	switch e.Code() {
	case client.NotFound:
		return &exit{code: exitNotFound, err: err}
	case client.Conflict:
		return &exit{code: exitConflict, err: err}
	}
	return err
}

type incidentsCommand struct {
	remote
	All   bool   `short:"a" help:"Those that are over, too."`
	Limit int    `short:"n" default:"50" help:"List so many at most, the newest (${default})."`
	ID    string `arg:"" optional:"" help:"Show this one: its id, or six characters or more of its beginning."`
}

// Help is shown under --help.
func (*incidentsCommand) Help() string {
	return `Where there are more than are listed it says so, in JSON as total. On a terminal as much of an id is bold as is needed to name
it among those. Exits 3 if there is no incident of that id.

Examples:
  tocsin incidents
  tocsin incidents --limit 500
  tocsin incidents --all --format json
  tocsin incidents 01D1V7`
}

// Run lists or shows.
func (c *incidentsCommand) Run(ctx context.Context, s *streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	if c.ID != "" {
		d, err := cl.Incident(ctx, c.ID)
		if err != nil {
			return failed(err, c.ID)
		}
		if c.Format == "json" {
			return app.PrintJSON(s.out, d)
		}
		return app.PrintIncident(s.out, d)
	}
	if c.Limit < 1 {
		return fmt.Errorf("--limit %d is not possible: write how many to list, 1 or more", c.Limit)
	}
	f := client.Filter{Limit: c.Limit}
	if !c.All {
		f.States = client.Unfinished
	}
	list, err := cl.Newest(ctx, f)
	if err != nil {
		return failed(err, "")
	}
	if shown := len(list.Incidents); list.Next != "" {
		defer fmt.Fprintf(s.err, "%d of %d shown, the newest: --limit %d shows all\n", shown, list.Total, list.Total)
	}
	if c.Format == "json" {
		return app.PrintJSON(s.out, list)
	}
	if len(list.Incidents) == 0 {
		fmt.Fprintln(s.err, "nothing is open")
		return nil
	}
	return app.PrintIncidents(s.out, list, s.colour)
}

type actCommand struct {
	remote
	By string `help:"Who you are; your login's name if not given."`
	ID string `arg:"" help:"The incident: its id, or six characters or more of its beginning."`
}

func (c *actCommand) act(ctx context.Context, s *streams, did string, do func(cl *client.Client, by string) (client.Detail, error)) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	by := whoami(c.By)
	d, err := do(cl, by)
	if err != nil {
		return failed(err, c.ID)
	}
	if c.Format == "json" {
		return app.PrintJSON(s.out, d)
	}
	return app.PrintDeed(s.out, d, did, by)
}

// whoami is who is named, else the login's name.
func whoami(named string) string {
	if named != "" {
		return named
	}
	if name := os.Getenv("USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

type ackCommand struct{ actCommand }

// Help is shown under --help.
func (*ackCommand) Help() string {
	return `An acknowledge covers what fires now. Something new at high or above, or a higher severity, takes it back and pages.
Exits 3 if there is no such incident, 4 if it is over.

Examples:
  tocsin ack 01D1V7GZ
  tocsin ack --by alice 01D1V7GZ`
}

// Run acknowledges.
func (c *ackCommand) Run(ctx context.Context, s *streams) error {
	return c.act(ctx, s, "acknowledged", func(cl *client.Client, by string) (client.Detail, error) { return cl.Acknowledge(ctx, c.ID, by) })
}

type resolveCommand struct{ actCommand }

// Help is shown under --help.
func (*resolveCommand) Help() string {
	return `What still fires in ten minutes reopens it, with a page. Exits 3 if there is no such incident, 4 if it is over.

Examples:
  tocsin resolve 01D1V7GZ`
}

// Run resolves.
func (c *resolveCommand) Run(ctx context.Context, s *streams) error {
	return c.act(ctx, s, "resolved", func(cl *client.Client, by string) (client.Detail, error) { return cl.Resolve(ctx, c.ID, by) })
}
