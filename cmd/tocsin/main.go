// Command tocsin is the alerter: it serves, and it tests, replays and explains what it would do.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"syscall"
	"time"

	"context"
	_ "time/tzdata" // an image without a time zone database must know them too

	"github.com/alecthomas/kong"

	"tocsin/internal/app"
	"tocsin/internal/config"
)

// cli are the subcommands.
type cli struct {
	Demo       demoCommand       `cmd:"" help:"See the whole service work, without an account or a file."`
	Serve      serveCommand      `cmd:"" help:"Run the service."`
	Replay     replayCommand     `cmd:"" help:"Say who would have been told what, and when, on recorded entries."`
	Grep       grepCommand       `cmd:"" help:"Print the entries that a filter matches."`
	Check      checkCommand      `cmd:"" help:"Find every mistake in configurations and rule files."`
	Test       testCommand       `cmd:"" help:"Run the cases beside the rules, and scenarios."`
	Backtest   backtestCommand   `cmd:"" help:"Count what each rule would have fired, told and paged on recorded entries."`
	Diff       diffCommand       `cmd:"" help:"Say which pages come and go with a change of rules, on recorded entries."`
	Explain    explainCommand    `cmd:"" help:"Say what becomes of an entry, gate by gate, and which gate says no."`
	Routes     routesCommand     `cmd:"" help:"Say who would hear of an incident."`
	Schema     schemaCommand     `cmd:"" help:"Print the JSON Schema of rule files, configurations or scenario files."`
	Rule       ruleCommand       `cmd:"" help:"Write a new rule."`
	Incidents  incidentsCommand  `cmd:"" help:"List incidents, or show one with its timeline."`
	Ack        ackCommand        `cmd:"" help:"Acknowledge an incident: you have it, the pages stop."`
	Declare    declareCommand    `cmd:"" help:"Declare an incident that no rule has found."`
	Note       noteCommand       `cmd:"" help:"Write down in an incident's timeline what you have found."`
	Merge      mergeCommand      `cmd:"" help:"Let an incident be taken in by another."`
	Split      splitCommand      `cmd:"" help:"Make an incident of its own of an alert."`
	Ask        askCommand        `cmd:"" help:"Ask somebody to take an incident, or to take it over."`
	Resolve    resolveCommand    `cmd:"" help:"Resolve an incident."`
	Oncall     oncallCommand     `cmd:"" help:"Show who is on call, put somebody on call."`
	NotifyTest notifyTestCommand `cmd:"" help:"Send a test to a receiver or a person."`
	Silence    silenceCommand    `cmd:"" help:"Keep alerts from being told for a while; list and end silences."`
	Promote    promoteCommand    `cmd:"" help:"Let a rule go further: from shadow to tell, from tell to page, with its record."`
	Postmortem postmortemCommand `cmd:"" help:"Draft the post-mortem of an incident, the note to the channel and the mail to the developers."`
	Audit      auditCommand      `cmd:"" help:"Say who did what, and whether the record of it is whole."`
	Backup     backupCommand     `cmd:"" help:"Copy the database, also while the service runs."`
	Restore    restoreCommand    `cmd:"" help:"Put a backup in the place of the database."`
	Doctor     doctorCommand     `cmd:"" help:"Say what would keep each source, rule and receiver from working, and how to mend it."`
	Provision  provisionCommand  `cmd:"" help:"Say what tocsin needs in Google Cloud, and make it."`
	Completion completionCommand `cmd:"" help:"Print what completes commands and flags in bash, zsh or fish."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
}

// The exit codes. grep has its own meaning of 1: nothing matched.
const (
	exitNo       = 1 // what was asked is not so: a check found mistakes, a case fails
	exitError    = 2 // it could not be done
	exitNotFound = 3
	exitConflict = 4
)

// exit is an error that says how the process is to end. Without a text it has been said already.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
	// colour says that out is a terminal that wants colours.
	colour bool
}

func main() { os.Exit(run()) }

// run is main with an exit code, for the scripts that test it.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, colour: isTerminal(os.Stdout)}
	return runWith(ctx, s, os.Args[1:])
}

func runWith(ctx context.Context, s *streams, args []string) int {
	var c cli
	code := -1
	parser, err := kong.New(&c, kong.Name("tocsin"), kong.Writers(s.out, s.err), kong.Exit(func(n int) { code = n }),
		kong.Description("The alarm bell of a system that runs on GKE: reads its logs, makes one incident of all that belongs together, calls oncall until somebody has it."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(duration)),
		kong.TypeMapper(reflect.TypeFor[time.Time](), kong.MapperFunc(instant)), kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(s))
	if err != nil {
		fmt.Fprintln(s.err, "tocsin:", err)
		return exitError
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(negated(args))
	if code >= 0 {
		return code // help was asked for
	}
	if err != nil {
		fmt.Fprintf(s.err, "tocsin: %v\n", err)
		fmt.Fprintln(s.err, "Try `tocsin --help`, or `tocsin COMMAND --help` for examples.")
		return exitError
	}
	return ending(s, k.Run())
}

// duration reads a duration of the command line as the configuration's are read.
func duration(c *kong.DecodeContext, into reflect.Value) error {
	var text string
	if err := c.Scan.PopValueInto("duration", &text); err != nil {
		return err
	}
	d, err := app.ParseDuration(text)
	into.SetInt(int64(d))
	return err
}

// instant reads a time of the command line. One without its offset would be another on each machine.
func instant(c *kong.DecodeContext, into reflect.Value) error {
	var text string
	if err := c.Scan.PopValueInto("time", &text); err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return fmt.Errorf("%q is not a time: write it as 2026-11-23T09:00:00Z, or with an offset, 2026-11-23T09:00:00-08:00", text)
	}
	into.Set(reflect.ValueOf(at))
	return nil
}

// ending prints an error and gives its code.
func ending(s *streams, err error) int {
	var e *exit
	var mistakes config.Errors
	switch {
	case err == nil:
		return 0
	case errors.As(err, &mistakes): // each line begins with its place, as editors understand it
		fmt.Fprintln(s.err, mistakes)
		return exitError
	case errors.As(err, &e):
		if e.err != nil {
			fmt.Fprintln(s.err, "tocsin:", e.err)
		}
		return e.code
	default:
		fmt.Fprintln(s.err, "tocsin:", err)
		return exitError
	}
}

// isTerminal says whether f is a terminal, and nobody asked for no colour (https://no-color.org).
func isTerminal(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
