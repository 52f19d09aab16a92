package store

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// How the charts' series are kept: a point of a probe is of ProbeSpan, one of a rule of RuleSpan, and each goes after SeriesKept. So a probe
// has at most 2,016 rows, and a rule that matches all the time 168.
const (
	ProbeSpan  = 5 * time.Minute
	RuleSpan   = time.Hour
	SeriesKept = 7 * 24 * time.Hour
)

// ProbePoint is what a probe has seen in one span of time.
type ProbePoint struct {
	Source string
	// At is the beginning of the span, ProbeSpan long; Newest when the newest of its requests began.
	At, Newest time.Time
	// Probes are its requests, Answered those that got a whole answer, whatever it said, Failed those that say that the service is not
	// well, Blind those that say nothing of it.
	Probes, Answered, Failed, Blind int64
	// Phases are how long the answered took in all, Slowest is the one that took longest.
	Phases
	Slowest time.Duration
	// Status is that of the newest answer, 0 if there was none. Days is for how many whole days the certificate is valid yet, nil without one.
	Status int
	Days   *int
	// Error is why the newest that failed did; "" if none has.
	Error string
}

// Phases are the parts of a request's time, and Latency all of it.
type Phases struct {
	Latency, DNS, Connect, TLS, FirstByte, Transfer time.Duration
}

// Add adds other's times.
func (p *Phases) Add(other Phases) {
	p.Latency += other.Latency
	p.DNS += other.DNS
	p.Connect += other.Connect
	p.TLS += other.TLS
	p.FirstByte += other.FirstByte
	p.Transfer += other.Transfer
}

// Add adds what was seen later in the same span.
func (p *ProbePoint) Add(later ProbePoint) {
	p.Probes += later.Probes
	p.Answered += later.Answered
	p.Failed += later.Failed
	p.Blind += later.Blind
	p.Phases.Add(later.Phases)
	p.Slowest = max(p.Slowest, later.Slowest)
	p.Newest = later.Newest
	if later.Answered > 0 {
		p.Status = later.Status
	}
	if later.Days != nil {
		p.Days = later.Days
	}
	if later.Error != "" {
		p.Error = later.Error
	}
}

var probeColumns = columns{"source", "at", "newest", "probes", "answered", "failed", "blind", "latency", "dns", "connect", "tls", "first_byte", "transfer", "slowest", "status", "days", "error"}

// addProbePoint is ProbePoint.Add in SQL.
var addProbePoint = "INSERT INTO probe_series AS p (" + probeColumns.list() + ") VALUES (" + probeColumns.values() + ") ON CONFLICT (source, at) DO UPDATE SET " +
	"newest = excluded.newest, probes = p.probes + excluded.probes, answered = p.answered + excluded.answered, failed = p.failed + excluded.failed, blind = p.blind + excluded.blind, " +
	"latency = p.latency + excluded.latency, dns = p.dns + excluded.dns, connect = p.connect + excluded.connect, tls = p.tls + excluded.tls, " +
	"first_byte = p.first_byte + excluded.first_byte, transfer = p.transfer + excluded.transfer, " +
	"slowest = CASE WHEN excluded.slowest > p.slowest THEN excluded.slowest ELSE p.slowest END, " +
	"status = CASE WHEN excluded.answered > 0 THEN excluded.status ELSE p.status END, " +
	"days = coalesce(excluded.days, p.days), error = CASE WHEN excluded.error <> '' THEN excluded.error ELSE p.error END"

// AddProbePoint adds what a probe has seen to what is kept of that span.
func (tx *Tx) AddProbePoint(ctx context.Context, p ProbePoint) error {
	var days any
	if p.Days != nil {
		days = int64(*p.Days)
	}
	_, err := tx.exec(ctx, addProbePoint, p.Source, bound(p.At, earliest), bound(p.Newest, earliest), p.Probes, p.Answered, p.Failed, p.Blind, int64(p.Latency), int64(p.DNS),
		int64(p.Connect), int64(p.TLS), int64(p.FirstByte), int64(p.Transfer), int64(p.Slowest), int64(p.Status), days, plain(p.Error, maxTroubleText))
	if err != nil {
		return fmt.Errorf("add to the series of probe %s: %w", p.Source, err)
	}
	return nil
}

const (
	// selectProbePoints adds up by spans of $3. The newest of a span may have had another status.
	selectProbePoints = "SELECT source, at - at % $3, max(newest), CAST(sum(probes) AS BIGINT), CAST(sum(answered) AS BIGINT), CAST(sum(failed) AS BIGINT), CAST(sum(blind) AS BIGINT), " +
		"CAST(sum(latency) AS BIGINT), CAST(sum(dns) AS BIGINT), CAST(sum(connect) AS BIGINT), CAST(sum(tls) AS BIGINT), CAST(sum(first_byte) AS BIGINT), CAST(sum(transfer) AS BIGINT), " +
		"max(slowest), max(status), min(days), max(error) FROM probe_series WHERE source = $1 AND at >= $2 GROUP BY source, at - at % $3 ORDER BY 2"
)

var selectProbeFailures = "SELECT " + probeColumns.list() + " FROM probe_series WHERE source = $1 AND at >= $2 AND failed > 0 ORDER BY at DESC LIMIT $3"

func scanProbePoint(r row, p *ProbePoint) error {
	return r.Scan(&p.Source, stampInto{&p.At}, stampInto{&p.Newest}, &p.Probes, &p.Answered, &p.Failed, &p.Blind, (*int64)(&p.Latency), (*int64)(&p.DNS), (*int64)(&p.Connect),
		(*int64)(&p.TLS), (*int64)(&p.FirstByte), (*int64)(&p.Transfer), (*int64)(&p.Slowest), &p.Status, &p.Days, &p.Error)
}

// ProbePoints are what a probe has seen since a time, the oldest first, added up over spans that are ProbeSpan or several of it. Of a longer
// one Status is the highest that came, Days the least and Error one of them.
func (tx *Tx) ProbePoints(ctx context.Context, source string, since time.Time, span time.Duration) ([]ProbePoint, error) {
	all, err := list(ctx, tx, scanProbePoint, selectProbePoints, source, bound(since, earliest), int64(span))
	if err != nil {
		return nil, fmt.Errorf("read the series of probe %s: %w", source, err)
	}
	return all, nil
}

// ProbeFailures are the newest points of a probe, since a time, in which it failed, the oldest first, at most limit.
func (tx *Tx) ProbeFailures(ctx context.Context, source string, since time.Time, limit int) ([]ProbePoint, error) {
	all, err := list(ctx, tx, scanProbePoint, selectProbeFailures, source, bound(since, earliest), limit)
	if err != nil {
		return nil, fmt.Errorf("read when probe %s failed: %w", source, err)
	}
	slices.Reverse(all)
	return all, nil
}

// RulePoint is what became of a rule in one span of time.
type RulePoint struct {
	// Rule is its name, or "" for all of them together.
	Rule string
	// At is the beginning of the span, RuleSpan long.
	At time.Time
	// Matches are the entries that matched, Spent is its share of the time of the transactions that judged them. Of all rules together they
	// are the entries that were read, and the time that it took to ask the filters.
	Matches int64
	Spent   time.Duration
}

const (
	addRulePoint = "INSERT INTO rule_series AS r (rule, at, matches, spent) VALUES ($1, $2, $3, $4) ON CONFLICT (rule, at) DO UPDATE SET " +
		"matches = r.matches + excluded.matches, spent = r.spent + excluded.spent"
	selectRulePoints = "SELECT rule, at, matches, spent FROM rule_series WHERE rule = $1 AND at >= $2 ORDER BY at"
	sumRulePoints    = "SELECT rule, max(at), CAST(sum(matches) AS BIGINT), CAST(sum(spent) AS BIGINT) FROM rule_series WHERE at >= $1 GROUP BY rule"
)

// AddRulePoint adds to what is kept of a rule in that span.
func (tx *Tx) AddRulePoint(ctx context.Context, p RulePoint) error {
	if _, err := tx.exec(ctx, addRulePoint, p.Rule, bound(p.At, earliest), p.Matches, int64(p.Spent)); err != nil {
		return fmt.Errorf("add to the series of rule %s: %w", p.Rule, err)
	}
	return nil
}

func scanRulePoint(r row, p *RulePoint) error {
	return r.Scan(&p.Rule, stampInto{&p.At}, &p.Matches, (*int64)(&p.Spent))
}

// RulePoints are what became of a rule since a time, the oldest first; spans without a match are not among them.
func (tx *Tx) RulePoints(ctx context.Context, rule string, since time.Time) ([]RulePoint, error) {
	all, err := list(ctx, tx, scanRulePoint, selectRulePoints, rule, bound(since, earliest))
	if err != nil {
		return nil, fmt.Errorf("read the series of rule %s: %w", rule, err)
	}
	return all, nil
}

// RuleSums are what became of each rule since a time, by name, "" being all together; At is the newest span of each.
func (tx *Tx) RuleSums(ctx context.Context, since time.Time) (map[string]RulePoint, error) {
	all, err := list(ctx, tx, scanRulePoint, sumRulePoints, bound(since, earliest))
	if err != nil {
		return nil, fmt.Errorf("add up the series of rules: %w", err)
	}
	out := make(map[string]RulePoint, len(all))
	for _, p := range all {
		out[p.Rule] = p
	}
	return out, nil
}
