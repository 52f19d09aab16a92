package cloudsetup

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/compute/metadata"
	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	transport "google.golang.org/api/transport/http"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tocsin/internal/setting"
)

const (
	// skewed is how far the clock may be off until it is told, clockFails until entries and deadlines are misjudged.
	skewed     = 2 * time.Second
	clockFails = 30 * time.Second
	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 8 << 20
)

// Clock holds this machine's clock against the Date that a server answers with, which has whole seconds.
func Clock(ctx context.Context, address string, now func() time.Time) setting.Finding {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return setting.Finding{Level: setting.Doubtful, Text: err.Error(), Mend: "look at the clock by hand: timedatectl"}
	}
	before := now()
	res, err := (&http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	if err != nil {
		return setting.Finding{Level: setting.Doubtful, Text: fmt.Sprintf("nobody could be asked for the time: %v", err), Mend: "is " + address + " reachable from here?"}
	}
	res.Body.Close()
	after := now()
	theirs, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return setting.Finding{Level: setting.Doubtful, Text: "nobody could be asked for the time: " + address + " does not say it", Mend: "look at the clock by hand: timedatectl"}
	}
	off := time.Duration(0) // theirs is somewhere in the second that they say, and ours between before and after
	if late := before.Sub(theirs.Add(time.Second)); late > 0 {
		off = late
	}
	if early := theirs.Sub(after); early > 0 {
		off = -early
	}
	f := setting.Finding{Level: setting.Fine, Text: "the clock is right"}
	if off.Abs() > skewed {
		f = setting.Finding{Level: setting.Doubtful, Text: fmt.Sprintf("the clock is off by %s", off.Round(time.Second)), Mend: "synchronise it (chrony, systemd-timesyncd): absences, deadlines and signatures go by it"}
	}
	if off.Abs() > clockFails {
		f.Level = setting.Broken
	}
	return f
}

// Place is where tocsin runs, if that is a cluster of GKE.
type Place struct{ Project, Cluster string }

// Here asks the metadata server; a machine without one is the empty Place.
func Here(ctx context.Context) Place {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if !metadata.OnGCEWithContext(ctx) {
		return Place{}
	}
	c := metadata.NewClient(&http.Client{Timeout: 2 * time.Second})
	var p Place
	p.Project, _ = c.ProjectIDWithContext(ctx)
	p.Cluster, _ = c.InstanceAttributeValueWithContext(ctx, "cluster-name")
	p.Cluster = strings.TrimSpace(p.Cluster)
	return p
}

// Compute asks the Compute Engine API. URL is where it is; "" is Google's, asked with the account's credentials.
type Compute struct{ URL string }

// Balancers says which backends of a project's load balancers log nothing, or only a part of their requests.
func (c Compute) Balancers(ctx context.Context, project string) []setting.Finding {
	x := &examination{}
	client := http.DefaultClient
	if c.URL == "" {
		c.URL = "https://compute.googleapis.com"
		var err error
		if client, _, err = transport.NewClient(ctx, option.WithScopes("https://www.googleapis.com/auth/compute.readonly")); err != nil {
			x.add(setting.Doubtful, "gcloud auth application-default login", "whether the load balancers of %s log cannot be looked at: %v", project, err)
			return x.found
		}
	}
	list, err := c.backends(ctx, client, project)
	if err != nil {
		x.add(setting.Doubtful, "grant roles/compute.viewer on projects/"+project+" for this look only, or: gcloud compute backend-services list --format='table(name,logConfig.enable,logConfig.sampleRate)'",
			"whether the load balancers of %s log cannot be looked at: %v", project, err)
	}
	logging := 0
	for _, b := range list {
		switch rate := cmp.Or(b.LogConfig.SampleRate, new(1.0)); {
		case !b.LogConfig.Enable:
			x.add(setting.Doubtful, "gcloud compute backend-services update "+b.Name+" --global --enable-logging --logging-sample-rate=1", "the backend %s of %s logs no requests, and rules ask for them", b.Name, project)
		case *rate < 1:
			x.add(setting.Doubtful, "gcloud compute backend-services update "+b.Name+" --global --logging-sample-rate=1, or lower the counts of the rules", "the backend %s of %s logs %g %% of its requests: counts are that part", b.Name, project, *rate*100)
		default:
			logging++
		}
	}
	if err == nil && len(x.found) == 0 {
		x.add(setting.Fine, "", "the load balancers of %s log all requests (%d backends)", project, logging)
	}
	return x.found
}

// backend is a backend service as the API tells it.
type backend struct {
	Name      string `json:"name"`
	Protocol  string `json:"protocol"`
	LogConfig struct {
		Enable     bool     `json:"enable"`
		SampleRate *float64 `json:"sampleRate"` // left out: all
	} `json:"logConfig"`
}

// backends lists those that speak HTTP.
func (c Compute) backends(ctx context.Context, client *http.Client, project string) ([]backend, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var out []backend
	for token, more := "", true; more; {
		address := c.URL + "/compute/v1/projects/" + url.PathEscape(project) + "/aggregated/backendServices?" + url.Values{"pageToken": {token}}.Encode()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, err
		}
		res, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		res.Body.Close()
		var answer struct {
			Items map[string]struct {
				BackendServices []backend `json:"backendServices"`
			} `json:"items"`
			Next  string `json:"nextPageToken"`
			Error struct {
				Message string `json:"message"`
			} `json:"error"`
		}
		if err == nil {
			err = json.Unmarshal(body, &answer)
		}
		switch {
		case answer.Error.Message != "":
			return nil, errors.New(answer.Error.Message)
		case res.StatusCode != http.StatusOK:
			return nil, fmt.Errorf("it answers %s", res.Status)
		case err != nil:
			return nil, err
		}
		for _, item := range answer.Items {
			for _, b := range item.BackendServices {
				if strings.HasPrefix(b.Protocol, "HTTP") || b.Protocol == "H2C" {
					out = append(out, b)
				}
			}
		}
		token, more = answer.Next, answer.Next != ""
	}
	slices.SortFunc(out, func(a, b backend) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Quotas says how much of Cloud Logging's quotas for reading a project's last ten minutes have used, by what Cloud Monitoring knows
// of them (serviceruntime.googleapis.com/quota/...).
func (c *Clients) Quotas(ctx context.Context, project string, now time.Time) []setting.Finding {
	x := &examination{}
	used, err := c.quota(ctx, project, "rate/net_usage", monitoringpb.Aggregation_ALIGN_SUM, 10*time.Minute, now)
	limits := map[string]int64{}
	if err == nil {
		limits, err = c.quota(ctx, project, "limit", monitoringpb.Aggregation_ALIGN_MAX, 48*time.Hour, now)
	}
	if err != nil {
		x.add(setting.Doubtful, granted(err, "grant roles/monitoring.viewer on projects/"+project+", or look at the console: IAM, Quotas, Cloud Logging API", "monitoring.googleapis.com"), "what is left of the quotas of %s cannot be looked at: %s", project, status.Convert(err).Message())
		return x.found
	}
	for name, n := range used {
		if limit := limits[name]; limit > 0 && n*2 > limit {
			x.add(setting.Doubtful, "lower calls_per_minute of the sources, use fewer tail sessions, or have the quota raised", "%s: %d of the %d a minute of %s were used in one of the last ten minutes", project, n, limit, name)
		}
	}
	slices.SortFunc(x.found, func(a, b setting.Finding) int { return strings.Compare(a.Text, b.Text) })
	if len(x.found) == 0 {
		x.add(setting.Fine, "", "%s: more than half of the quotas for reading logs is left", project)
	}
	return x.found
}

// quota is the highest minute's value of a metric on Cloud Logging's quotas for reading, by the quota's name.
func (c *Clients) quota(ctx context.Context, project, metric string, align monitoringpb.Aggregation_Aligner, back time.Duration, now time.Time) (map[string]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	out := map[string]int64{}
	it := c.metrics.ListTimeSeries(ctx, &monitoringpb.ListTimeSeriesRequest{Name: "projects/" + project,
		Filter:      fmt.Sprintf(`metric.type="serviceruntime.googleapis.com/quota/%s" resource.type="consumer_quota" resource.labels.service="logging.googleapis.com"`, metric),
		Interval:    &monitoringpb.TimeInterval{StartTime: timestamppb.New(now.Add(-back)), EndTime: timestamppb.New(now)},
		Aggregation: &monitoringpb.Aggregation{AlignmentPeriod: durationpb.New(time.Minute), PerSeriesAligner: align}})
	for {
		s, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		name := s.GetMetric().GetLabels()["quota_metric"]
		if !strings.Contains(name, "read") && !strings.Contains(name, "tail") {
			continue
		}
		for _, p := range s.GetPoints() {
			out[name] = max(out[name], p.GetValue().GetInt64Value())
		}
	}
}
