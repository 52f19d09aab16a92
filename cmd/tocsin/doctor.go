package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tocsin/internal/app"
)

type doctorCommand struct {
	Config   string `required:"" placeholder:"FILE" help:"The configuration."`
	Project  string `placeholder:"PROJECT" help:"The project that tocsin runs in, whose quotas it uses; the configuration's if not given."`
	Format   string `enum:"text,json" default:"text" help:"text or json."`
	Endpoint string `placeholder:"HOST:PORT" help:"Asked instead of Google, without credentials, also for the sources that name no endpoint of their own: a stand-in on this machine, such as that of tocsin demo --cloud."`
}

// Help is shown under --help.
func (*doctorCommand) Help() string {
	return `Says for each source, rule and receiver what would keep it from working, and how to mend it: roles, quotas, kinds of resources that log
nothing, load balancers that do not log, exclusions, Slack's scopes and channels, keys and tokens, the clock, a watched cluster that it runs in
itself; and who outside notices when tocsin is gone. It reads, sends nothing and rings nobody; it opens the files with tokens. Run it as the account that the service runs as: in the cluster,
kubectl -n tocsin exec statefulset/tocsin -- /ko-app/tocsin doctor --config /etc/tocsin/tocsin.yaml. Exits 1 if anything fails.

Examples:
  tocsin doctor --config tocsin.yaml
  tocsin doctor --config tocsin.yaml --format json
  tocsin demo --cloud      says with which --config and --endpoint its stand-ins can be examined`
}

// Run examines.
func (c *doctorCommand) Run(ctx context.Context, s *streams) error {
	found, err := app.Doctor(ctx, app.Examining{Config: c.Config, Project: c.Project, Endpoint: c.Endpoint}, time.Now)
	if err != nil {
		return err
	}
	counts := map[string]int{}
	for _, f := range found {
		counts[string(f.Level)]++
		if c.Format == "json" {
			if err := json.NewEncoder(s.out).Encode(f); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			continue
		}
		fmt.Fprintf(s.out, "%-4s  %s: %s\n", f.Level, f.About, f.Text)
		if f.Mend != "" {
			fmt.Fprintf(s.out, "      -> %s\n", f.Mend)
		}
	}
	if c.Format == "text" {
		fmt.Fprintf(s.err, "%d ok, %d to look at, %d broken\n", counts["ok"], counts["warn"], counts["fail"])
	}
	if counts["fail"] > 0 {
		return &exit{code: exitNo}
	}
	return nil
}
