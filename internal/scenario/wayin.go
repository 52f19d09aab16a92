package scenario

import "time"

// configTooLarge is the trouble of 2019-03-08: the plugin that applies what is merged says so of each merge.
func configTooLarge(w *world) {
	w.background(ordinary{pace: sparse})
	for t := w.Fault; t.Before(w.Fault.Add(time.Hour)); t = t.Add(w.between(8*time.Minute, 20*time.Minute)) {
		w.says(t, "hook", pick(w, w.pods("hook")...), "error", "Error handling PullRequestEvent.", fields{
			"error":  `update config map err: ConfigMap "job-config" is invalid: []: Too long: must have at most 1048576 characters`,
			"plugin": "config-updater", "org": "kubernetes", "repo": "test-infra", "pr": 11702, "url": "https://github.com/kubernetes/test-infra/pull/11702",
		})
	}
}

// certificateExpires counts the certificate's days down to 14.
func certificateExpires(w *world) {
	w.background(ordinary{pace: sparse, down: span{w.Start, w.End}})
	for t := range w.always(8 * time.Second) {
		w.request(t, 200, "response_sent_by_backend", 20*time.Millisecond)
	}
	for t := range w.every(probeEvery, w.Start, w.End, probeJitter) {
		days := 15
		if t.After(w.Fault) {
			days = 14
		}
		w.saw(t, 405, "", days, 80*time.Millisecond)
	}
}

// certificateExpired lets nobody through from Fault on: GitHub's requests end before the load balancer logs them.
func certificateExpired(w *world) {
	end := w.Fault.Add(50 * time.Minute)
	w.background(ordinary{pace: sparse, down: span{w.Fault, end}})
	for t := range w.every(probeEvery, w.Fault, end, probeJitter) {
		w.saw(t, 0, `Get "https://prow.k8s.io/hook": tls: failed to verify certificate: x509: certificate has expired or is not yet valid`, 0, 30*time.Millisecond)
	}
}

// githubNotSending has no webhook for an hour; hook is well.
func githubNotSending(w *world) {
	w.background(ordinary{pace: sparse, unsent: span{w.Fault, w.Fault.Add(time.Hour)}})
}

// githubErrors has GitHub answer tide and crier with errors for two hours and ten minutes.
func githubErrors(w *world) {
	w.background(ordinary{pace: sparse})
	w.upstream(w.Fault, w.Fault.Add(130*time.Minute), 12*time.Second, "tide", "crier")
}

// githubStopsMerges has the same, and tide has nothing else to say for three hours.
func githubStopsMerges(w *world) {
	w.background(ordinary{pace: sparse, silent: []string{"tide"}})
	tide := w.component("tide")
	w.chatter(tide, tide.pods[0], 30*time.Second, w.Start, w.Fault)
	for t := range w.every(time.Minute, w.Fault, w.End, usual) {
		w.says(t, "tide", tide.pods[0], "info", "Statuses synced.", fields{"duration": "31s"})
	}
	w.upstream(w.Fault, w.End, 12*time.Second, "tide", "crier")
}

// upstream are GitHub's own errors.
func (w *world) upstream(from, to time.Time, pace time.Duration, components ...string) {
	for t := range w.every(pace, from, to, usual) {
		c := pick(w, components...)
		w.says(t, c, w.pods(c)[0], "error", pick(w, "Error syncing.", "Searching for open PRs.", "failed to report"), fields{
			"error": pick(w, "unexpected status: 502 Bad Gateway", "status code 503 not one of [200], body: Unicorn!",
				`non-200 OK status code: 403 Forbidden body: "You have exceeded a secondary rate limit."`),
		})
	}
}

// tokensUsedUp is the trouble of 2019-07-18: tide may not ask GitHub any more for an hour.
func tokensUsedUp(w *world) {
	w.background(ordinary{pace: sparse})
	for t := range w.every(time.Minute, w.Fault, w.Fault.Add(time.Hour), usual) {
		w.says(t, "tide", w.pods("tide")[0], "error", "Error syncing.", fields{
			"error": "sleep time for token reset exceeds max sleep time (3m50.784736403s > 2m0s)", "file": "prow/cmd/tide/main.go:208", "func": "main.sync",
		})
	}
}

// webhooksSlow lets hook's answers take longer and longer; from Fault on GitHub waits no more.
func webhooksSlow(w *world) {
	ramp := w.Fault.Add(-20 * time.Minute)
	w.background(ordinary{pace: sparse, unsent: span{ramp, w.End}})
	for t := range w.every(8*time.Second, ramp, w.End, usual) {
		if t.Before(w.Fault) {
			w.request(t, 200, "response_sent_by_backend", time.Duration(float64(9*time.Second)*float64(t.Sub(ramp))/float64(20*time.Minute)))
			continue
		}
		w.request(t, pick(w, 0, 499), "client_disconnected_before_any_response", 10*time.Second+w.between(0, 200*time.Millisecond))
	}
}
