package scenario

import (
	"fmt"
	"time"
)

// githubFlood lets GitHub answer tide and crier with errors. Prow itself is well.
func githubFlood(w *world) {
	w.background(ordinary{pace: 30 * time.Second})
	for t := range w.every(4*time.Second, w.Fault, w.Fault.Add(25*time.Minute), usual) {
		c := pick(w, "tide", "crier")
		w.says(t, c, w.pods(c)[0], "error", pick(w, "Error syncing.", "Searching for open PRs.", "failed to report"), fields{
			"error": pick(w, "unexpected status: 502 Bad Gateway", `non-200 OK status code: 403 Forbidden body: "You have exceeded a secondary rate limit."`),
		})
	}
}

func controlPlaneUpgrade(w *world) {
	w.background(ordinary{pace: 30 * time.Second})
	w.upgrade(w.Fault, 290*time.Second)
}

// upgrade takes the API server away: all but one pod of hook die and are started again for so long, and then are well.
func (w *world) upgrade(start time.Time, lasts time.Duration) {
	for _, c := range w.components {
		for i, pod := range c.pods {
			if c.name == "hook" && i == 0 {
				continue
			}
			w.backOff(c.name, pod, start.Add(w.between(0, 30*time.Second)), start.Add(lasts), func(t time.Time) {
				w.says(t, c.name, pod, "fatal", "Error getting Kubernetes client for infrastructure cluster.",
					fields{"error": "dial tcp 10.0.0.1:443: connect: connection refused"})
			})
		}
	}
}

// rollout gives every component a new image: its pods are replaced one by one, a few requests are lost, and all is well within four
// minutes.
func (w *world) rollout(start time.Time) {
	for _, c := range w.components {
		t := start.Add(w.between(0, 20*time.Second))
		w.happens(t, object{kind: "Deployment", name: c.name, namespace: services}, "ScalingReplicaSet",
			fmt.Sprintf("Scaled up replica set %s-%s to 1", c.name, w.hex(36)))
		for _, pod := range c.pods {
			t = t.Add(w.between(15*time.Second, 30*time.Second))
			fresh := w.pod(c.name)
			w.happens(t, podOf(c.name, pod), "Killing", "Stopping container "+c.name)
			w.warns(t, podOf(c.name, fresh), "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
			w.says(t.Add(4*time.Second), c.name, fresh, "info", "Starting.", fields{"version": "v20260707-1a2b3c4d5"})
			if c.name != "hook" {
				continue
			}
			for k := range 3 {
				w.request(t.Add(time.Duration(k)*time.Second), 502, cutOff, 20*time.Millisecond)
			}
		}
	}
	w.says(start.Add(70*time.Second), "deck", w.pods("deck")[0], "warning", "Tide not healthy yet.", fields{"error": "connection refused"})
}

// busyDay has everything that looks bad and is not: rollouts, merges of configuration, jobs that fail in every way, nodes that come and
// go, and an upgrade of six minutes.
func busyDay(w *world) {
	w.background(ordinary{pace: 30 * time.Second})
	w.rollout(at("2026-07-07T10:15:00Z"))
	w.rollout(at("2026-07-07T16:40:00Z"))
	for t := range w.always(time.Hour) {
		w.says(t, "hook", w.pods("hook")[1], "info", "Updated configmap",
			fields{"plugin": "config-updater", "org": "kubernetes", "repo": "test-infra", "configmap": "job-config"})
		for _, c := range []string{"tide", "plank", "sinker"} {
			w.says(t.Add(w.between(20*time.Second, 80*time.Second)), c, w.pods(c)[0], "info", "Loaded new config.", nil)
		}
	}
	w.failingJobs()
	w.nodes()
	w.presubmits()
	w.upgrade(at("2026-07-07T13:00:00Z"), 6*time.Minute)
}

// failingJobs are jobs whose pods fail in the ways in which pods fail.
func (w *world) failingJobs() {
	for t := range w.always(9 * time.Second) {
		w.happens(t, w.job(""), "Scheduled", "Successfully assigned test-pods/x to node")
	}
	for t := range w.always(4 * time.Minute) {
		w.warns(t, w.job("test"), "BackOff", `Back-off pulling image "gcr.io/k8s-testimages/nosuch:latest"`)
	}
	for t := range w.always(400 * time.Second) {
		w.warns(t, w.job("sidecar"), "BackOff", backedOff+" sidecar in pod x")
	}
	for t := range w.always(700 * time.Second) {
		w.warns(t, w.job(""), "FailedMount",
			`MountVolume.SetUp failed for volume "service" : failed to sync secret cache: timed out waiting for the condition`)
	}
	for wave := range w.always(90 * time.Minute) { // jobs that wait for the autoscaler's new nodes
		for t := range w.every(6*time.Second, wave, wave.Add(4*time.Minute), usual) {
			w.warns(t, w.job(""), "FailedScheduling", "0/40 nodes are available: 40 Insufficient memory.")
		}
	}
}

// nodes are those of the build pool, short of memory and taken away.
func (w *world) nodes() {
	for t := range w.always(15 * time.Minute) {
		w.warns(t, object{kind: "Node", name: "gke-prow-build-pool-5c1d-x7kq"}, "OOMKilling", "Memory cgroup out of memory: Killed process 4242 (bazel)")
	}
	for t := range w.always(25 * time.Minute) {
		w.warns(t, object{kind: "Node", name: "gke-prow-build-pool-5c1d-" + w.hex(20)}, "NodeNotReady", "Node status is now: NodeNotReady")
	}
}

// presubmits are jobs that test Prow itself: their logs look like Prow failing.
func (w *world) presubmits() {
	for t := range w.always(40 * time.Minute) {
		fatal := w.container("test", w.jobPod(), jobs, "CRITICAL")
		fatal.JSONPayload = fields{
			"component": "hook", "level": "fatal", "msg": pick(w, "Error starting config agent.", "Error starting plugins.", "Error getting GitHub client."),
			"error": "open /nonexistent/config.yaml: no such file or directory",
		}
		w.add(t, w.logs(), fatal)
		dead := w.container("test", w.jobPod(), jobs, "ERROR")
		dead.TextPayload = "panic: runtime error: invalid memory address or nil pointer dereference [recovered]"
		w.add(t, w.logs(), dead)
	}
}
