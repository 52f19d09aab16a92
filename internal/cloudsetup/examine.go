package cloudsetup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	logging "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tocsin/internal/setting"
	"tocsin/internal/sources/google"
)

// Reading is a source that lists entries, as far as an examination asks.
type Reading struct {
	// Resources are what it reads: projects/P, also with a bucket's view behind it.
	Resources []string
	// Endpoint is where it reads, if not at Google; see Dial.
	Endpoint string
	// Own is the filter of the source's own setting; "" is none.
	Own string
	// Filter is what it pushes down of the rules; "" is everything.
	Filter string
	Rules  []RuleFilter
}

// RuleFilter is one rule that asks a source.
type RuleFilter struct {
	Name, Filter string
	// Types are the types of resources that it can match; empty if its filter does not say.
	Types []string
}

const (
	// lately is how far back something must have been logged at all, unseen how far back a type of resource.
	lately = time.Hour
	unseen = 7 * 24 * time.Hour
	// mostLists bounds the lists of one examination: the service itself wants its part of the 60 a minute.
	mostLists = 30
)

// examination collects what was found. Its lists are bounded.
type examination struct {
	found  []setting.Finding
	client *logging.Client
	now    time.Time
	lists  int
}

var errEnough = errors.New("not asked, to leave the quota of lists to the service")

func (x *examination) add(level setting.Level, mend, format string, args ...any) {
	x.found = append(x.found, setting.Finding{Level: level, Text: fmt.Sprintf(format, args...), Mend: mend})
}

// seen says whether a filter has an entry that is no older than back.
func (x *examination) seen(ctx context.Context, resources []string, filter string, back time.Duration) (bool, error) {
	if x.lists++; x.lists > mostLists {
		return false, errEnough
	}
	text := fmt.Sprintf("timestamp>=%q", x.now.Add(-back).UTC().Format(time.RFC3339))
	if filter != "" {
		text += " (" + filter + "\n)"
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	_, err := x.client.ListLogEntries(ctx, &loggingpb.ListLogEntriesRequest{ResourceNames: resources, Filter: text, OrderBy: "timestamp desc", PageSize: 1}).Next()
	if errors.Is(err, iterator.Done) {
		return false, nil
	}
	return err == nil, err
}

// ExamineReading says what keeps a source of kind cloud_logging from working. The findings' About is left to the caller.
func ExamineReading(ctx context.Context, r Reading, now time.Time) []setting.Finding {
	client, err := logging.NewClient(ctx, google.Options(r.Endpoint, nil)...)
	if err != nil {
		return []setting.Finding{{Level: setting.Broken, Text: "no client of Cloud Logging can be made: " + err.Error(), Mend: "gcloud auth application-default login"}}
	}
	defer client.Close()                    //nolint:errcheck // nothing is written through it
	client.CallOptions.ListLogEntries = nil // no retries: what is found is told
	x := &examination{client: client, now: now}
	readable := true
	for _, name := range r.Resources {
		readable = x.resource(ctx, name) && readable
	}
	if !readable {
		return x.found
	}
	if x.filters(ctx, r) {
		x.types(ctx, r)
	}
	return x.found
}

// resource says whether a resource can be read, and whether anything is in it.
func (x *examination) resource(ctx context.Context, name string) bool {
	role, parent := "roles/logging.viewer", name
	if p, _, ok := strings.Cut(name, "/locations/"); ok {
		role, parent = "roles/logging.viewAccessor", p
	}
	some, err := x.seen(ctx, []string{name}, "", lately)
	switch {
	case errors.Is(err, errEnough):
		x.add(setting.Doubtful, "", "%s: %v", name, err)
	case status.Code(err) == codes.PermissionDenied:
		x.add(setting.Broken, fmt.Sprintf("grant %s on %s to the account that tocsin runs as: tocsin provision --apply --member MEMBER", role, parent), "%s cannot be read: %s", name, status.Convert(err).Message())
		return false
	case status.Code(err) == codes.Unauthenticated:
		x.add(setting.Broken, "gcloud auth application-default login; in a cluster: Workload Identity, see deploy/README.md", "%s cannot be read, nobody is signed in: %s", name, status.Convert(err).Message())
		return false
	case status.Code(err) == codes.ResourceExhausted:
		x.add(setting.Broken, "wait a minute, lower calls_per_minute of the sources, or have the quota raised (60 lists a minute for a project)", "%s: the quota is used up: %s", name, status.Convert(err).Message())
		return false
	case err != nil:
		x.add(setting.Broken, "is logging.googleapis.com reachable from here, the API enabled and the name right?", "%s cannot be read: %s", name, status.Convert(err).Message())
		return false
	case !some:
		x.add(setting.Doubtful, "is this the right one, or do its entries go to another bucket? gcloud logging sinks list", "%s can be read, and nothing was logged in the last hour", name)
	default:
		x.add(setting.Fine, "", "%s can be read", name)
	}
	return true
}

// filters says whether Cloud Logging takes what the source and the rules ask, and if not, whose filter it refuses.
func (x *examination) filters(ctx context.Context, r Reading) bool {
	both := r.Filter
	if r.Own != "" {
		if _, err := x.seen(ctx, r.Resources, r.Own, time.Minute); status.Code(err) == codes.InvalidArgument {
			x.add(setting.Broken, "write it so that the Logs Explorer takes it: nothing is read until then", "Cloud Logging refuses the source's own filter: %s", status.Convert(err).Message())
			return false
		}
		both = r.Own
		if r.Filter != "" {
			both += "\n) AND (" + r.Filter
		}
	}
	if r.Filter == "" && len(r.Rules) > 0 {
		x.add(setting.Doubtful, "give the source fewer rules (the rules' `sources`), or narrow it by its own filter", "the rules ask for everything, or for too much to be said in one request: the whole log is read")
	}
	_, err := x.seen(ctx, r.Resources, both, time.Minute)
	if status.Code(err) != codes.InvalidArgument {
		if err != nil {
			x.add(setting.Doubtful, "", "what the rules ask could not be tried: %s", status.Convert(err).Message())
		} else if n := len(r.Rules); n > 0 {
			x.add(setting.Fine, "", "Cloud Logging takes what the rules ask (%d characters)", len([]rune(r.Filter)))
		}
		return err == nil
	}
	named := false
	for _, rule := range r.Rules {
		if _, err := x.seen(ctx, r.Resources, rule.Filter, time.Minute); status.Code(err) == codes.InvalidArgument {
			x.add(setting.Broken, "write the filter so that the Logs Explorer takes it", "Cloud Logging refuses the filter of rule %s: %s", rule.Name, status.Convert(err).Message())
			named = true
		}
	}
	if !named {
		x.add(setting.Broken, "give the source fewer rules (the rules' `sources`)", "Cloud Logging refuses what the rules ask together: %s", status.Convert(err).Message())
	}
	return false
}

// types says which rules ask for resources that have logged nothing for a week, those of the same types together.
func (x *examination) types(ctx context.Context, r Reading) {
	known := map[string]bool{}
	var kinds []string              // that have logged nothing
	silent := map[string][]string{} // the rules, by them
	asked := 0
rules:
	for _, rule := range r.Rules {
		if len(rule.Types) == 0 {
			continue
		}
		asked++
		some := false
		for _, kind := range rule.Types {
			if _, ok := known[kind]; !ok {
				seen, err := x.seen(ctx, r.Resources, fmt.Sprintf("resource.type=%q", kind), unseen)
				if err != nil {
					x.add(setting.Doubtful, "", "resources of type %s: %s", kind, status.Convert(err).Message())
					asked = 0 // it cannot be said of all
					break rules
				}
				known[kind] = seen
			}
			some = some || known[kind]
		}
		if !some {
			of := strings.Join(rule.Types, ", ")
			if silent[of] == nil {
				kinds = append(kinds, of)
			}
			silent[of] = append(silent[of], rule.Name)
		}
	}
	for _, of := range kinds {
		const mend = "is the log of these on, and is this the source that has them? If they belong to no installation of yours, leave the "
		if names := silent[of]; len(names) == 1 {
			x.add(setting.Doubtful, mend+"rule out", "rule %s can only match resources of type %s, of which nothing was logged for 7 days", names[0], of)
		} else {
			x.add(setting.Doubtful, mend+"rules out", "%d rules can only match resources of type %s, of which nothing was logged for 7 days: %s", len(names), of, strings.Join(names, ", "))
		}
	}
	if asked > 0 && len(silent) == 0 {
		x.add(setting.Fine, "", "all types of resources that the rules ask for were seen within 7 days")
	}
}

// granted is how to mend that something cannot be looked at: a role where one is missing, else the way to the API that did not answer.
func granted(err error, role, api string) string {
	if c := status.Code(err); c == codes.PermissionDenied || c == codes.Unauthenticated {
		return role
	}
	return "is " + api + " reachable from here, and the API enabled?"
}

// Exclusions says what is kept out of the logs of a parent (projects/P, folders/N, organizations/N) before anybody can read it.
func (c *Clients) Exclusions(ctx context.Context, parent string) []setting.Finding {
	x := &examination{}
	var told []string
	tell := func(e *loggingpb.LogExclusion) {
		if e.GetDisabled() || slices.Contains(told, e.GetName()) {
			return
		}
		told = append(told, e.GetName())
		x.add(setting.Doubtful, "look whether a rule needs it; gcloud logging sinks update _Default --remove-exclusions="+e.GetName(), "%s: the exclusion %s keeps out: %s", parent, e.GetName(), filterText(e.GetFilter()))
	}
	sink, err := c.config.GetSink(ctx, &loggingpb.GetSinkRequest{SinkName: parent + "/sinks/_Default"})
	if err == nil && sink.GetDisabled() {
		x.add(setting.Doubtful, "gcloud logging sinks update _Default --no-disabled", "%s: the sink _Default is disabled: what no other sink takes is kept nowhere", parent)
	}
	for _, e := range sink.GetExclusions() {
		tell(e)
	}
	if missing(err) {
		err = nil
	}
	if err == nil {
		it := c.config.ListExclusions(ctx, &loggingpb.ListExclusionsRequest{Parent: parent})
		for {
			var e *loggingpb.LogExclusion
			if e, err = it.Next(); err != nil {
				break
			}
			tell(e)
		}
	}
	switch {
	case err != nil && !errors.Is(err, iterator.Done):
		x.add(setting.Doubtful, granted(err, "grant roles/logging.viewer on "+parent, "logging.googleapis.com"), "%s: what is kept out of the log cannot be looked at: %s", parent, status.Convert(err).Message())
	case len(x.found) == 0:
		x.add(setting.Fine, "", "%s: nothing is kept out of the log", parent)
	}
	return x.found
}

// Subscribed says whether entries can be taken from a subscription.
func (c *Clients) Subscribed(ctx context.Context, name string) []setting.Finding {
	const permission = "pubsub.subscriptions.consume"
	x := &examination{}
	answer, err := c.subscriptions.TestIamPermissions(ctx, &iampb.TestIamPermissionsRequest{Resource: name, Permissions: []string{permission}})
	switch {
	case missing(err):
		x.add(setting.Broken, "tocsin provision --apply", "%s is not there", name)
	case err != nil:
		x.add(setting.Broken, "is pubsub.googleapis.com reachable from here, and the API enabled?", "%s cannot be looked at: %s", name, status.Convert(err).Message())
	case !slices.Contains(answer.GetPermissions(), permission):
		x.add(setting.Broken, "grant roles/pubsub.subscriber on it to the account that tocsin runs as: tocsin provision --apply --member MEMBER", "%s is there, and this account may not take entries from it", name)
	default:
		x.add(setting.Fine, "", "entries can be taken from %s", name)
	}
	return x.found
}
