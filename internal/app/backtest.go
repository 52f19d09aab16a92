package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tocsin/internal/backtest"
	"tocsin/internal/config"
	"tocsin/internal/escalation"
	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/notifiers"
)

// Backtest replays entries under a plan and counts what came of it. Remarks are what somebody should know who reads the result.
func Backtest(ctx context.Context, plan *Plan, entries func() (logs.Batch, error), night backtest.Night) (report *backtest.Report, remarks []string, err error) {
	return tested(ctx, &Replay{Plan: plan, Entries: entries}, night)
}

func tested(ctx context.Context, r *Replay, night backtest.Night) (report *backtest.Report, remarks []string, err error) {
	t := tallying{backtest.NewTally(night, tried(r.Plan))}
	r.Tell, r.Read = t, t.Read
	if err := r.Run(ctx); err != nil {
		return nil, nil, err
	}
	return t.Report(r.Counts.Entries), r.Remarks(), nil
}

// BacktestFrom is where a backtest's entries are from: files, or standard input where none is named, or for Since what the sources received so
// long. Say is where is said how they are read, Terminal where to show how far; nil if nobody looks.
type BacktestFrom struct {
	Files         []string
	Stdin         io.Reader
	Since         time.Duration
	Say, Terminal io.Writer
}

// Backtest reads and counts; see the function of that name.
func (f BacktestFrom) Backtest(ctx context.Context, plan *Plan, night backtest.Night) (report *backtest.Report, remarks []string, err error) {
	switch {
	case f.Since != 0 && f.Since <= unlisted:
		return nil, nil, errors.New("--since: write how far back, more than a minute, such as 30d")
	case f.Since > 0 && len(f.Files) > 0:
		return nil, nil, errors.New("--since reads from the sources: give it, or files of entries, not both")
	case f.Since > 0:
		now := time.Now()
		return (&Since{Plan: plan, From: now.Add(-f.Since), Until: now.Add(-unlisted), To: f.Say}).Backtest(ctx, night)
	}
	next, closeAll, err := Entries(f.Files, f.Stdin, 0, time.Now())
	if err != nil {
		return nil, nil, err
	}
	defer closeAll()
	return Backtest(ctx, plan, Counting(next, f.Terminal), night)
}

// tried are the rules of a plan, as a report names them.
func tried(plan *Plan) []backtest.Rule {
	var out []backtest.Rule
	for _, r := range plan.configured() {
		out = append(out, backtest.Rule{Name: r.Name, Mode: r.Mode, Severity: r.Severity, Hash: r.Hash})
	}
	return out
}

// tallying is a Teller that counts.
type tallying struct{ *backtest.Tally }

// Alert counts an alert.
func (t tallying) Alert(at time.Time, a incident.Alert, _ string) { t.Tally.Alert(at, &a) }

// Incident sees how an incident is.
func (t tallying) Incident(_ time.Time, inc *incident.Incident) { t.Tally.Incident(inc) }

// Notification counts what rings.
func (t tallying) Notification(at time.Time, n notifiers.Notice, _ string, page bool, _ string) {
	if page || n.Rings {
		t.Told(at, &n.Incident, n.Target, n.Reason, page)
	}
}

// NightOf is a night as it is typed, in a place: that of the plan's schedules where none is given, else UTC.
func NightOf(plan *Plan, text, zone string) (backtest.Night, error) {
	if zone == "" {
		zone = plan.zone()
	}
	at, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return backtest.Night{}, fmt.Errorf("%q is no time zone: write a name of the time zone database, such as America/Los_Angeles", zone)
	}
	return backtest.ParseNight(text, at)
}

// zone is where the people on the first schedule that says so are; UTC if none does.
func (p *Plan) zone() string {
	for _, name := range slices.Sorted(maps.Keys(p.File.Schedules)) {
		var s escalation.Schedule
		if errs := config.Decode(p.File.Schedules[name], &s); len(errs) == 0 && s.Location != "" {
			return s.Location
		}
	}
	return "UTC"
}

// LoadVersion reads one of two sets of rules that are compared: of a configuration, or, under the configuration at base, those of a rule
// file or of all .yaml files in a directory.
func LoadVersion(base, of string) (*Plan, error) {
	st, err := os.Stat(of)
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	if !st.IsDir() && !isRuleFile(of) {
		plan, errs := Load(of)
		return plan, errs.Err()
	}
	if base == "" {
		return nil, fmt.Errorf("%s holds rules alone: give the configuration whose routes and policies they are tried with, as --config FILE", of)
	}
	pattern, err := filepath.Abs(of)
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	if st.IsDir() {
		pattern = filepath.Join(pattern, "*.yaml")
	}
	plan, errs := loadRules(base, []string{pattern})
	if len(errs) > 0 {
		return nil, errs.Err()
	}
	if len(plan.configured()) == 0 {
		return nil, fmt.Errorf("%s holds no rule: name a directory with rule files (*.yaml)", of)
	}
	return plan, nil
}

// Compare backtests two sets of rules on the same files of entries and says how they differ. progress shows how far it is; may be nil.
func Compare(ctx context.Context, old, now *Plan, files []string, night backtest.Night, progress io.Writer) (*backtest.Diff, []string, error) {
	var reports [2]*backtest.Report
	var remarks []string
	for i, plan := range []*Plan{old, now} {
		next, closeAll, err := Entries(files, nil, 0, time.Now())
		if err != nil {
			return nil, nil, err
		}
		reports[i], remarks, err = Backtest(ctx, plan, Counting(next, progress), night)
		closeAll()
		if err != nil {
			return nil, nil, err
		}
	}
	return backtest.Compare(reports[0], reports[1]), remarks, nil
}
