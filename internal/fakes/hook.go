// Package fakes holds stand-ins of what tocsin speaks to: Prow's hook, Cloud Logging, Slack, PagerDuty. They speak the real
// protocols, for the demo, the simulation and tests.
package fakes

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// HookState is how the stand-in of hook answers.
type HookState int

// The states of a Hook.
const (
	// HookHealthy answers as hook does.
	HookHealthy HookState = iota
	// HookDown answers as Google's load balancer does when no backend is left: its own page with 502.
	HookDown
	// HookRefuse breaks every connection off without an answer.
	HookRefuse
)

// Hook is a stand-in of Prow's hook: a handler that answers webhooks and probes as the real one does, and a writer of what it
// and the cluster around it log. The fields are set before its first use; its methods may be called from any goroutine.
type Hook struct {
	// Secret is the webhooks' secret.
	Secret string
	// Orgs, if set, are secrets by organization or organization/repository, in the place of Secret; "*" is any other.
	Orgs map[string]string
	// Log is where entries are written, one LogEntry as JSON a line. nil writes none.
	Log io.Writer
	// Project is the entries' project, k8s-infra-prow if empty.
	Project string
	// Now stamps the entries; nil is time.Now.
	Now func() time.Time

	mu       sync.Mutex
	state    HookState
	received int
	written  int
}

// Set changes how the hook answers from now on.
func (h *Hook) Set(s HookState) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state = s
}

// Received is how many webhooks were accepted.
func (h *Hook) Received() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.received
}

// balancerPage is what Google's load balancer answers when it has no backend.
const balancerPage = `
<html><head>
<meta http-equiv="content-type" content="text/html;charset=utf-8">
<title>502 Server Error</title>
</head>
<body text=#000000 bgcolor=#ffffff>
<h1>Error: Server Error</h1>
<h2>The server encountered a temporary error and could not complete your request.<p>Please try again in 30 seconds.</h2>
<h2></h2>
</body></html>
`

// ServeHTTP answers.
func (h *Hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	state := h.state
	h.mu.Unlock()
	switch state {
	case HookRefuse:
		hangUp(w)
		return
	case HookDown:
		w.Header().Set("Via", "1.1 google")
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.WriteHeader(http.StatusBadGateway)
		io.WriteString(w, balancerPage) //nolint:errcheck // who asked has gone
		return
	}
	if r.URL.Path != "/hook" {
		return // 200 and nothing, for health checks
	}
	if code, text := h.check(r); code != http.StatusOK {
		http.Error(w, text, code)
		return
	}
	h.mu.Lock()
	h.received++
	h.mu.Unlock()
	io.WriteString(w, "Event received. Have a nice day.") //nolint:errcheck // who asked has gone
}

// hangUp ends the connection with a reset.
func hangUp(w http.ResponseWriter) {
	if hj, ok := w.(http.Hijacker); ok {
		if conn, _, err := hj.Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				tcp.SetLinger(0) //nolint:errcheck // then it ends without a reset
			}
			conn.Close() //nolint:errcheck // it is being broken off
			return
		}
	}
	panic(http.ErrAbortHandler)
}

// check looks at a webhook in the order that hook does: method, event, delivery, signature, content type, body, HMAC.
func (h *Hook) check(r *http.Request) (int, string) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, "405 Method not allowed"
	}
	for _, name := range []string{"X-GitHub-Event", "X-GitHub-Delivery"} {
		if r.Header.Get(name) == "" {
			return http.StatusBadRequest, "400 Bad Request: Missing " + name + " Header"
		}
	}
	signature := r.Header.Get("X-Hub-Signature-256")
	if signature == "" {
		return http.StatusForbidden, "403 Forbidden: Missing X-Hub-Signature-256"
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return http.StatusBadRequest, "400 Bad Request: Hook only accepts content-type: application/json - please reconfigure this hook on GitHub"
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 25<<20)) // GitHub's own limit
	if err != nil {
		return http.StatusInternalServerError, "500 Internal Server Error: Failed to read request body"
	}
	if why := h.verify(body, signature); why != "" {
		return http.StatusForbidden, "403 Forbidden: Invalid X-Hub-Signature-256 - " + why
	}
	return http.StatusOK, ""
}

// verify says why a signed body is not to be trusted; "" if it is.
func (h *Hook) verify(body []byte, signature string) string {
	var event struct {
		Repository struct {
			FullName string `json:"full_name"`
		} `json:"repository"`
		Organization struct {
			Login string `json:"login"`
		} `json:"organization"`
	}
	if json.Unmarshal(body, &event) != nil {
		return "invalid payload"
	}
	place := event.Repository.FullName
	if place == "" {
		place = event.Organization.Login
	}
	secret, ok := h.secretFor(place)
	if !ok {
		return "failed to get an appropriate hmac secret"
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	given, err := hex.DecodeString(strings.TrimPrefix(signature, "sha256="))
	if err != nil || !strings.HasPrefix(signature, "sha256=") || !hmac.Equal(given, mac.Sum(nil)) {
		return "misconfigured webhook secret from organization/repo:" + place
	}
	return ""
}

func (h *Hook) secretFor(place string) (string, bool) {
	if h.Orgs == nil {
		return h.Secret, true
	}
	org, _, _ := strings.Cut(place, "/")
	for _, key := range []string{place, org, "*"} {
		if secret, ok := h.Orgs[key]; ok {
			return secret, true
		}
	}
	return "", false
}

// hookPod is the pod whose lines are written.
const hookPod = "hook-6d5f7c9b84-x2x7q"

// chatter is what hook says on an ordinary day.
var chatter = []string{"Comment is by an author who is not in the org.", "Handling issue comment event.", "Setting labels.", "Starting PR job."}

// Chatter writes n lines of an ordinary day.
func (h *Hook) Chatter(n int) error {
	for i := range n {
		err := h.logrus("info", chatter[i%len(chatter)], map[string]any{"org": "kubernetes", "repo": "test-infra", "pr": 12000 + i})
		if err != nil {
			return err
		}
	}
	return nil
}

// presetError is why the configuration of 2019-01-22 did not load.
const presetError = "duplicated preset label : preset-aws-credential"

// ConfigError writes that the configuration does not load; the process goes on with the one it had.
func (h *Hook) ConfigError() error {
	return h.logrus("error", "Error loading config.", map[string]any{"error": presetError,
		"prowConfig": "/etc/config/config.yaml", "jobConfig": "/etc/job-config"})
}

// Fatal writes the last line of a process that starts with a configuration that does not load.
func (h *Hook) Fatal() error {
	return h.logrus("fatal", "Error starting config agent.", map[string]any{"error": presetError})
}

// BackOff writes Kubernetes' event of a container that crashes again and again.
func (h *Hook) BackOff() error {
	const uid = "6f0a5a4e-1f2b-11e9-9f0e-42010a800fd2"
	return h.write("events", "WARNING", "k8s_pod",
		map[string]string{"namespace_name": "default", "pod_name": hookPod},
		map[string]string{"logging.gke.io/top_level_controller_name": "hook", "logging.gke.io/top_level_controller_type": "Deployment"},
		map[string]any{
			"apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": "BackOff",
			"message": fmt.Sprintf("Back-off restarting failed container hook in pod %s_default(%s)", hookPod, uid),
			"involvedObject": map[string]any{"apiVersion": "v1", "kind": "Pod", "name": hookPod, "namespace": "default", "uid": uid,
				"fieldPath": "spec.containers{hook}"},
			"source":   map[string]any{"component": "kubelet", "host": "gke-prow-default-pool-116f5d3e-bl6h"},
			"metadata": map[string]any{"name": hookPod + ".157c7d1f2a9b3c4d", "namespace": "default"},
		})
}

// logrus writes a line of hook as Cloud Logging has it.
func (h *Hook) logrus(level, message string, fields map[string]any) error {
	severity := map[string]string{"info": "INFO", "error": "ERROR", "fatal": "CRITICAL"}[level]
	payload := map[string]any{"component": "hook", "level": level, "msg": message}
	for k, v := range fields {
		payload[k] = v
	}
	return h.write("stderr", severity, "k8s_container",
		map[string]string{"namespace_name": "default", "pod_name": hookPod, "container_name": "hook"},
		map[string]string{"k8s-pod/app": "hook", "compute.googleapis.com/resource_name": "gke-prow-default-pool-116f5d3e-bl6h",
			"logging.gke.io/top_level_controller_name": "hook", "logging.gke.io/top_level_controller_type": "Deployment"}, payload)
}

func (h *Hook) write(log, severity, resource string, where, labels map[string]string, payload map[string]any) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.Log == nil {
		return nil
	}
	now := time.Now
	if h.Now != nil {
		now = h.Now
	}
	project := h.Project
	if project == "" {
		project = "k8s-infra-prow"
	}
	where["project_id"], where["location"], where["cluster_name"] = project, "us-central1", "prow"
	h.written++
	at := now().UTC()
	line, err := json.Marshal(map[string]any{
		"logName": "projects/" + project + "/logs/" + log, "severity": severity,
		"resource": map[string]any{"type": resource, "labels": where}, "labels": labels, "jsonPayload": payload,
		"timestamp": at.Format(time.RFC3339Nano), "receiveTimestamp": at.Format(time.RFC3339Nano),
		"insertId": fmt.Sprintf("%x%05x", at.UnixNano(), h.written),
	})
	if err != nil {
		return fmt.Errorf("write hook's log: %w", err)
	}
	if _, err := h.Log.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write hook's log: %w", err)
	}
	return nil
}
