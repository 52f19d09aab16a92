package scenario

import (
	"fmt"
	"time"
)

// mountsFail lets pods of hook, deck and tide that are started anew wait for a volume that is not there.
func mountsFail(w *world) {
	w.background(ordinary{pace: sparse})
	w.cannotStart("FailedMount", `MountVolume.SetUp failed for volume "oauth" : secrets "oauth-token" not found`, 70*time.Second)
}

// noRoom evicts pods of hook, deck and tide, and no node takes them.
func noRoom(w *world) {
	w.background(ordinary{pace: sparse})
	w.cannotStart("FailedScheduling", "0/6 nodes are available: 6 Insufficient memory, 2 node(s) had taint {x: }, that the pod didn't tolerate.", 50*time.Second)
}

// cannotStart has pods of three components tell, each at about that pace for an hour, why they do not start. The exporter names no controller.
func (w *world) cannotStart(reason, message string, pace time.Duration) {
	for _, c := range []string{"hook", "deck", "tide"} {
		for range 2 {
			pod := object{kind: "Pod", name: w.pod(c), namespace: services}
			for t := range w.every(pace, w.Fault, w.Fault.Add(time.Hour), usual) {
				w.warns(t, pod, reason, message)
			}
		}
	}
}

// nodesFlap loses four of Prow's own nodes and gets them back, again and again; what runs there is killed.
func nodesFlap(w *world) {
	w.background(ordinary{pace: sparse})
	for i := range 4 {
		n := object{kind: "Node", name: "gke-prow-default-pool-116f5d3e-" + w.hex(16)}
		pod := podOf(w.components[i].name, w.components[i].pods[0])
		for t := range w.every(6*time.Minute, w.Fault.Add(-5*time.Minute), w.Fault.Add(time.Hour), 0.1) {
			w.warns(t, n, "NodeNotReady", fmt.Sprintf("Node %s status is now: NodeNotReady", n.name))
			w.happens(t.Add(40*time.Second), pod, "TaintManagerEviction", "Marking for deletion Pod default/"+pod.name)
			w.happens(t.Add(2*time.Minute), n, "NodeReady", fmt.Sprintf("Node %s status is now: NodeReady", n.name))
		}
	}
}

// poolUpgrade replaces Prow's own nodes one by one; each pod that has to move waits for less than a minute.
func poolUpgrade(w *world) {
	w.background(ordinary{pace: sparse})
	i := 0
	for t := range w.every(5*time.Minute, w.Fault, w.Fault.Add(90*time.Minute), 0.2) {
		n := object{kind: "Node", name: "gke-prow-default-pool-116f5d3e-" + w.hex(16)}
		w.happens(t, n, "NodeNotSchedulable", fmt.Sprintf("Node %s status is now: NodeNotSchedulable", n.name))
		c := w.components[i%len(w.components)]
		fresh := podOf(c.name, w.pod(c.name))
		w.happens(t.Add(10*time.Second), podOf(c.name, c.pods[0]), "Killing", "Stopping container "+c.name)
		for k := range 3 {
			w.warns(t.Add(time.Duration(12+15*k)*time.Second), fresh, "FailedScheduling", "0/6 nodes are available: 1 node(s) were unschedulable, 5 Insufficient cpu.")
		}
		w.warns(t.Add(60*time.Second), fresh, "FailedMount", `MountVolume.SetUp failed for volume "config" : failed to sync configmap cache: timed out waiting for the condition`)
		w.warns(t.Add(90*time.Second), fresh, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
		w.warns(t.Add(2*time.Minute), n, "NodeNotReady", fmt.Sprintf("Node %s status is now: NodeNotReady", n.name))
		w.happens(t.Add(3*time.Minute), n, "RemovingNode", fmt.Sprintf("Node %s event: Removing Node %s from Controller", n.name, n.name))
		i++
	}
}

// allSilent stops all lines of Prow's for half an hour; what others write of it goes on.
func allSilent(w *world) {
	w.background(ordinary{pace: sparse, mute: span{w.Fault, w.Fault.Add(45 * time.Minute)}})
}

// jobsFail lets every job end badly from Fault on; until then one in ten does.
func jobsFail(w *world) {
	w.background(ordinary{pace: sparse})
	controller := w.pods("plank")[0]
	for _, job := range []struct {
		name string
		pace time.Duration
	}{{"ci-test-infra-prow-checkconfig", 5 * time.Minute}, {"pull-kubernetes-unit", 20 * time.Second}} {
		for t := range w.always(job.pace) {
			to := "success"
			if t.After(w.Fault) || job.name != "ci-test-infra-prow-checkconfig" && w.rand.IntN(10) == 0 {
				to = "failure"
			}
			w.says(t, "plank", controller, "info", "Transitioning states.", fields{"from": "pending", "to": to, "job": job.name, "type": "periodic"})
		}
	}
}
