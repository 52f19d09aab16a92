package main

import (
	"context"
	"errors"
	"fmt"

	"tocsin/internal/app"
)

type auditCommand struct {
	List   auditListCommand   `cmd:"" help:"List who did what, the newest first."`
	Verify auditVerifyCommand `cmd:"" help:"Look for the first line that is not as it was written."`
}

// Help is shown under --help.
func (*auditCommand) Help() string {
	return `Each acknowledge, resolve, silence, override, test and sign-in is a line of the audit trail, written in the transaction that does it. Each
line carries a hash of itself and of the line before.

Examples:
  tocsin audit list
  tocsin audit verify`
}

type auditListCommand struct {
	remote
	Before int64 `placeholder:"NUMBER" help:"Those before this line."`
}

// Help is shown under --help.
func (*auditListCommand) Help() string {
	return `It takes the role admin. 200 lines at most are listed.

Examples:
  tocsin audit list
  tocsin audit list --before 1200 --format json`
}

// Run lists.
func (c *auditListCommand) Run(ctx context.Context, s *streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	trail, err := cl.Audit(ctx, c.Before)
	if err != nil {
		return failed(err, "")
	}
	if c.Format == "json" {
		return app.PrintJSON(s.out, trail)
	}
	if len(trail.Lines) == 0 {
		fmt.Fprintln(s.err, "nobody did anything yet")
		return nil
	}
	return app.PrintTrail(s.out, trail.Lines)
}

type auditVerifyCommand struct {
	remote
	Head string `placeholder:"NUMBER:HASH" help:"The head that was printed before: it must still be in the trail."`
}

// Help is shown under --help.
func (*auditVerifyCommand) Help() string {
	return `It takes the role admin, and prints how many lines there are and the head: the number and the hash of the last one. Keep the head where whoever
could change the database cannot reach it: given as --head later, it tells whether all of the trail was written anew, or its end cut off.
Exits 1 with the first line that does not fit.

Examples:
  tocsin audit verify
  tocsin audit verify --head 1204:9f2c...`
}

// Run verifies.
func (c *auditVerifyCommand) Run(ctx context.Context, s *streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	v, err := cl.VerifyAudit(ctx, c.Head)
	if err != nil {
		return failed(err, "")
	}
	if c.Format == "json" {
		err = app.PrintJSON(s.out, v)
	} else {
		_, err = fmt.Fprintf(s.out, "lines   %d whole\nhead    %s\n", v.Lines, v.Head)
	}
	if err == nil && v.Broken != "" {
		return &exit{code: exitNo, err: errors.New("the audit trail is broken: " + app.Plain(v.Broken))}
	}
	return err
}
