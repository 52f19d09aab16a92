package cloudmetric

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"

	"tocsin/internal/setting"
	"tocsin/internal/sources/google"
)

// Settings are those of kind cloud_monitoring: the time series of one metric of Cloud Monitoring, aligned to whole periods, an entry for
// each point. The account that tocsin runs as needs roles/monitoring.viewer on the resource.
type Settings struct {
	// ResourceName is whose metrics to read: projects/P, folders/N or organizations/N; the configuration's project if left out.
	ResourceName string `yaml:"resource_name"`
	// Filter selects the time series in the language of Cloud Monitoring's filters. It names one metric.type.
	Filter string `yaml:"filter"`
	// Period is the length of an interval, 1m if left out, which is the least.
	Period setting.Duration `yaml:"period"`
	// Aligner makes one value of a series' points in an interval, by the API's name for it. Left out it is ALIGN_DELTA for what counts up,
	// ALIGN_MEAN for a gauge of numbers, and ALIGN_NEXT_OLDER for any other gauge.
	Aligner string `yaml:"aligner"`
	// Reducer makes one series of several, by the API's name for it; left out they stay apart.
	Reducer string `yaml:"reducer"`
	// GroupBy are the labels that a reducer keeps apart.
	GroupBy []string `yaml:"group_by"`
	// Delay is how long after its end an interval is complete; what the metric itself says if left out, 2m if it says nothing.
	Delay setting.Duration `yaml:"delay"`
	// Overlap is how far back what was read is read again, 10m if left out.
	Overlap setting.Duration `yaml:"overlap"`
	// Every is the time from one reading to the next, 30s if left out.
	Every setting.Duration `yaml:"every"`
	// Start is how far back the first reading begins, 15m if left out.
	Start setting.Duration `yaml:"start"`
	// Endpoint is asked instead of monitoring.googleapis.com, as host:port. One in googleapis.com is asked with TLS and the
	// account's credentials, any other without both: it is taken for a stand-in on this machine.
	Endpoint string `yaml:"endpoint"`
}

// Defaults are the settings before any is read.
func Defaults() Settings {
	return Settings{Period: setting.Duration(time.Minute), Overlap: setting.Duration(10 * time.Minute), Every: setting.Duration(30 * time.Second),
		Start: setting.Duration(15 * time.Minute)}
}

// maxFilter bounds the filter, in bytes, mostGroups the labels that are kept apart.
const (
	maxFilter  = 2048
	mostGroups = 20
)

var (
	resourceName = regexp.MustCompile(`^(projects|folders|organizations)/[^/\s]+$`)
	metricType   = regexp.MustCompile(`metric\.type\s*=\s*"([^"]+)"`)
	groupField   = regexp.MustCompile(`^(resource\.type|(metric\.labels?|resource\.labels?|metadata\.system_labels|metadata\.user_labels|metadata\.systemLabels|metadata\.userLabels)\.("[^"]+"|[A-Za-z_][A-Za-z0-9_-]*))$`)
)

// metric is the type of the metric that the filter names; "" if it does not name one.
func (s *Settings) metric() string {
	found := metricType.FindAllStringSubmatch(s.Filter, -1)
	if len(found) != 1 {
		return ""
	}
	return found[0][1]
}

// Validate says everything that is wrong with the settings.
func (s *Settings) Validate() []setting.FieldError {
	var errs []setting.FieldError
	wrong := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	if s.ResourceName != "" && !resourceName.MatchString(s.ResourceName) {
		wrong("resource_name", "%q is no resource: projects/P, folders/N or organizations/N%s", s.ResourceName, meant(s.ResourceName))
	}
	switch {
	case strings.TrimSpace(s.Filter) == "":
		wrong("filter", `missing: name a metric, such as 'metric.type="loadbalancing.googleapis.com/https/request_count"'`)
	case len(s.Filter) > maxFilter:
		wrong("filter", "%d bytes are too many: up to %d", len(s.Filter), maxFilter)
	case s.metric() == "":
		wrong("filter", `it must name one metric, as metric.type="..."; for several make several sources`)
	}
	within := func(path string, d setting.Duration, least, most time.Duration) {
		if d.Std() < least || d.Std() > most {
			wrong(path, "%s is out of range: %s to %s", d, setting.Duration(least), setting.Duration(most))
		}
	}
	within("period", s.Period, time.Minute, 24*time.Hour)
	if s.Period.Std()%time.Second != 0 {
		wrong("period", "%s is no number of whole seconds", s.Period)
	}
	if _, ok := monitoringpb.Aggregation_Aligner_value[s.Aligner]; s.Aligner != "" && (!ok || s.Aligner == "ALIGN_NONE") {
		wrong("aligner", "%s", setting.Unknown("aligner", s.Aligner, names(monitoringpb.Aggregation_Aligner_value, "ALIGN_NONE")))
	}
	if _, ok := monitoringpb.Aggregation_Reducer_value[s.Reducer]; s.Reducer != "" && (!ok || s.Reducer == "REDUCE_NONE") {
		wrong("reducer", "%s", setting.Unknown("reducer", s.Reducer, names(monitoringpb.Aggregation_Reducer_value, "REDUCE_NONE")))
	}
	if len(s.GroupBy) > 0 && s.Reducer == "" {
		wrong("group_by", "without a reducer nothing is put together: name one, such as REDUCE_SUM")
	}
	if len(s.GroupBy) > mostGroups {
		wrong("group_by", "%d labels are too many: up to %d", len(s.GroupBy), mostGroups)
	}
	for i, field := range s.GroupBy {
		if !groupField.MatchString(field) {
			wrong(fmt.Sprintf("group_by.%d", i), "%q is no label: write metric.labels.NAME, resource.labels.NAME, metadata.system_labels.NAME or metadata.user_labels.NAME", field)
		}
	}
	within("delay", s.Delay, 0, 24*time.Hour)
	within("overlap", s.Overlap, time.Minute, 24*time.Hour)
	within("every", s.Every, 10*time.Second, 10*time.Minute)
	within("start", s.Start, 0, 7*24*time.Hour)
	errs = append(errs, google.CheckEndpoint(s.Endpoint)...)
	return errs
}

// meant is what was probably meant by a resource that is none; "" if nobody knows.
func meant(name string) string {
	if name = strings.Trim(name, "/"); resourceName.MatchString("projects/" + name) {
		return fmt.Sprintf("; do you mean projects/%s?", name)
	}
	return ""
}

// names are the API's words, but one.
func names(of map[string]int32, but string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(of)), func(name string) bool { return name == but })
}
