package app

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"tocsin/internal/cloudsetup"
	"tocsin/internal/config"
	"tocsin/internal/heartbeat"
	"tocsin/internal/lql"
	"tocsin/internal/sources"
)

// Provisioning says what is to be made in Google Cloud beside what the configuration says.
type Provisioning struct {
	// Config is the path of the configuration.
	Config string
	// Project is the project that tocsin runs in; the configuration's if not given.
	Project string
	// Member is the account that tocsin runs as, as IAM names it; without one no roles are granted.
	Member string
	// Watch are whose logs go to the subscriptions: projects/P, folders/N, organizations/N. The configuration's project if not given.
	Watch []string
	// Topic is the full name of the subscriptions' topic; if not given, each has one of its own name.
	Topic string
	// Name is the sinks' name.
	Name string
	// Channels are who is told when tocsin is silent, as projects/P/notificationChannels/N.
	Channels []string
}

// silence has an answer while nobody who leads has audited for two minutes: gone, hanging or unable to write. The metric is in
// docs/metrics.md.
const silence = "absent_over_time(tocsin_audit_last_seconds[2m]) or time() - max(tocsin_audit_last_seconds) > 120"

// heartbeatSilence has an answer while no heartbeat was written for what is watched for three minutes, of one a minute: the same, by the metric
// that tocsin writes itself, so that nothing need scrape it.
func heartbeatSilence(watched string) string {
	return fmt.Sprintf("absent_over_time(custom_googleapis_com:tocsin_heartbeat{monitored_resource=%q,namespace=%q}[3m])", heartbeat.PointsResource, watched)
}

// The roles of whoever writes canaries, and own metrics.
const writesLogs, writesMetrics = "roles/logging.logWriter", "roles/monitoring.metricWriter"

var (
	parentName       = regexp.MustCompile(`^(projects/[^/\s]+|(folders|organizations)/[0-9]+)$`)
	projectName      = regexp.MustCompile(`^[^/\s]+$`)
	sinkName         = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)
	topicName        = regexp.MustCompile(`^projects/[^/\s]+/topics/[^/\s]+$`)
	subscriptionName = regexp.MustCompile(`^projects/[^/\s]+/subscriptions/[^/\s]+$`)
	channelName      = regexp.MustCompile(`^projects/[^/\s]+/notificationChannels/[^/\s]+$`)
	memberName       = regexp.MustCompile(`^(principal|principalSet)://\S+$|^(serviceAccount|user|group):\S+@\S+$`)
)

// check says what cannot be meant.
func (o Provisioning) check() error {
	for _, p := range o.Watch {
		if !parentName.MatchString(p) {
			return fmt.Errorf("--watch %q: write projects/P, folders/N or organizations/N, where N is a number", p)
		}
	}
	for _, c := range o.Channels {
		if !channelName.MatchString(c) {
			return fmt.Errorf("--notification-channel %q: write projects/P/notificationChannels/N, as `gcloud beta monitoring channels list` names it", c)
		}
	}
	switch {
	case o.Project != "" && !projectName.MatchString(o.Project):
		return fmt.Errorf("--project %q: write a project's id, such as my-ops", o.Project)
	case o.Name != "" && !sinkName.MatchString(o.Name):
		return fmt.Errorf("--name %q: a sink's name is of up to 100 letters, digits, underscores, hyphens and periods", o.Name)
	case o.Topic != "" && !topicName.MatchString(o.Topic):
		return fmt.Errorf("--topic %q: write projects/P/topics/T", o.Topic)
	case o.Member != "" && !memberName.MatchString(o.Member):
		return fmt.Errorf("--member %q: write it as IAM does, such as serviceAccount:tocsin@PROJECT.iam.gserviceaccount.com or principal://iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/PROJECT.svc.id.goog/subject/ns/tocsin/sa/tocsin", o.Member)
	}
	return nil
}

// wanted is what the configuration needs in Google Cloud.
func (o Provisioning) wanted() (cloudsetup.Wanted, error) {
	if err := o.check(); err != nil {
		return cloudsetup.Wanted{}, err
	}
	plan, errs := Load(o.Config)
	if len(errs) > 0 {
		return cloudsetup.Wanted{}, errs
	}
	if len(o.Watch) == 0 {
		o.Watch = []string{"projects/" + plan.File.Project}
	}
	w := plan.silent(o)
	for _, name := range slices.Sorted(maps.Keys(plan.Sources)) {
		switch spec := plan.Sources[name].(type) {
		case *sources.CloudLogging:
			for _, r := range spec.ResourceNames {
				w.Grants = append(w.Grants, reading(r))
			}
		case *sources.CloudMonitoring:
			w.Grants = append(w.Grants, cloudsetup.Grant{Resource: cmp.Or(spec.ResourceName, "projects/"+plan.File.Project), Role: "roles/monitoring.viewer"})
		default:
			s, ok, err := plan.subscription(name, o)
			if err != nil {
				return cloudsetup.Wanted{}, err
			}
			if ok {
				w.Subscriptions = append(w.Subscriptions, s)
			}
		}
	}
	if err := o.tellApart(w.Subscriptions); err != nil {
		return cloudsetup.Wanted{}, err
	}
	if plan.Canary != nil {
		for _, project := range plan.Canary.Projects {
			w.Grants = append(w.Grants, cloudsetup.Grant{Resource: "projects/" + project, Role: writesLogs})
		}
	}
	if m := plan.OwnMetrics; m != nil {
		w.Grants = append(w.Grants, cloudsetup.Grant{Resource: "projects/" + m.Project, Role: writesMetrics})
	}
	slices.SortFunc(w.Grants, func(a, b cloudsetup.Grant) int {
		return cmp.Or(strings.Compare(a.Resource, b.Resource), strings.Compare(a.View, b.View), strings.Compare(a.Role, b.Role))
	})
	w.Grants = slices.Compact(w.Grants)
	return w, nil
}

// silent is what is wanted for tocsin's own silence to be noticed, and where: an alert policy sees the metrics of its own project.
func (p *Plan) silent(o Provisioning) cloudsetup.Wanted {
	w := cloudsetup.Wanted{Project: cmp.Or(o.Project, p.File.Project), Member: o.Member, Silent: cloudsetup.Silent{Query: silence, Channels: o.Channels}}
	if m := p.OwnMetrics; m != nil {
		w.Project, w.Silent.Query = m.Project, heartbeatSilence(p.File.Project)
	}
	return w
}

// tellApart gives the sinks of several subscriptions names of their own, for a parent has one sink of a name: o.Name for that of a
// subscription called so, else o.Name and the subscription's behind it.
func (o Provisioning) tellApart(all []cloudsetup.Subscription) error {
	if len(all) < 2 {
		return nil
	}
	if o.Topic != "" {
		return fmt.Errorf("--topic %q: there are %d subscriptions, and each has a topic of its own: leave --topic out", o.Topic, len(all))
	}
	for _, s := range all {
		if id := s.Name[strings.LastIndexByte(s.Name, '/')+1:]; id != o.Name {
			for i := range s.Sinks {
				s.Sinks[i].Name += "-" + id
			}
		}
	}
	return nil
}

// reading is the role with which a resource's entries are read.
func reading(resource string) cloudsetup.Grant {
	parent, _, view := strings.Cut(resource, "/locations/")
	if view {
		return cloudsetup.Grant{Resource: parent, Role: "roles/logging.viewAccessor", View: resource}
	}
	return cloudsetup.Grant{Resource: parent, Role: "roles/logging.viewer"}
}

// maxFilter is what Cloud Logging takes of a filter, in characters.
const maxFilter = 20000

// subscription is what a source of kind pubsub needs; false of every other kind.
func (p *Plan) subscription(source string, o Provisioning) (cloudsetup.Subscription, bool, error) {
	if p.Kinds[source] != "pubsub" {
		return cloudsetup.Subscription{}, false, nil
	}
	node := p.File.Sources[source].Get("pubsub").Get("subscription")
	full, _ := node.Scalar()
	if !subscriptionName.MatchString(full) {
		return cloudsetup.Subscription{}, false, config.Errors{{Position: node.Position(), Text: fmt.Sprintf("%q is no subscription: write projects/P/subscriptions/S", full)}}
	}
	s := cloudsetup.Subscription{Name: full, Topic: o.Topic}
	if s.Topic == "" {
		s.Topic = strings.Replace(full, "/subscriptions/", "/topics/", 1)
	}
	all := func(string) bool { return true } // also what is asked for only while something fires
	filter := lql.Cover(p.Rules.Filters(source, all), maxFilter)
	for _, parent := range o.Watch {
		s.Sinks = append(s.Sinks, cloudsetup.Sink{Parent: parent, Name: o.Name, Filter: filter})
	}
	return s, true, nil
}

// Terraform is what is needed as Terraform's configuration.
func Terraform(o Provisioning) (string, error) {
	w, err := o.wanted()
	return cloudsetup.Terraform(w), err
}

// Provision looks at what is needed, and with apply makes what is missing or different. A configuration's mistakes are config.Errors.
// An endpoint is asked instead of Google; see cloudsetup.Dial.
func Provision(ctx context.Context, o Provisioning, endpoint string, apply bool) ([]cloudsetup.Step, error) {
	w, err := o.wanted()
	if err != nil {
		return nil, err
	}
	c, err := cloudsetup.Dial(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if apply {
		return c.Apply(ctx, w), nil
	}
	return c.Plan(ctx, w), nil
}
