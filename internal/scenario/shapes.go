package scenario

import (
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// The names that all entries of the cluster share.
const (
	cluster   = "prow"
	node      = "gke-prow-default-pool-116f5d3e-bl6h"
	services  = "default"   // where Prow's own components run
	jobs      = "test-pods" // where the jobs run
	ingress   = "--3a93fcce573ea69e"
	hookshot  = "GitHub-Hookshot/6b02022"
	webhooks  = "https://prow.k8s.io/hook"
	backedOff = "Back-off restarting failed container"
)

// fields are a payload's.
type fields map[string]any

// severities are what the agent makes of logrus' levels since Prow writes them as a severity.
var severities = map[string]string{
	"debug": "DEBUG", "info": "INFO", "warning": "WARNING", "error": "ERROR", "fatal": "CRITICAL", "panic": "DEFAULT",
}

// logs is when Cloud Logging has a container's line.
func (w *world) logs() time.Duration { return w.between(300*time.Millisecond, 2500*time.Millisecond) }

// container starts the entry of a container's line, in the form of the era.
func (w *world) container(component, pod, namespace, severity string) *entry {
	if w.era == legacy {
		return &entry{
			LogName: fmt.Sprintf("projects/%s/logs/%s", w.project, component), Severity: "ERROR",
			Resource: resource{Type: "container", Labels: map[string]string{
				"project_id": w.project, "cluster_name": cluster, "container_name": component, "namespace_id": namespace, "pod_id": pod,
				"instance_id": "7000980459144515921", "zone": "us-central1-f",
			}},
			Labels: map[string]string{
				"container.googleapis.com/namespace_name": namespace, "container.googleapis.com/pod_name": pod, "container.googleapis.com/stream": "stderr",
			},
		}
	}
	if w.era == early {
		severity = "ERROR"
	}
	e := &entry{
		LogName: fmt.Sprintf("projects/%s/logs/stderr", w.project), Severity: severity,
		Resource: resource{Type: "k8s_container", Labels: map[string]string{
			"project_id": w.project, "location": "us-central1", "cluster_name": cluster, "namespace_name": namespace, "pod_name": pod, "container_name": component,
		}},
		Labels: map[string]string{"compute.googleapis.com/resource_name": node},
	}
	if namespace == services {
		e.Labels["k8s-pod/app"] = component
		controlled(e.Labels, component)
	}
	return e
}

// controlled adds the labels that name a pod's controller.
func controlled(labels map[string]string, controller string) {
	labels["logging.gke.io/top_level_controller_name"] = controller
	labels["logging.gke.io/top_level_controller_type"] = "Deployment"
}

// says adds a line of JSON as Prow's components write it.
func (w *world) says(t time.Time, component, pod, level, msg string, more fields) {
	payload := fields{"component": component, "level": level, "msg": msg}
	for k, v := range more {
		payload[k] = v
	}
	e := w.container(component, pod, services, severities[level])
	e.JSONPayload = payload
	w.add(t, w.logs(), e)
}

// prints adds a line of plain text.
func (w *world) prints(t time.Time, component, pod, text string) {
	e := w.container(component, pod, services, "ERROR")
	e.TextPayload = text
	w.add(t, w.logs(), e)
}

// object is what an event is about.
type object struct {
	kind, name string
	// namespace is empty for a node.
	namespace string
	// container is which of a pod's containers it is about, if one.
	container string
	// controller is the pod's, where the exporter tells it.
	controller string
}

// podOf is a pod of one of Prow's components.
func podOf(component, pod string) object {
	return object{kind: "Pod", name: pod, namespace: services, container: component, controller: component}
}

// warns adds a Kubernetes event of type Warning, happens one of type Normal.
func (w *world) warns(t time.Time, o object, reason, message string) {
	w.event(t, o, "Warning", reason, message)
}

func (w *world) happens(t time.Time, o object, reason, message string) {
	w.event(t, o, "Normal", reason, message)
}

func (w *world) event(t time.Time, o object, kind, reason, message string) {
	labels := map[string]string{"project_id": w.project, "location": "us-central1", "cluster_name": cluster}
	involved := fields{"apiVersion": "v1", "kind": o.kind, "name": o.name, "uid": w.hex(64)}
	e := &entry{LogName: fmt.Sprintf("projects/%s/logs/events", w.project), Severity: "INFO", Resource: resource{Type: "k8s_cluster", Labels: labels}}
	switch o.kind {
	case "Pod":
		e.Resource.Type, labels["namespace_name"], labels["pod_name"] = "k8s_pod", o.namespace, o.name
	case "Node":
		e.Resource.Type, labels["node_name"] = "k8s_node", o.name
	}
	if kind == "Warning" {
		e.Severity = "WARNING"
	}
	if o.namespace != "" {
		involved["namespace"] = o.namespace
	}
	if o.container != "" {
		involved["fieldPath"] = "spec.containers{" + o.container + "}"
	}
	if o.controller != "" {
		e.Labels = map[string]string{}
		controlled(e.Labels, o.controller)
	}
	e.JSONPayload = fields{
		"apiVersion": "v1", "kind": "Event", "type": kind, "reason": reason, "message": message, "involvedObject": involved,
		"source":   fields{"component": "kubelet", "host": node},
		"metadata": fields{"name": o.name + "." + w.hex(60), "namespace": o.namespace},
	}
	w.add(t, w.between(6*time.Second, 9*time.Second), e) // the exporter's own delay
}

// request adds a webhook of GitHub's as the load balancer logs it.
func (w *world) request(t time.Time, status int, details string, latency time.Duration) {
	w.asked(t, "POST", webhooks, hookshot, status, details, latency)
}

// asked adds anybody's request.
func (w *world) asked(t time.Time, method, address, agent string, status int, details string, latency time.Duration) {
	e := &entry{
		LogName: fmt.Sprintf("projects/%s/logs/requests", w.project), Severity: "INFO",
		Resource: resource{Type: "http_load_balancer", Labels: map[string]string{
			"project_id": w.project, "zone": "global", "forwarding_rule_name": "k8s-fws-default-tls-ing" + ingress,
			"target_proxy_name": "k8s-tps-default-tls-ing" + ingress, "url_map_name": "k8s-um-default-tls-ing" + ingress,
			"backend_service_name": "k8s-be-30808" + ingress,
		}},
		HTTPRequest: &httpRequest{
			Method: method, URL: address, Status: status, Latency: seconds(latency), RequestSize: strconv.Itoa(2000 + w.rand.IntN(38001)),
			ResponseSize: "488", RemoteIP: fmt.Sprintf("192.30.252.%d", 1+w.rand.IntN(254)), UserAgent: agent,
		},
		JSONPayload: fields{"@type": "type.googleapis.com/google.cloud.loadbalancing.type.LoadBalancerLogEntry", "statusDetails": details},
	}
	if status >= 400 {
		e.Severity = "WARNING"
	}
	if status >= 500 {
		e.Resource.Labels["backend_service_name"] = ""
	}
	w.add(t, w.logs(), e)
}

// probed adds a result of tocsin's own probe of the webhook endpoint.
func (w *world) probed(t time.Time, status int, latency time.Duration) {
	w.saw(t, status, "", 60, latency)
}

// saw is probed, with what went wrong and how many days the certificate has left; a status of 0 is no answer.
func (w *world) saw(t time.Time, status int, failure string, days int, latency time.Duration) {
	healthy := status == 200 || status == 405
	e := &entry{
		LogName: fmt.Sprintf("projects/%s/logs/tocsin%%2Fprobe", w.project), Severity: "ERROR",
		Resource:    resource{Type: "uptime_url", Labels: map[string]string{"project_id": w.project, "host": host(webhooks)}},
		Labels:      map[string]string{"probe": "hook"},
		HTTPRequest: &httpRequest{Method: "GET", URL: webhooks, Status: status, Latency: seconds(latency)},
		JSONPayload: fields{"probe": "hook", "success": healthy, "error": failure, "tlsDaysLeft": days},
	}
	if healthy {
		e.Severity = "INFO"
	}
	w.add(t, time.Millisecond, e)
}

// seconds writes a duration as protobuf's JSON does.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) + "s" }

func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
