package scenario

import (
	"fmt"
	"time"
)

// sparse is the pace of the shorter scenarios, in which the chatter is only to show who lives.
const sparse = time.Minute

// boskosDies is the outage of 2019-03-26. Boskos runs beside the jobs, and its lines name no component.
func boskosDies(w *world) {
	w.background(ordinary{pace: sparse})
	boskos := object{kind: "Pod", name: "boskos-0", namespace: jobs, container: "boskos"}
	w.backOffOf(boskos, w.Fault, w.Fault.Add(time.Hour), func(t time.Time) {
		e := w.container("boskos", "boskos-0", jobs, "CRITICAL")
		e.JSONPayload = fields{"level": "fatal", "msg": "unable to create a CRD client", "error": `CustomResourceDefinition "resources.boskos.k8s.io" ` +
			"is invalid: spec.versions: must have exactly one version marked as storage version"}
		w.add(t, w.logs(), e)
	})
}

// tideStuck lets tide fail each sync of its own accord.
func tideStuck(w *world) {
	w.background(ordinary{pace: sparse, silent: []string{"tide"}})
	tide := w.component("tide")
	w.chatter(tide, tide.pods[0], 30*time.Second, w.Start, w.Fault)
	for t := range w.every(time.Minute, w.Fault, w.End, usual) {
		w.says(t, "tide", tide.pods[0], "error", "Error syncing.", fields{"error": "failed to get config for pool: no such key"})
	}
}

// probesKill is the outage of 2020-08-20: what is new of hook does not answer its probes in time, and the old pods go one by one.
func probesKill(w *world) {
	end, pods := w.End.Add(-20*time.Minute), w.pods("hook")
	gone := w.Fault.Add(3 * time.Minute)
	w.background(ordinary{pace: sparse, silent: []string{"hook"}, down: span{gone, end}})
	w.happens(w.Fault, object{kind: "Deployment", name: "hook", namespace: services}, "ScalingReplicaSet", "Scaled up replica set hook-6d5f7c9b84 to 4")
	for i, pod := range pods {
		w.chatter(w.component("hook"), pod, 45*time.Second, w.Start, w.Fault.Add(time.Duration(i)*30*time.Second))
		w.chatter(w.component("hook"), pod, 45*time.Second, end, w.End)
		fresh := podOf("hook", w.pod("hook"))
		w.backOffOf(fresh, w.Fault.Add(time.Minute+time.Duration(i)*30*time.Second), end, func(t time.Time) {
			w.says(t.Add(-40*time.Second), "hook", fresh.name, "info", "Loaded new config.", nil)
			w.warns(t.Add(-10*time.Second), fresh, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
			w.warns(t.Add(-5*time.Second), fresh, "Unhealthy", "Liveness probe failed: Get http://10.0.0.7:8081/healthz: net/http: request canceled")
			w.happens(t, fresh, "Killing", "Container hook failed liveness probe, will be restarted")
		})
	}
	w.noHook(gone, end)
}

// usageError gives tide an image that does not know one of its flags.
func usageError(w *world) {
	w.background(ordinary{pace: sparse, silent: []string{"tide"}})
	tide, fresh := w.component("tide"), w.pod("tide")
	w.chatter(tide, tide.pods[0], 30*time.Second, w.Start, w.Fault)
	w.backOff("tide", fresh, w.Fault, w.End, func(t time.Time) {
		for i, text := range []string{"flag provided but not defined: -gcs-credentials-file", "Usage of /ko-app/tide:", "  -config-path string", "    \tPath to config.yaml."} {
			w.prints(t.Add(time.Duration(i)*time.Millisecond), "tide", fresh, text)
		}
	})
}

// silentCrashLoop has one pod of hook in the longest back-off, of which only the events tell.
func silentCrashLoop(w *world) {
	w.background(ordinary{pace: sparse})
	pod := podOf("hook", w.pods("hook")[3])
	for t := w.Fault; t.Before(w.End); t = t.Add(303 * time.Second) {
		w.warns(t, pod, "BackOff", fmt.Sprintf("%s hook in pod %s_default(6f0a5a4e-1f2b-11e9-9f0e-42010a800fd2)", backedOff, pod.name))
	}
}

// oneRestartEach lets every component die once, within ten minutes.
func oneRestartEach(w *world) {
	w.background(ordinary{pace: sparse})
	for _, c := range w.components {
		t := w.Fault.Add(w.between(0, 10*time.Minute))
		w.says(t, c.name, c.pods[0], "fatal", "Error starting secrets agent.", fields{"error": "open /etc/github/oauth: no such file or directory"})
		w.warns(t.Add(2*time.Second), podOf(c.name, c.pods[0]), "BackOff", backedOff)
	}
}

// brokenPlugin is what the rollout of 2021-08-18 did: hook lives, and one of its plugins fails on everything.
func brokenPlugin(w *world) {
	w.background(ordinary{pace: sparse})
	w.rollout(w.Fault)
	for t := range w.every(12*time.Second, w.Fault.Add(4*time.Minute), w.End, usual) {
		w.says(t, "hook", pick(w, w.pods("hook")...), "error", "Error handling ReviewEvent.", fields{
			"plugin": "approve", "org": "kubernetes", "error": "failed to load OWNERS_ALIASES: yaml: unmarshal errors: line 3: cannot unmarshal",
		})
	}
}
