package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tocsin/internal/cloudsetup"
	"tocsin/internal/logs"
	"tocsin/internal/lql"
	"tocsin/internal/setting"
	"tocsin/internal/sources"
	"tocsin/internal/words"
	"tocsin/notifiers"
	"tocsin/rules"
)

// Examining says what Doctor looks at.
type Examining struct {
	// Config is the path of the configuration.
	Config string
	// Project is the project that tocsin runs in, whose quotas it uses; the configuration's if not given.
	Project string
	// Endpoint is asked instead of Google's APIs over gRPC, also for the sources that name none of their own, Compute instead of the Compute
	// Engine API, Time for the time; see cloudsetup. With an Endpoint nothing is asked of Google: what it cannot answer is left out.
	Endpoint, Compute, Time string
}

// Doctor says for each source, rule and receiver what would keep it from working. It reads, sends nothing and rings nobody; tokens are
// opened. A configuration's mistakes are config.Errors.
func Doctor(ctx context.Context, o Examining, now func() time.Time) ([]setting.Finding, error) {
	plan, errs := Load(o.Config)
	if len(errs) > 0 {
		return nil, errs
	}
	d := &doctor{Examining: o, plan: plan, now: now, googles: o.Project != "" || o.Endpoint != ""}
	d.Project = cmp.Or(o.Project, plan.File.Project)
	defer func() {
		if d.clients != nil {
			d.clients.Close()
		}
	}()
	_, warnings, _ := Check(o.Config)
	for _, w := range warnings {
		d.add("configuration", setting.Finding{Level: setting.Doubtful, Text: w.Error(), Mend: "tocsin check " + o.Config})
	}
	if len(warnings) == 0 {
		d.add("configuration", setting.Finding{Level: setting.Fine, Text: fmt.Sprintf("%s, %s, %s", plural(len(plan.configured()), "rule"), plural(len(plan.Sources), "source"), plural(len(plan.Receivers), "receiver"))})
	}
	d.cloud(ctx)
	for _, name := range slices.Sorted(maps.Keys(plan.Sources)) {
		d.source(ctx, name)
	}
	d.receivers(ctx)
	d.outside(ctx)
	return d.found, nil
}

// outside says who outside notices when tocsin is gone: whoever takes its heartbeat, and the alert policy of `tocsin provision`.
func (d *doctor) outside(ctx context.Context) {
	const about = "when tocsin is gone"
	w := d.plan.silent(Provisioning{Project: d.Project})
	policy, there := setting.Finding{Level: setting.Doubtful, Text: "for an alert policy nobody was asked", Mend: "tocsin provision --apply --notification-channel CHANNEL, which makes an alert policy for it in Google Cloud"}, false
	if d.clients != nil {
		policy, there = d.clients.Watched(ctx, w.Project, w.Silent)
	}
	h := d.plan.Heartbeat
	switch {
	case there:
		d.add(about, policy)
	case h == nil:
		d.add(about, setting.Finding{Level: setting.Doubtful, Text: "nobody outside is known to notice: no heartbeat is configured, and " + policy.Text,
			Mend: "configure heartbeat, or: " + policy.Mend})
	}
	switch {
	case h != nil && there:
		d.add(about, setting.Finding{Level: setting.Fine, Text: fmt.Sprintf("whoever takes the heartbeat of every %s notices", words.Duration(h.Every.Std()))})
	case h != nil:
		d.add(about, setting.Finding{Level: setting.Fine, Text: fmt.Sprintf("whoever takes the heartbeat of every %s notices; %s", words.Duration(h.Every.Std()), policy.Text)})
	case policy.Level == setting.Fine:
		d.add(about, setting.Finding{Level: setting.Fine, Text: "no heartbeat is configured: the alert policy alone notices"})
	}
}

type doctor struct {
	Examining
	plan    *Plan
	now     func() time.Time
	clients *cloudsetup.Clients // nil: nothing is Google's
	googles bool                // it was said that tocsin runs in a project of Google's
	found   []setting.Finding
}

// add adds findings about something.
func (d *doctor) add(about string, found ...setting.Finding) {
	for _, f := range found {
		f.About = about
		d.found = append(d.found, f)
	}
}

// cloud looks at what all sources of Google Cloud share: the clock, the place, the quotas, what is kept out of the logs.
func (d *doctor) cloud(ctx context.Context) {
	resources := d.plan.read()
	subscribed := slices.Contains(slices.Collect(maps.Values(d.plan.Kinds)), "pubsub")
	if len(resources) == 0 && !subscribed && d.plan.OwnMetrics == nil && !d.googles {
		return
	}
	if d.Endpoint != "" && d.Time == "" {
		d.add("clock", setting.Finding{Level: setting.Fine, Text: "it is not looked at: a stand-in does not tell the time"})
	} else {
		d.add("clock", cloudsetup.Clock(ctx, cmp.Or(d.Time, "https://logging.googleapis.com"), d.now))
	}
	d.add("place", d.place(cloudsetup.Here(ctx), resources)...)
	clients, err := cloudsetup.Dial(ctx, d.Endpoint)
	if err != nil {
		d.add("Google Cloud", setting.Finding{Level: setting.Broken, Text: err.Error(), Mend: "gcloud auth application-default login"})
		return
	}
	d.clients = clients
	if c := d.plan.Canary; c != nil {
		for _, project := range slices.Compact(slices.Sorted(maps.Values(c.Projects))) {
			d.add("canary", clients.May(ctx, "projects/"+project, "logging.logEntries.create", writesLogs))
		}
	}
	if m := d.plan.OwnMetrics; m != nil {
		d.add("own metrics", clients.May(ctx, "projects/"+m.Project, "monitoring.timeSeries.create", writesMetrics))
	}
	if len(resources) > 0 {
		d.add("quota", d.planned()...)
		d.add("quota", clients.Quotas(ctx, d.Project, d.now())...)
	}
	for _, parent := range resources {
		d.add("log", clients.Exclusions(ctx, parent)...)
	}
	if !slices.ContainsFunc(d.plan.configured(), func(r *rules.Rule) bool { return slices.Contains(typesOf(r.Filter), "http_load_balancer") }) {
		return
	}
	if d.Endpoint != "" && d.Compute == "" {
		d.add("load balancer", setting.Finding{Level: setting.Fine, Text: "whether they log is not looked at: a stand-in has none"})
		return
	}
	for _, parent := range resources {
		if project, ok := strings.CutPrefix(parent, "projects/"); ok {
			d.add("load balancer", cloudsetup.Compute{URL: d.Compute}.Balancers(ctx, project)...)
		}
	}
}

// read are the projects, folders and organizations that are read, views aside.
func (p *Plan) read() []string {
	var out []string
	for _, spec := range p.Sources {
		if s, ok := spec.(*sources.CloudLogging); ok {
			for _, r := range s.ResourceNames {
				parent, _, _ := strings.Cut(r, "/locations/")
				out = append(out, parent)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// mostCalls is the API's quota of lists a minute, mostTails of tail sessions, of a project that has not had them raised.
const (
	mostCalls = 60
	mostTails = 10
)

// planned says whether the sources together may ask more often than the API takes, or by more sessions.
func (d *doctor) planned() (found []setting.Finding) {
	calls, tails := 0, 0
	for _, spec := range d.plan.Sources {
		if s, ok := spec.(*sources.CloudLogging); ok {
			calls += s.CallsPerMinute
			tails++
		}
	}
	if calls > mostCalls {
		found = append(found, setting.Finding{Level: setting.Doubtful, Text: fmt.Sprintf("the sources may make %d lists a minute together, and the quota is %d unless it was raised", calls, mostCalls), Mend: "give each its part: calls_per_minute"})
	}
	if tails+1 > mostTails { // each takes a second one while it takes over
		found = append(found, setting.Finding{Level: setting.Doubtful, Text: fmt.Sprintf("the sources take %d tail sessions, and one more while one takes over from another; the quota is %d: what gets none is only listed, and told later", tails, mostTails),
			Mend: "read several resources by one source: resource_names is a list"})
	}
	return found
}

// place says whether tocsin would fall with what it watches.
func (d *doctor) place(here cloudsetup.Place, resources []string) []setting.Finding {
	if here.Cluster == "" {
		return []setting.Finding{{Level: setting.Fine, Text: "this is no cluster that could be among those watched"}}
	}
	var clusters []string
	for _, r := range d.plan.configured() {
		clusters = append(clusters, valuesOf(r.Filter, "resource.labels.cluster_name")...)
	}
	watched := slices.Contains(resources, "projects/"+here.Project) && (len(clusters) == 0 || slices.Contains(clusters, here.Cluster))
	if watched {
		return []setting.Finding{{Level: setting.Doubtful, Text: fmt.Sprintf("it runs in the cluster %s of %s, which it watches: what takes that down takes tocsin down too", here.Cluster, here.Project),
			Mend: "run it in another cluster, best in another project and region; else let the alert policy of `tocsin provision` and a heartbeat speak for it"}}
	}
	return []setting.Finding{{Level: setting.Fine, Text: fmt.Sprintf("it runs in the cluster %s of %s, which it does not watch", here.Cluster, here.Project)}}
}

// source says what keeps one source from working.
func (d *doctor) source(ctx context.Context, name string) {
	about := "source " + name
	switch spec := d.plan.Sources[name].(type) {
	case *sources.CloudLogging:
		d.add(about, cloudsetup.ExamineReading(ctx, d.reading(name, spec), d.now())...)
	case *sources.CloudMonitoring:
		d.add(about, cloudsetup.ExamineMeasuring(ctx, cloudsetup.Measuring{Resource: cmp.Or(spec.ResourceName, "projects/"+d.plan.File.Project),
			Filter: spec.Filter, Endpoint: cmp.Or(spec.Endpoint, d.Endpoint)}, d.now())...)
	case *sources.File:
		for _, pattern := range spec.Paths {
			if files, err := filepath.Glob(pattern); err == nil && len(files) == 0 {
				d.add(about, setting.Finding{Level: setting.Doubtful, Text: "no file matches " + pattern, Mend: "it is read once it is there; is the path right, seen from where tocsin runs?"})
			} else {
				d.add(about, setting.Finding{Level: setting.Fine, Text: plural(len(files), "file") + " at " + pattern})
			}
		}
	case *sources.HTTPProbe:
		d.add(about, d.probe(ctx, name, spec))
	default:
		if s, ok, err := d.plan.subscription(name, Provisioning{}); err == nil && ok && d.clients != nil {
			d.add(about, d.clients.Subscribed(ctx, s.Name)...)
		}
	}
}

// reading is a source that lists entries, with the rules that ask it.
func (d *doctor) reading(name string, spec *sources.CloudLogging) cloudsetup.Reading {
	never := func(string) bool { return false }
	r := cloudsetup.Reading{Resources: spec.ResourceNames, Endpoint: cmp.Or(spec.Endpoint, d.Endpoint), Filter: lql.Cover(d.plan.Rules.Filters(name, never), spec.Room()), Own: spec.Filter}
	for _, rule := range d.plan.configured() {
		if len(rule.Sources) == 0 || slices.Contains(rule.Sources, name) {
			// Of what tocsin's probes write nothing comes through a log.
			if types := typesOf(rule.Filter); !slices.Contains(types, "uptime_url") {
				r.Rules = append(r.Rules, cloudsetup.RuleFilter{Name: rule.Name, Filter: rule.Filter.String(), Types: types})
			}
		}
	}
	return r
}

// probe makes one request.
func (d *doctor) probe(ctx context.Context, name string, spec *sources.HTTPProbe) setting.Finding {
	ctx, cancel := context.WithTimeout(ctx, spec.Timeout.Std()+15*time.Second)
	defer cancel()
	source, err := spec.New(name, sources.Env{Project: d.plan.File.Project})
	if err != nil {
		return setting.Finding{Level: setting.Broken, Text: err.Error(), Mend: "tocsin check " + d.Config}
	}
	out := make(chan logs.Batch, 1)
	ended := make(chan error, 1)
	go func() { ended <- source.Read(ctx, "", out) }()
	var entry struct {
		Payload struct {
			Success *bool  `json:"success"`
			Blind   bool   `json:"blind"`
			Error   string `json:"error"`
		} `json:"jsonPayload"`
	}
	select {
	case b := <-out:
		err = json.Unmarshal(b.Data, &entry)
	case err = <-ended:
	}
	switch p := entry.Payload; {
	case err != nil:
		return setting.Finding{Level: setting.Broken, Text: fmt.Sprintf("the probe cannot be made: %v", err), Mend: "tocsin check " + d.Config}
	case p.Blind:
		return setting.Finding{Level: setting.Broken, Text: "neither the probe nor its control gets an answer from here: " + p.Error, Mend: "is egress to both allowed (a NetworkPolicy, a firewall, a proxy)?"}
	case p.Success != nil && *p.Success:
		return setting.Finding{Level: setting.Fine, Text: "the probe succeeds"}
	default:
		return setting.Finding{Level: setting.Doubtful, Text: "the probe fails now: " + p.Error, Mend: "is it down, or do url and healthy not say what it answers when it is well?"}
	}
}

// receivers says what keeps each from telling.
func (d *doctor) receivers(ctx context.Context) {
	for _, name := range slices.Sorted(maps.Keys(d.plan.Receivers)) {
		about := "receiver " + name
		n, err := d.plan.Receivers[name].New(name)
		if err != nil {
			d.add(about, setting.Finding{Level: setting.Broken, Text: err.Error(), Mend: "tocsin check " + d.Config})
			continue
		}
		limited, cancel := context.WithTimeout(ctx, 30*time.Second)
		if e, ok := n.(notifiers.Examiner); ok {
			d.add(about, e.Examine(limited)...)
		} else {
			d.add(about, setting.Finding{Level: setting.Fine, Text: "there is nothing to look at; to hear it: tocsin notify-test " + name})
		}
		cancel()
	}
}

// typesOf are the types of resources that a filter can match; nil if a branch of it does not say.
func typesOf(f *lql.Filter) []string {
	branches, err := f.Branches()
	if err != nil {
		return nil
	}
	var out []string
	for _, b := range branches {
		i := slices.IndexFunc(b, func(t lql.Term) bool { return is(t, "resource.type") })
		if i < 0 {
			return nil
		}
		out = append(out, b[i].Value)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// valuesOf are the values that a filter's branches ask of a path.
func valuesOf(f *lql.Filter, path string) []string {
	branches, err := f.Branches()
	if err != nil {
		return nil
	}
	var out []string
	for _, b := range branches {
		for _, t := range b {
			if is(t, path) {
				out = append(out, t.Value)
			}
		}
	}
	return out
}

// is says whether a term says that a path has a value.
func is(t lql.Term, path string) bool {
	return strings.EqualFold(t.Path, path) && t.Op == "=" && !t.Negated && !t.Converted
}
