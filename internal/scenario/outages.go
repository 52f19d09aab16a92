package scenario

import (
	"fmt"
	"time"
)

// backOff lets a pod die and be started again with the kubelet's back-off (10 s, 20 and so on up to 300) until end. last are its
// last words at each death.
func (w *world) backOff(component, pod string, start, end time.Time, last func(t time.Time)) {
	w.backOffOf(podOf(component, pod), start, end, last)
}

// backOffOf is backOff, of a pod of any place.
func (w *world) backOffOf(o object, start, end time.Time, last func(t time.Time)) {
	wait := 10 * time.Second
	for t := start; t.Before(end); {
		last(t)
		w.warns(t.Add(2*time.Second), o, "BackOff", backedOff)
		t = t.Add(wait + w.between(time.Second, 3*time.Second))
		wait = min(2*wait, 5*time.Minute)
	}
}

// configOutage is the outage of 2019-01-23. On record: the bad configuration is live at 23:28:49Z, and running components keep the old
// one and say so; the first user notices at 12:49Z; the cause is gone at 16:12Z, and all is over at 16:27Z. Assumed: when each pod of hook
// restarted, how the fault looked in between, and every pace.
func configOutage(w *world) {
	const fault = "duplicated preset label : preset-aws-credential"
	first, allDown := at("2019-01-23T11:50:00Z"), at("2019-01-23T12:47:00Z")
	fixed, end := at("2019-01-23T16:12:00Z"), at("2019-01-23T16:27:00Z")
	restarts := []time.Time{first, first.Add(22 * time.Minute), first.Add(41 * time.Minute), allDown}

	w.background(ordinary{pace: time.Minute, silent: []string{"hook"}, down: span{allDown, end}})
	for _, c := range w.components {
		if c.name == "ghproxy" { // it loads no configuration
			continue
		}
		for i, pod := range c.pods {
			until := fixed
			if c.name == "hook" {
				until = restarts[i]
				w.chatter(c, pod, 45*time.Second, w.Start, until)
				w.backOff("hook", pod, until, fixed, func(t time.Time) {
					w.says(t, "hook", pod, "fatal", "Error starting config agent.", fields{"error": fault})
				})
				w.chatter(c, pod, 45*time.Second, end, w.End)
			}
			complain := func(t time.Time) {
				w.says(t, c.name, pod, "error", "Error loading config.", fields{
					"error": fault, "prowConfig": "/etc/config/config.yaml", "jobConfig": "/etc/job-config",
				})
			}
			complain(w.Fault.Add(w.between(5*time.Second, 70*time.Second)))
			for t := range w.every(75*time.Second, w.Fault.Add(70*time.Second), until, usual) {
				complain(t)
			}
		}
	}
	w.noHook(allDown, end)
}

// noHook writes what the load balancer and the probe see while no pod of hook is there.
func (w *world) noHook(from, to time.Time) {
	refusing := from.Add(3 * time.Minute) // until then the load balancer still tries
	for t := range w.every(6*time.Second, from, to, usual) {
		details := "failed_to_connect_to_backend"
		if t.After(refusing) {
			details = "failed_to_pick_backend"
		}
		w.request(t, 502, details, 400*time.Microsecond)
	}
	n := 0
	for t := range w.every(probeEvery, from, to, probeJitter) {
		status := 502
		if n%5 == 0 {
			status = 503
		}
		w.probed(t, status, 10*time.Millisecond)
		n++
	}
}

// hookPanic is the outage of 2019-09-24: since a rollout hook panics on some events. The stack is text, an entry a line; there are
// several restarts, and no line of JSON.
func hookPanic(w *world) {
	w.background(ordinary{pace: 30 * time.Second})
	for _, start := range []time.Time{w.Fault, w.Fault.Add(150 * time.Second)} {
		for _, pod := range w.pods("hook")[:2] {
			t := start.Add(w.between(0, 40*time.Second))
			wait := 15 * time.Second
			for range 5 {
				w.stack(t, pod)
				w.warns(t.Add(2*time.Second), podOf("hook", pod), "BackOff", backedOff)
				t, wait = t.Add(wait), 2*wait
			}
		}
	}
}

// stack is a Go panic's.
func (w *world) stack(t time.Time, pod string) {
	lines := []string{
		"panic: runtime error: invalid memory address or nil pointer dereference",
		"[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x12c017e]",
		fmt.Sprintf("goroutine %d [running]:", 900+w.rand.IntN(8100)),
		fmt.Sprintf("k8s.io/test-infra/prow/plugins/trigger.buildAllIfTrusted(0x%s, 0x%s)", w.hex(40), w.hex(40)),
		"\t/home/prow/go/src/k8s.io/test-infra/prow/plugins/trigger/pull-request.go:151 +0x1e",
	}
	for i, text := range lines {
		w.prints(t.Add(time.Duration(i)*time.Millisecond), "hook", pod, text)
	}
}
