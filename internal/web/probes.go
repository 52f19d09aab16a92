package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin/internal/store"
)

// Probe is a probe that is configured, for its page.
type Probe struct {
	Name, URL string
	// Every is the time from one request to the next, Timeout how long one may take.
	Every, Timeout time.Duration
	// Newest is what the newest request saw; nil where that is not known, because another process asks or none has been made.
	Newest *store.ProbePoint
}

// probesView is the main part of the page of probes.
type probesView struct {
	Said   string
	Ranges []rangeView
	Probes []probeView
}

// rangeView is a link to the same page over another length of time.
type rangeView struct {
	Text, Path string
	Chosen     bool
}

// probeView is one probe. State is a word or two, Tone its class.
type probeView struct {
	Name, URL, State, Tone string
	// Last is what the newest request brought, Error why it failed, Certificate for how long its certificate is valid yet, Health how it went over the time that is shown.
	Last, Error, Certificate, CertificateTone, Health string
	Chart                                             *probeChart
	Failures                                          []failure
	More                                              string
}

// failure is a time in which a probe failed.
type failure struct {
	From, To    moment
	Goes        bool
	Lasted, Why string
}

// mostFailures is how many times of failure are listed.
const mostFailures = 6

// The days that a certificate is valid yet from which on it is urgent, and worth a look.
const (
	daysUrgent = 14
	daysSoon   = 30
)

// probes shows how each probe is and was: ?for= 3h, 24h, which is what is shown without it, or 7d.
func (s *server) probes(w http.ResponseWriter, r *http.Request) error {
	chosen := cmp.Or(r.URL.Query().Get("for"), "24h")
	which := slices.IndexFunc(ranges, func(one backwards) bool { return one.name == chosen })
	if which < 0 {
		return invalid(fmt.Sprintf("for %q is not drawn: ask for 3h, 24h or 7d", clean(chosen, 50)))
	}
	status, err := s.status(r.Context())
	if err != nil {
		return err
	}
	now := s.Now()
	to := now.UTC().Truncate(ranges[which].bin).Add(ranges[which].bin)
	from := to.Add(-ranges[which].long)
	all := s.Probes()
	read := make([]probeRead, len(all))
	err = s.Store.View(r.Context(), func(tx *store.Tx) error {
		for i, p := range all {
			if err := read[i].from(r.Context(), tx, p, from, ranges[which].bin); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	v := probesView{}
	for _, one := range ranges {
		v.Ranges = append(v.Ranges, rangeView{one.text, "/probes?for=" + one.name, one.name == chosen})
	}
	unwell := 0
	for i, p := range all {
		view := probeOf(p, read[i], now)
		view.Chart = chartOf(clean(p.Name, 80), read[i].points, from, to, ranges[which].bin, now)
		if view.Tone != "ok" {
			unwell++
		}
		v.Probes = append(v.Probes, view)
	}
	slices.SortStableFunc(v.Probes, func(a, b probeView) int { return cmp.Compare(oneIf(a.Tone == "ok"), oneIf(b.Tone == "ok")) })
	switch {
	case unwell == 0 && len(all) == 1:
		v.Said = "It is well."
	case unwell == 0:
		v.Said = "All are well."
	default:
		v.Said = fmt.Sprintf("%d of %d need a look.", unwell, len(all))
	}
	return s.show(w, r, http.StatusOK, probesTemplate, frame{Title: "Probes · tocsin", From: "/probes?for=" + chosen, Nav: "/probes", Well: wellnessOf(status), Main: v})
}

// probeRead is what the store knows of a probe.
type probeRead struct {
	// points are added up over the bins of the chart, failed are the newest spans in which it failed, newest is its newest span.
	points, failed []store.ProbePoint
	newest         *store.ProbePoint
}

// mostFailed is how many spans in which a probe failed are looked at: those of a day.
const mostFailed = 288

func (is *probeRead) from(ctx context.Context, tx *store.Tx, p Probe, from time.Time, bin time.Duration) (err error) {
	if is.points, err = tx.ProbePoints(ctx, p.Name, from, bin); err != nil || len(is.points) == 0 {
		return err
	}
	if is.failed, err = tx.ProbeFailures(ctx, p.Name, from, mostFailed); err != nil {
		return err
	}
	last, err := tx.ProbePoints(ctx, p.Name, is.points[len(is.points)-1].Newest.Truncate(store.ProbeSpan), store.ProbeSpan)
	if len(last) > 0 {
		is.newest = &last[len(last)-1]
	}
	return err
}

// probeOf words how a probe is now and was.
func probeOf(p Probe, is probeRead, now time.Time) probeView {
	v := probeView{Name: clean(p.Name, titleLength), URL: clean(p.URL, titleLength), State: "nothing yet", Tone: "warning"}
	newest := p.Newest
	if newest == nil {
		newest = is.newest
	}
	v.Failures, v.More = failuresOf(is.failed, newest != nil && newest.Failed > 0, now)
	v.Health = healthOf(is.points, now)
	if newest == nil {
		return v
	}
	silent := now.Sub(newest.Newest) > 2*(p.Every+p.Timeout)+time.Minute
	switch {
	case silent:
		v.State, v.Tone = "not asked since "+exactly(newest.Newest, now).Text, "critical"
	case newest.Failed > 0 && newest.Failed+newest.Blind == newest.Probes:
		v.State, v.Tone, v.Error = "fails", "critical", clean(newest.Error, titleLength)
		if len(v.Failures) > 0 && v.Failures[0].Goes {
			v.State = "fails since about " + v.Failures[0].From.Text
		}
	case newest.Blind == newest.Probes:
		v.State, v.Tone = "cannot see", "warning"
	case newest.Failed > 0:
		v.State, v.Tone = "fails now and then", "warning"
	default:
		v.State, v.Tone = "healthy", "ok"
	}
	v.Last = lastOf(newest, now)
	if newest.Days != nil {
		v.Certificate, v.CertificateTone = daysOf(*newest.Days)
	}
	if v.Tone == "ok" && v.CertificateTone == "critical" {
		v.State, v.Tone = "healthy, but its certificate "+v.Certificate, "warning"
	}
	return v
}

// lastOf words what the newest request, or those of the newest span, brought.
func lastOf(p *store.ProbePoint, now time.Time) string {
	ago := exactly(p.Newest, now).Ago
	if p.Answered == 0 {
		return "no answer, " + ago
	}
	text := fmt.Sprintf("%d in %s", p.Status, milliseconds(inMilliseconds(p.Latency)/float64(p.Answered)))
	var parts []string
	for _, phase := range phaseNames {
		if d := phase.of(p.Phases); d > 0 {
			parts = append(parts, phase.name+" "+milliseconds(inMilliseconds(d)/float64(p.Answered)))
		}
	}
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	return text + ", " + ago
}

// daysOf words for how long a certificate is valid yet.
func daysOf(days int) (text, tone string) {
	switch {
	case days < 0:
		return "has run out", "critical"
	case days < daysUrgent:
		return "runs out in " + plural(int64(days), "day"), "critical"
	case days < daysSoon:
		return "runs out in " + plural(int64(days), "day"), "warning"
	}
	return "valid for " + plural(int64(days), "day"), "ok"
}

// healthOf adds up how it went.
func healthOf(points []store.ProbePoint, now time.Time) string {
	var sum store.ProbePoint
	var slowest store.ProbePoint
	for _, p := range points {
		sum.Add(p)
		if p.Slowest > slowest.Slowest {
			slowest = p
		}
	}
	if sum.Probes == 0 {
		return ""
	}
	seeing := sum.Probes - sum.Blind
	text := "all " + number(seeing) + " requests were well"
	switch {
	case seeing == 0:
		text = "nothing was seen"
	case sum.Failed > 0:
		text = fmt.Sprintf("%s of %s requests were well (%s %%)", number(seeing-sum.Failed), number(seeing), percent(seeing-sum.Failed, seeing))
	}
	if sum.Answered > 0 {
		text += fmt.Sprintf(", %s on average", milliseconds(inMilliseconds(sum.Latency)/float64(sum.Answered)))
		if slowest.Slowest > 0 {
			text += fmt.Sprintf(", the slowest %s at about %s", milliseconds(inMilliseconds(slowest.Slowest)), at(slowest.At, now).Text)
		}
	}
	if sum.Blind > 0 {
		text += fmt.Sprintf("; %s could not see", number(sum.Blind))
	}
	return text
}

// percent is a part of a whole in percent: 100 and 0 only where it is all or nothing.
func percent(part, whole int64) string {
	p := 100 * float64(part) / float64(whole)
	if part < whole {
		p = min(p, 99.99)
	}
	if part > 0 {
		p = max(p, 0.01)
	}
	return strings.TrimSuffix(strings.TrimSuffix(fmt.Sprintf("%.2f", p), "0"), ".0")
}

// failuresOf are the times in which a probe failed, of the spans in which it did, the newest first; spans that follow each other, or all
// but one, are one. fails says that it does now.
func failuresOf(points []store.ProbePoint, fails bool, now time.Time) (out []failure, more string) {
	type stretch struct {
		first, last    store.ProbePoint
		failed, probes int64
		why            string
	}
	var all []stretch
	for _, p := range points {
		if n := len(all); n > 0 && p.At.Sub(all[n-1].last.At) <= 2*store.ProbeSpan {
			s := &all[n-1]
			s.last, s.failed, s.probes = p, s.failed+p.Failed, s.probes+p.Probes
			s.why = cmp.Or(p.Error, s.why)
			continue
		}
		all = append(all, stretch{p, p, p.Failed, p.Probes, p.Error})
	}
	slices.Reverse(all)
	for i, s := range all {
		if i == mostFailures {
			return out, fmt.Sprintf("and %d before", len(all)-i)
		}
		end := s.last.At.Add(store.ProbeSpan)
		if end.After(now) {
			end = now
		}
		goes := fails && i == 0 && end.After(now.Add(-store.ProbeSpan))
		out = append(out, failure{From: at(s.first.At, now), To: at(end, now), Goes: goes,
			Lasted: fmt.Sprintf("%s of %s failed", number(s.failed), plural(s.probes, "request")), Why: clean(s.why, titleLength)})
	}
	return out, ""
}
