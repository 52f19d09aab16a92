// Package corpus writes a large amount of LogEntry JSON lines to measure with, as a Prow cluster would log them: Prow's
// components, Kubernetes events (BackOff among them), and a load balancer's requests. A seed and a size always make the same
// bytes. It also makes rules to look for in them.
package corpus

import (
	"bufio"
	"fmt"
	"io"
	"math/rand"
	"strconv"
	"time"
)

// Needle is the message of the fatal entry that every NeedleEvery-th entry of a corpus is.
const (
	Needle      = "Error starting config agent."
	NeedleEvery = 100_000
)

// writer makes entries.
type writer struct {
	r     *rand.Rand
	t     time.Time
	nodes []string
}

// Write writes lines up to the one that passes size bytes. 0.4 % of the entries are BackOff events, 10 % a load balancer's, 2 %
// of those 502; 3 % are errors, 6 % warnings. A line has 1,043 bytes in the mean.
func Write(out io.Writer, seed, size int64) error {
	x := &writer{r: rand.New(rand.NewSource(seed)), t: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	for range 12 {
		x.nodes = append(x.nodes, "gke-prow-services-"+x.hex(8)+"-"+x.an(4))
	}
	var wheel []*comp
	for _, c := range x.components() {
		for range c.weight {
			wheel = append(wheel, c)
		}
	}
	w := bufio.NewWriterSize(out, 1<<20)
	for i, n := 0, int64(0); n < size; i++ {
		line := x.entry(wheel, i%NeedleEvery == NeedleEvery/2)
		n += int64(len(line)) + 1
		if _, err := w.WriteString(line); err != nil {
			return fmt.Errorf("write the corpus: %w", err)
		}
		_ = w.WriteByte('\n') // an error stays and is told by Flush
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the corpus: %w", err)
	}
	return nil
}

// entry is the next line.
func (x *writer) entry(wheel []*comp, fatal bool) string {
	x.t = x.t.Add(time.Duration(200+x.r.Intn(2000)) * time.Microsecond)
	c := wheel[x.r.Intn(len(wheel))]
	v := x.r.Intn(1000)
	switch {
	case fatal:
		return x.container(c, "fatal", `"msg":`+q(Needle), true)
	case v < 100:
		return x.lb()
	case v < 104:
		return x.event(c, true)
	case v < 120:
		return x.event(c, false)
	case v < 150:
		return x.container(c, "error", `"msg":`+q(x.pick(troubles)), true)
	case v < 210:
		return x.container(c, "warning", c.msgs[x.r.Intn(len(c.msgs))](x), x.r.Intn(3) == 0)
	case v < 300:
		return x.container(c, "debug", c.msgs[x.r.Intn(len(c.msgs))](x), false)
	default:
		return x.container(c, "info", c.msgs[x.r.Intn(len(c.msgs))](x), false)
	}
}

var troubles = []string{"Error reconciling.", "Failed to report job status.", "Error loading config; retrying.", "failed to list comments", "Error running plugin.", "Failed to sync status"}

const hexd = "0123456789abcdef"
const alnum = "abcdefghijklmnopqrstuvwxyz0123456789"

func (x *writer) hex(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = hexd[x.r.Intn(16)]
	}
	return string(b)
}
func (x *writer) an(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alnum[x.r.Intn(36)]
	}
	return string(b)
}
func (x *writer) pick(s []string) string { return s[x.r.Intn(len(s))] }

func (x *writer) uuid() string {
	return x.hex(8) + "-" + x.hex(4) + "-" + x.hex(4) + "-" + x.hex(4) + "-" + x.hex(12)
}

func (x *writer) ts(d time.Duration) string {
	return x.t.Add(d).UTC().Format("2006-01-02T15:04:05.000000000Z")
}

func (x *writer) insert() string { return x.an(16) }

func (x *writer) container(c *comp, level, payload string, extraErr bool) string {
	sev := map[string]string{"debug": "DEBUG", "info": "INFO", "warning": "WARNING", "error": "ERROR", "fatal": "CRITICAL"}[level]
	pod := x.pick(c.pods)
	node := x.pick(x.nodes)
	e := ""
	if extraErr {
		e = `,"error":"` + fmt.Sprintf(x.pick(errs), x.r.Intn(255)) + `"`
	}
	t := x.ts(0)
	return fmt.Sprintf(`{"insertId":"%s","jsonPayload":{"component":"%s","file":"%s","func":"%s","level":"%s",%s%s},"labels":{"compute.googleapis.com/resource_name":"%s","k8s-pod/app":"%s","k8s-pod/pod-template-hash":"%s","k8s-pod/app_kubernetes_io/name":"prow"},"logName":"projects/k8s-prow/logs/stderr","receiveTimestamp":"%s","resource":{"labels":{"cluster_name":"prow","container_name":"%s","location":"us-central1-f","namespace_name":"default","pod_name":"%s","project_id":"k8s-prow"},"type":"k8s_container"},"severity":"%s","timestamp":"%s"}`,
		x.insert(), c.name, x.pick(c.files), x.pick(c.funcs), level, payload, e, node, c.app, pod[len(c.name)+1:len(c.name)+11], x.ts(time.Duration(100+x.r.Intn(900))*time.Millisecond), c.name, pod, sev, t)
}

func (x *writer) event(c *comp, backoff bool) string {
	pod := x.pick(c.pods)
	reason, msg, typ, sev := "Scheduled", "Successfully assigned default/"+pod+" to "+x.pick(x.nodes), "Normal", "INFO"
	if backoff {
		reason, msg, typ, sev = "BackOff", "Back-off restarting failed container "+c.name+" in pod "+pod+"_default("+x.uuid()+")", "Warning", "WARNING"
	} else if x.r.Intn(2) == 0 {
		reason, msg = "Pulled", "Container image \\\"us-docker.pkg.dev/k8s-infra-prow/images/"+c.name+":v2026"+x.hex(4)+"\\\" already present on machine"
	}
	return fmt.Sprintf(`{"insertId":"%s","jsonPayload":{"apiVersion":"v1","eventTime":null,"involvedObject":{"apiVersion":"v1","fieldPath":"spec.containers{%s}","kind":"Pod","name":"%s","namespace":"default","resourceVersion":"%d","uid":"%s"},"kind":"Event","message":"%s","metadata":{"creationTimestamp":"%s","name":"%s.%s","namespace":"default","resourceVersion":"%d","uid":"%s"},"reason":"%s","reportingComponent":"kubelet","source":{"component":"kubelet","host":"%s"},"type":"%s"},"logName":"projects/k8s-prow/logs/events","receiveTimestamp":"%s","resource":{"labels":{"cluster_name":"prow","location":"us-central1-f","namespace_name":"default","pod_name":"%s","project_id":"k8s-prow"},"type":"k8s_pod"},"severity":"%s","timestamp":"%s"}`,
		x.insert(), c.name, pod, 100000000+x.r.Intn(900000000), x.uuid(), msg, x.ts(-time.Second), pod, x.hex(16), x.r.Intn(90000000), x.uuid(), reason, x.pick(x.nodes), typ, x.ts(time.Duration(x.r.Intn(3000))*time.Millisecond), pod, sev, x.ts(0))
}

func (x *writer) lb() string {
	st, sd, sev := 200, "response_sent_by_backend", "INFO"
	switch v := x.r.Intn(100); {
	case v < 2:
		st, sd, sev = 502, x.pick([]string{"backend_connection_closed_before_data_sent_to_client", "failed_to_connect_to_backend", "backend_timeout"}), "WARNING"
	case v < 8:
		st = 404
		sev = "WARNING"
	case v < 20:
		st = 304
	}
	path := x.pick([]string{"/prowjobs.js?omit=annotations,labels,decoration_config,pod_spec", "/log?job=" + x.pick(jobs) + "&id=" + strconv.FormatInt(1780000000000000000+x.r.Int63n(90000000000000000), 10), "/hook", "/tide.js", "/view/gs/kubernetes-ci-logs/logs/" + x.pick(jobs) + "/" + strconv.Itoa(x.r.Intn(1<<30)), "/badge.svg?jobs=" + x.pick(jobs), "/static/style.css"})
	return fmt.Sprintf(`{"httpRequest":{"latency":"%d.%06ds","protocol":"HTTP/1.1","remoteIp":"%d.%d.%d.%d","requestMethod":"%s","requestSize":"%d","requestUrl":"https://prow.k8s.io%s","responseSize":"%d","serverIp":"10.60.%d.%d","status":%d,"userAgent":%s},"insertId":"%s","jsonPayload":{"@type":"type.googleapis.com/google.cloud.loadbalancing.type.LoadBalancerLogEntry","backendTargetProjectNumber":"projects/114611115901","cacheDecision":["RESPONSE_HAS_CACHE_CONTROL","CACHE_MODE_USE_ORIGIN_HEADERS"],"remoteIp":"%d.%d.%d.%d","statusDetails":"%s"},"logName":"projects/k8s-prow/logs/requests","receiveTimestamp":"%s","resource":{"labels":{"backend_service_name":"k8s-be-32103--5d2d5b3c3aa9a02c","forwarding_rule_name":"k8s-fws-default-prow--5d2d5b3c3aa9a02c","project_id":"k8s-prow","target_proxy_name":"k8s-tps-default-prow--5d2d5b3c3aa9a02c","url_map_name":"k8s-um-default-prow--5d2d5b3c3aa9a02c","zone":"global"},"type":"http_load_balancer"},"severity":"%s","spanId":"%s","timestamp":"%s","trace":"projects/k8s-prow/traces/%s"}`,
		x.r.Intn(3), x.r.Intn(1000000), 1+x.r.Intn(220), x.r.Intn(255), x.r.Intn(255), x.r.Intn(255), x.pick([]string{"GET", "GET", "GET", "POST"}), 200+x.r.Intn(2000), path, x.r.Intn(500000), x.r.Intn(255), x.r.Intn(255), st, q(x.pick(uas)), x.insert(), 1+x.r.Intn(220), x.r.Intn(255), x.r.Intn(255), x.r.Intn(255), sd, x.ts(time.Duration(x.r.Intn(3000))*time.Millisecond), sev, x.hex(16), x.ts(0), x.hex(32))
}
