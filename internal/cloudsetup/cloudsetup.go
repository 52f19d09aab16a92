// Package cloudsetup knows what tocsin needs in Google Cloud: a sink, a topic and a subscription for its entries, roles for the account
// that it runs as, and an alert policy that fires when tocsin itself goes silent. It says what is there and what is missing, makes
// what is missing, or writes it down for Terraform. It never deletes, and of an IAM policy it only adds to the members of one role.
package cloudsetup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Wanted is all that is to be there.
type Wanted struct {
	// Project is the project that tocsin's own things are made in.
	Project string
	// Member is the account that tocsin runs as, as IAM names it: principal://..., serviceAccount:... Empty: no roles are granted.
	Member string
	// Subscriptions are those that tocsin takes entries from.
	Subscriptions []Subscription
	// Grants are roles of Member, beside those on the subscriptions.
	Grants []Grant
	// Silent is the alert policy for tocsin's own silence.
	Silent Silent
}

// Subscription is a way for entries to reach tocsin: sinks write to its topic.
type Subscription struct {
	// Name and Topic are full: projects/P/subscriptions/S, projects/P/topics/T.
	Name, Topic string
	Sinks       []Sink
}

// Sink is one parent's part of a subscription's entries.
type Sink struct {
	// Parent is whose log it is: projects/P, folders/N or organizations/N.
	Parent string
	// Name is the sink's, in its parent.
	Name string
	// Filter is what the rules want, in the Logging query language; empty is everything.
	Filter string
}

// Grant is one role on one resource.
type Grant struct {
	// Resource is projects/P, folders/N or organizations/N.
	Resource string
	Role     string
	// View, if set, is the only log view that the role is for: projects/P/locations/L/buckets/B/views/V.
	View string
}

// Silent is an alert policy on the absence of what tocsin writes about itself.
type Silent struct {
	// Query is in PromQL, and has an answer while tocsin is silent.
	Query string
	// Channels are who is told: projects/P/notificationChannels/N.
	Channels []string
}

// What a Step says of a thing.
const (
	Exists = "exists" // it is there, as it is to be
	Create = "create"
	Change = "change" // it is there, but not as it is to be
	Later  = "later"  // it cannot be told before something else was made
	Failed = "failed" // it could not be looked at or made
)

// Step is one thing that is to be there.
type Step struct {
	// Thing is what it is, in a word or two ("topic", "role"), Name its full name.
	Thing  string `json:"thing"`
	Name   string `json:"name"`
	Action string `json:"action"`
	// Detail is what would be changed, or why it failed and how to mend that.
	Detail string `json:"detail,omitempty"`
	// Done says that the action was done.
	Done bool `json:"done,omitempty"`
}

// item is a thing that can be looked at, and made as it is to be.
type item struct {
	thing, name string
	// needs is the role of whoever looks or makes, for when it is refused.
	needs string
	// look returns Exists, Create, Change or Later.
	look func(ctx context.Context) (action, detail string, err error)
	// make does what look has found to be needed.
	make func(ctx context.Context) error
}

// Plan looks at everything and changes nothing. What cannot be looked at is a Step that failed: the rest is told all the same.
func (c *Clients) Plan(ctx context.Context, w Wanted) []Step { return c.run(ctx, w, false) }

// Apply makes what is missing or different, in an order in which each thing finds what it needs. It goes on after a failure: what
// was done is not done again the next time.
func (c *Clients) Apply(ctx context.Context, w Wanted) []Step { return c.run(ctx, w, true) }

func (c *Clients) run(ctx context.Context, w Wanted, apply bool) []Step {
	var steps []Step
	for _, it := range c.items(w) {
		step := Step{Thing: it.thing, Name: it.name}
		action, detail, err := it.look(ctx)
		step.Action, step.Detail = action, detail
		if err == nil && apply && (action == Create || action == Change) {
			err = it.make(ctx)
			step.Done = err == nil
		}
		if err != nil {
			step.Action, step.Detail = Failed, explain(err, it.needs)
		}
		steps = append(steps, step)
	}
	return steps
}

// explain words an error of an API with its mend.
func explain(err error, needs string) string {
	s, ok := status.FromError(err)
	if !ok {
		return err.Error()
	}
	switch s.Code() {
	case codes.PermissionDenied:
		return fmt.Sprintf("you may not: %s. You need %s there for this, or somebody who has it runs this command", s.Message(), needs)
	case codes.Unauthenticated:
		return fmt.Sprintf("you are not signed in: %s. Run `gcloud auth application-default login`", s.Message())
	case codes.NotFound:
		return fmt.Sprintf("not found: %s. Look whether its project is there and its name is right", s.Message())
	case codes.FailedPrecondition:
		return fmt.Sprintf("%s: is the API enabled? `gcloud services enable logging.googleapis.com pubsub.googleapis.com monitoring.googleapis.com cloudresourcemanager.googleapis.com`", s.Message())
	default:
		return fmt.Sprintf("%s: %s", s.Code(), s.Message())
	}
}

// items are the things of w, in the order in which they are made.
func (c *Clients) items(w Wanted) []item {
	var items []item
	for _, s := range w.Subscriptions {
		items = append(items, c.topic(s.Topic), c.subscription(s))
		for _, sink := range s.Sinks {
			items = append(items, c.sink(sink, s.Topic), c.publisher(sink, s.Topic))
		}
		if w.Member != "" {
			items = append(items, c.grant(binding{"subscription", s.Name, c.subscriptions, "roles/pubsub.subscriber", w.Member, "", "roles/pubsub.admin"}))
		}
	}
	for _, g := range w.Grants {
		if w.Member != "" {
			items = append(items, c.grant(c.bindingOf(g, w.Member)))
		}
	}
	return append(items, c.silent(w.Project, w.Silent))
}

// bindingOf is a grant on a project, a folder or an organization.
func (c *Clients) bindingOf(g Grant, member string) binding {
	b := binding{thing: "role", resource: g.Resource, role: g.Role, member: member, needs: "roles/resourcemanager.projectIamAdmin"}
	switch kind, _, _ := strings.Cut(g.Resource, "/"); kind {
	case "folders":
		b.holder, b.needs = c.folders, "roles/resourcemanager.folderIamAdmin"
	case "organizations":
		b.holder, b.needs = c.organizations, "roles/resourcemanager.organizationAdmin"
	default:
		b.holder = c.projects
	}
	if g.View != "" {
		b.condition = viewCondition(g.View)
	}
	return b
}

// viewCondition is true of one log view alone.
func viewCondition(view string) string {
	_, place, _ := strings.Cut(view, "/locations/")
	return fmt.Sprintf("resource.name.endsWith(%q)", "locations/"+place)
}

// Clean says whether nothing is to be done and nothing failed.
func Clean(steps []Step) bool {
	return !slices.ContainsFunc(steps, func(s Step) bool { return s.Action != Exists && !s.Done })
}
