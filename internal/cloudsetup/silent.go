package cloudsetup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"tocsin/internal/setting"
)

const (
	silentTitle = "tocsin is silent"
	// marker is the label by which the policy is found again.
	marker, marked = "made_by", "tocsin-provision"
	// evaluated is how often the query is asked, and for how long it must have an answer.
	evaluated = 30 * time.Second
)

const silentText = `Nothing was heard of tocsin for minutes: it is gone, hangs, or cannot write. **Nobody is alerted of anything else until it is back.**

1. ` + "`kubectl -n tocsin get pods`" + `, and the log of what is there.
2. ` + "`kubectl -n tocsin port-forward PODNAME 8481`" + `, then ` + "`curl 127.0.0.1:8481/healthz`" + ` says what is wrong.
3. docs/operations.md, "When it does not start".`

// Policy is the alert policy as Cloud Monitoring is to have it.
func (s Silent) Policy() *monitoringpb.AlertPolicy {
	return &monitoringpb.AlertPolicy{
		DisplayName:   silentTitle,
		Documentation: &monitoringpb.AlertPolicy_Documentation{Content: silentText, MimeType: "text/markdown"},
		UserLabels:    map[string]string{marker: marked},
		Combiner:      monitoringpb.AlertPolicy_OR,
		Enabled:       wrapperspb.Bool(true),
		Severity:      monitoringpb.AlertPolicy_CRITICAL,
		Conditions: []*monitoringpb.AlertPolicy_Condition{{
			DisplayName: silentTitle,
			Condition: &monitoringpb.AlertPolicy_Condition_ConditionPrometheusQueryLanguage{
				ConditionPrometheusQueryLanguage: &monitoringpb.AlertPolicy_Condition_PrometheusQueryLanguageCondition{
					Query: s.Query, Duration: durationpb.New(evaluated), EvaluationInterval: durationpb.New(evaluated),
					DisableMetricValidation: true}, // it is made before tocsin has written anything
			},
		}},
		NotificationChannels: s.Channels,
	}
}

// policy is the alert policy of a project as it was made; nil if it was not.
func (c *Clients) policy(ctx context.Context, parent string) (*monitoringpb.AlertPolicy, error) {
	var is *monitoringpb.AlertPolicy
	it := c.policies.ListAlertPolicies(ctx, &monitoringpb.ListAlertPoliciesRequest{Name: parent})
	for {
		p, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return is, nil
		}
		if err != nil {
			return nil, err
		}
		if p.GetUserLabels()[marker] == marked {
			is = p
		}
	}
}

// Watched says whether the alert policy for tocsin's own silence watches and tells somebody, and whether it is known to be there.
func (c *Clients) Watched(ctx context.Context, project string, s Silent) (found setting.Finding, there bool) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	parent := "projects/" + project
	is, err := c.policy(ctx, parent)
	if err != nil {
		return setting.Finding{Level: setting.Doubtful, Text: fmt.Sprintf("whether an alert policy of %s does cannot be looked at: %s", parent, status.Convert(err).Message()),
			Mend: granted(err, "grant roles/monitoring.viewer on "+parent, "monitoring.googleapis.com")}, false
	}
	if is == nil {
		return setting.Finding{Level: setting.Doubtful, Text: "no alert policy of tocsin provision is in " + parent,
			Mend: "tocsin provision --apply --notification-channel CHANNEL, which makes an alert policy for it"}, false
	}
	policy := fmt.Sprintf("the alert policy %q of %s", is.GetDisplayName(), parent)
	mend, differs := "tocsin provision --apply", s.differs(is)
	if len(is.GetNotificationChannels()) == 0 {
		mend, differs = mend+" --notification-channel CHANNEL", append(differs, "tells nobody")
	}
	if len(differs) > 0 {
		return setting.Finding{Level: setting.Doubtful, Text: policy + " does not watch as it should: it " + strings.Join(differs, "; it "), Mend: mend}, true
	}
	return setting.Finding{Level: setting.Fine, Text: fmt.Sprintf("%s notices, and tells Cloud Monitoring's channels (%d)", policy, len(is.GetNotificationChannels()))}, true
}

func (c *Clients) silent(project string, s Silent) item {
	parent, is := "projects/"+project, (*monitoringpb.AlertPolicy)(nil)
	return item{
		thing: "alert policy", name: parent + ": " + silentTitle, needs: "roles/monitoring.alertPolicyEditor",
		look: func(ctx context.Context) (action, detail string, err error) {
			if is, err = c.policy(ctx, parent); err != nil {
				return "", "", err
			}
			nobody := ""
			if len(s.Channels) == 0 && len(is.GetNotificationChannels()) == 0 {
				nobody = "it tells nobody: give --notification-channel (`gcloud beta monitoring channels list`); it must not be the pager that tocsin uses alone"
			}
			if is == nil {
				return Create, strings.Trim("when "+s.Query+"; "+nobody, "; "), nil
			}
			if differs := s.differs(is); len(differs) > 0 {
				return Change, strings.Join(differs, "; "), nil
			}
			return Exists, nobody, nil
		},
		make: func(ctx context.Context) error {
			want := s.Policy()
			if is == nil {
				_, err := c.policies.CreateAlertPolicy(ctx, &monitoringpb.CreateAlertPolicyRequest{Name: parent, AlertPolicy: want})
				return err
			}
			want.Name = is.GetName()
			paths := []string{"conditions", "enabled", "documentation", "severity"}
			if len(s.Channels) > 0 { // else those that somebody gave it are kept
				paths = append(paths, "notification_channels")
			}
			_, err := c.policies.UpdateAlertPolicy(ctx, &monitoringpb.UpdateAlertPolicyRequest{AlertPolicy: want, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
			return err
		},
	}
}

// differs says what of a policy is not as it is to be.
func (s Silent) differs(is *monitoringpb.AlertPolicy) []string {
	var out []string
	var query string
	var lasts time.Duration
	for _, c := range is.GetConditions() {
		query, lasts = c.GetConditionPrometheusQueryLanguage().GetQuery(), c.GetConditionPrometheusQueryLanguage().GetDuration().AsDuration()
	}
	if len(is.GetConditions()) != 1 || query != s.Query {
		out = append(out, fmt.Sprintf("fires when %s, is to fire when %s", query, s.Query))
	} else if lasts > evaluated {
		out = append(out, fmt.Sprintf("waits %s until it fires", lasts))
	}
	if !is.GetEnabled().GetValue() {
		out = append(out, "is disabled")
	}
	want, have := slices.Sorted(slices.Values(s.Channels)), slices.Sorted(slices.Values(is.GetNotificationChannels()))
	if len(want) > 0 && !slices.Equal(want, have) {
		out = append(out, fmt.Sprintf("tells %v, is to tell %v", have, want))
	}
	return out
}
