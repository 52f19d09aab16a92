package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"tocsin/internal/app"
)

type provisionCommand struct {
	Config   string   `required:"" placeholder:"FILE" help:"The configuration."`
	Apply    bool     `help:"Make what is missing or different. Without this it is only said what would be."`
	Emit     string   `enum:",terraform" default:"" placeholder:"terraform" help:"Write it as Terraform's configuration instead, asking nobody."`
	Project  string   `placeholder:"PROJECT" help:"The project that tocsin runs in; the configuration's if not given."`
	Member   string   `placeholder:"MEMBER" help:"The account that tocsin runs as, as IAM names it: principal://..., serviceAccount:.... Without it no roles are granted."`
	Watch    []string `placeholder:"PARENT" help:"Whose logs go to the subscription: projects/P, folders/N, organizations/N; may be repeated. The configuration's project if not given."`
	Topic    string   `placeholder:"TOPIC" help:"The subscription's topic, projects/P/topics/T; if not given, it is named as the subscription."`
	Name     string   `default:"tocsin" placeholder:"NAME" help:"The name of the sinks, tocsin if not given."`
	Channels []string `name:"notification-channel" placeholder:"CHANNEL" help:"Who is told when tocsin is silent: projects/P/notificationChannels/N; may be repeated, or several with commas between them."`
	Format   string   `enum:"text,json" default:"text" help:"text or json."`
	Endpoint string   `placeholder:"HOST:PORT" help:"Asked instead of Google, without credentials: a stand-in on this machine."`
}

// Help is shown under --help.
func (*provisionCommand) Help() string {
	return `Says what tocsin needs in Google Cloud, what of it is there and what would be made: for a source over Pub/Sub the topic, the
subscription and the sinks with what the rules want; the roles of the account it runs as; the alert policy that fires when tocsin itself is silent.
--apply makes it. Nothing is deleted, and what is somebody else's is left alone; a second time there is nothing to do. It asks as whoever
runs it (gcloud auth application-default login). Run it again when the rules change: the sinks' filters are theirs.
Exits 1 if something could not be looked at or made.

Examples:
  tocsin provision --config tocsin.yaml --project ops --member serviceAccount:tocsin@ops.iam.gserviceaccount.com
  tocsin provision --config tocsin.yaml --project ops --notification-channel projects/ops/notificationChannels/123 --apply
  tocsin provision --config tocsin.yaml --emit terraform > tocsin.tf`
}

// Validate refuses what cannot be done at once.
func (c *provisionCommand) Validate() error {
	if c.Apply && c.Emit != "" {
		return errors.New("--apply and --emit can't be used together")
	}
	return nil
}

// Run provisions.
func (c *provisionCommand) Run(ctx context.Context, s *streams) error {
	o := app.Provisioning{Config: c.Config, Project: c.Project, Member: c.Member, Watch: c.Watch, Topic: c.Topic, Name: c.Name, Channels: c.Channels}
	if c.Emit != "" {
		text, err := app.Terraform(o)
		if err != nil {
			return err
		}
		c.said(s)
		if len(c.Channels) == 0 {
			fmt.Fprintln(s.err, "the alert policy tells nobody: give --notification-channel (`gcloud beta monitoring channels list`)")
		}
		_, err = fmt.Fprint(s.out, text)
		return err
	}
	steps, err := app.Provision(ctx, o, c.Endpoint, c.Apply)
	if err != nil {
		return err
	}
	c.said(s)
	counts := map[string]int{}
	for _, step := range steps {
		word := step.Action
		if step.Done {
			word = map[string]string{"create": "created", "change": "changed"}[step.Action]
		}
		counts[word]++
		if c.Format == "json" {
			if err := json.NewEncoder(s.out).Encode(step); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			continue
		}
		fmt.Fprintf(s.out, "%-8s %s %s\n", word, step.Thing, step.Name)
		if step.Detail != "" {
			fmt.Fprintf(s.out, "         %s\n", step.Detail)
		}
	}
	if n := counts["create"] + counts["change"] + counts["later"]; n > 0 && !c.Apply {
		fmt.Fprintf(s.err, "nothing was changed: add --apply to make what is missing or different (%d)\n", n)
	}
	if n := counts["failed"]; n > 0 {
		return &exit{code: exitNo, err: errors.New(plural(n, "thing") + " could not be looked at or made")}
	}
	return nil
}

// said says what is left out for want of a flag.
func (c *provisionCommand) said(s *streams) {
	if c.Member == "" {
		fmt.Fprintln(s.err, "no roles are looked at or granted: name the account that tocsin runs as with --member")
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
