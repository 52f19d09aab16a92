package rules

import (
	"fmt"
	"regexp"
	"strings"

	"tocsin/internal/logs"
	"tocsin/internal/lql"
)

// unpinned says what a paging rule's filter leaves open: anyone who can write a log line can try to page, so each branch must
// pin the place. That is the project or the cluster and, by kind of resource: for a container or a pod the namespace or the
// controller (its container's name and its own labels a pod says of itself); for a load balancer the url map, the forwarding rule or the host of the request; for a probe its name; for an alert that was posted its name.
//
// What only tocsin's own source is asked for is pinned by that: nobody else can write there.
func unpinned(f *lql.Filter, sources []string) []string {
	if len(sources) == 1 && sources[0] == logs.OwnSource {
		return nil
	}
	branches, err := f.Branches()
	if err != nil {
		return []string{fmt.Sprintf("a rule that pages must pin its place in every branch, and this filter has too many to tell: %v", err)}
	}
	var out []string
	for _, b := range branches {
		if text := branchUnpinned(b); text != "" {
			out = append(out, "a rule with mode: page "+text)
			break // one is enough to mend it
		}
	}
	return out
}

// branchUnpinned says what one conjunction of terms leaves open, "" for nothing.
func branchUnpinned(terms []lql.Term) string {
	pins := map[string]bool{}
	kind := ""
	for _, t := range terms {
		if t.Negated || t.Value == "" || t.Value == "*" && !t.Quoted || t.Op == "=~" && matchesNothing(t.Value) {
			continue
		}
		path := strings.ToLower(t.Path)
		switch t.Op {
		case "=", ":", "=~", "()":
			pins[path] = true
		}
		switch {
		case path == "resource.type" && t.Op == "=":
			kind = t.Value
		case path == "log_id" && strings.EqualFold(t.Value, "tocsin/probe"), path == "logname" && strings.HasSuffix(t.Value, "tocsin%2Fprobe"):
			kind = "uptime_url"
		case path == "log_id" && strings.EqualFold(t.Value, "tocsin/alertmanager"), path == "logname" && strings.HasSuffix(t.Value, "tocsin%2Falertmanager"):
			kind = "alertmanager"
		}
	}
	has := func(paths ...string) bool {
		for _, p := range paths {
			if pins[p] {
				return true
			}
		}
		return false
	}
	if !has("resource.labels.cluster_name", "resource.labels.project_id", "logname", "source") {
		return "must pin the project or the cluster in every branch: add resource.labels.cluster_name=\"...\" or resource.labels.project_id=\"...\""
	}
	switch kind {
	case "uptime_url":
		if !has("labels.probe", "jsonpayload.probe") {
			return "must name the probe in every branch: add labels.probe=\"...\""
		}
		return ""
	case "alertmanager":
		if !has("labels.alertname", "jsonpayload.alertname") {
			return "must name the alert in every branch: add labels.alertname=\"...\""
		}
		return ""
	case "http_load_balancer":
		if !has("resource.labels.url_map_name", "resource.labels.forwarding_rule_name", "httprequest.requesturl") {
			return "must name the load balancer in every branch: add resource.labels.url_map_name, resource.labels.forwarding_rule_name or the host in httpRequest.requestUrl"
		}
		return ""
	}
	if kind == "k8s_node" || kind == "k8s_cluster" {
		return ""
	}
	if !has("resource.labels.namespace_name", "resource.labels.namespace_id",
		`labels.logging.gke.io/top_level_controller_name`, `labels."logging.gke.io/top_level_controller_name"`,
		"jsonpayload.involvedobject.namespace") {
		return "must pin the namespace or the controller in every branch, or a test job's line can page: add resource.labels.namespace_name=\"...\""
	}
	return ""
}

// matchesNothing says whether a regular expression is satisfied by no text at all, and so by any.
func matchesNothing(expression string) bool {
	re, err := regexp.Compile(expression)
	return err == nil && re.MatchString("")
}
