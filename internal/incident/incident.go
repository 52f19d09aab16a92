// Package incident holds the nouns of what is wrong and who is told: Alert, Incident, Event, Notification; the transitions
// between their states; and the correlation that makes one incident of all that belongs together. It is pure: time comes in
// as an argument, and nothing here reads or writes anything.
package incident

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Severity says who must hear of it: critical pages oncall, high tells the channel that people read, warning the channel
// that few read, info the web page. A higher one compares greater; the zero value is none.
type Severity int

// The severities, lowest first.
const (
	Info Severity = iota + 1
	Warning
	High
	Critical
)

var severityNames = []string{"", "info", "warning", "high", "critical"}

// String is the severity as rules write it.
func (s Severity) String() string {
	if s < 0 || int(s) >= len(severityNames) {
		return fmt.Sprintf("severity(%d)", int(s))
	}
	return severityNames[s]
}

// MarshalText writes the severity as rules write it.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads critical, high, warning, info, or nothing.
func (s *Severity) UnmarshalText(text []byte) error {
	i := slices.Index(severityNames, string(text))
	if i < 0 {
		return fmt.Errorf("%q is not a severity: write critical, high, warning or info", text)
	}
	*s = Severity(i)
	return nil
}

// Mode says how far an alert of a rule may go.
type Mode string

// Shadow is evaluated, recorded and counted, and sent nowhere; Tell never pages; Page may page.
const (
	Shadow Mode = "shadow"
	Tell   Mode = "tell"
	Page   Mode = "page"
)

// Down is the impact that says that the service answers nobody.
const Down = "down"

// Labels are names and values, as rules group by them and routes match them.
type Labels map[string]string

// Text is the labels as JSON with sorted names: the same labels always give the same text.
func (l Labels) Text() string {
	if len(l) == 0 {
		return "{}"
	}
	b, _ := json.Marshal(map[string]string(l)) // a map of strings always marshals, and with its keys sorted
	return string(b)
}

// LabelsFrom are the labels of which text is the Text; none, if it is none's.
func LabelsFrom(text string) Labels {
	var l Labels
	if json.Unmarshal([]byte(text), &l) != nil {
		return nil
	}
	return l
}

// Clone is a copy of the labels; never nil.
func (l Labels) Clone() Labels {
	c := make(Labels, len(l))
	maps.Copy(c, l)
	return c
}

// Key names what is detected: a rule, and the group it was detected in. Group is the group labels' Text.
type Key struct {
	Rule  string `json:"rule"`
	Group string `json:"group"`
}

// Line is a line of evidence, bounded where it was taken from the log.
type Line struct {
	Time time.Time `json:"time"`
	// Text is the entry's message: hostile, to be escaped for where it goes.
	Text string `json:"text"`
	// Service is the component that wrote it, if the entry says.
	Service string `json:"service,omitempty"`
}

// AlertState is firing or resolved.
type AlertState string

// The states of an alert.
const (
	Firing        AlertState = "firing"
	AlertResolved AlertState = "resolved"
)

// Alert is a rule that fired for a group of labels, as a member of an incident. Within one incident a (rule, group) has one
// alert, however often it fires.
type Alert struct {
	Key
	// Incident is the id of the incident it belongs to; empty while it belongs to none (mode shadow).
	Incident string     `json:"incident"`
	State    AlertState `json:"state"`
	// Labels are the group's labels, the rule's static labels, project, and (where known) cluster and service.
	Labels Labels `json:"labels"`
	// Annotations are rendered when it fired: summary, description, runbook_url; of a trouble of tocsin's own, anew when its cause changes.
	Annotations map[string]string `json:"annotations"`
	Severity    Severity          `json:"severity"`
	Mode        Mode              `json:"mode"`
	Impact      string            `json:"impact,omitempty"`
	// SymptomOf names the rules whose alerts explain this one.
	SymptomOf []string `json:"symptom_of,omitempty"`
	// First and Last are the times of the first and the newest matching entry; Identity is the first's.
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Identity string    `json:"identity"`
	// FiredAt and ResolvedAt are when tocsin noticed.
	FiredAt    time.Time `json:"fired_at"`
	ResolvedAt time.Time `json:"resolved_at,omitzero"`
	// Count is how many entries matched since First; About says that it may be off, entries were too many to tell repeated
	// ones apart.
	Count int64 `json:"count"`
	About bool  `json:"about,omitempty"`
	// FirstLine is the line of the first entry (of a trouble of tocsin's own, the first of its newest cause), Lines the newest, newest last, at most five.
	FirstLine Line   `json:"first_line"`
	Lines     []Line `json:"lines,omitempty"`
	// List holds the distinct values that the rule collects, at most 20.
	List []string `json:"list,omitempty"`
	// Flap is what is known of how it fires and resolves in turns; nil for nothing.
	Flap *Flap `json:"flap,omitempty"`
	// Orphaned says that the rule that made it is gone or changed.
	Orphaned bool `json:"orphaned,omitempty"`
}

// Service is the component the alert is about, or "".
func (a *Alert) Service() string { return a.Labels["service"] }

// Summary is the alert in one line: its summary annotation, else its rule's name.
func (a *Alert) Summary() string {
	if s := a.Annotations["summary"]; s != "" {
		return s
	}
	return a.Rule
}

// State is that of an incident.
type State string

// The states of an incident. Merged is the end of one that another took in.
const (
	Open         State = "open"
	Acknowledged State = "acknowledged"
	Resolved     State = "resolved"
	Merged       State = "merged"
)

// Incident is an occurrence: all alerts that belong together, from the first that fires to the last that is over.
type Incident struct {
	// ID is a ULID of the first entry's time and a hash of rule, group and that entry's identity (see NewID).
	ID      string `json:"id"`
	Project string `json:"project"`
	Cluster string `json:"cluster"`
	State   State  `json:"state"`
	// Severity is the highest of the firing alerts; once none fires, what it was last.
	Severity Severity `json:"severity"`
	// Title is the headline alert's summary, Headline that alert: the most upstream of its alerts.
	Title    string `json:"title"`
	Headline Key    `json:"headline"`
	// Labels are what it is routed on: the labels that all its firing alerts share, the headline's rule, its severity.
	Labels Labels `json:"labels"`
	// FirstEntry is the time of the oldest entry of its alerts; OpenedAt when tocsin opened it.
	FirstEntry time.Time `json:"first_entry"`
	OpenedAt   time.Time `json:"opened_at"`
	// UpdatedAt is when it last changed in a way that a person would see; Revision counts those changes.
	UpdatedAt time.Time `json:"updated_at"`
	Revision  int64     `json:"revision"`

	// Acknowledgement is who has it; nil while nobody does.
	Acknowledgement *Acknowledgement `json:"acknowledgement,omitempty"`
	ResolvedAt      time.Time        `json:"resolved_at,omitzero"`
	// ResolvedBy is the person who resolved it; empty when its alerts were over by themselves.
	ResolvedBy string `json:"resolved_by,omitempty"`
	// HeldUntil is, after a resolve by hand, until when members that still fire do not reopen it; past it they do.
	HeldUntil  time.Time `json:"held_until,omitzero"`
	MergedInto string    `json:"merged_into,omitempty"`
	// Apart are the splits by a person of which it is one part, each by the id of the incident that was split off: with the other part, whatever has
	// taken either in, it is not made one but by a person.
	Apart []string `json:"apart,omitempty"`
	// Receivers are where its message goes, Policy the escalation policy in force ("" for none).
	Receivers []string `json:"receivers"`
	Policy    string   `json:"policy"`
	// Holds are what keeps it from being told now; those of a Holder are not in Receivers, and not Policy.
	Holds []Holder `json:"holds,omitempty"`
	// Round is the running number of what must ring again; 0 until something has rung.
	Round int `json:"round"`
	// Escalation says how far the policy is.
	Escalation Escalation `json:"escalation"`
	// Due is when something of it waits to be done (an escalation step, a forgotten acknowledge, the end of a hold); zero for
	// nothing. It is the least of Waits.
	Due time.Time `json:"due,omitzero"`
	// PagedSeverity is the highest severity for which a page has been asked for.
	PagedSeverity Severity `json:"paged_severity,omitempty"`
	// Told is the count of lines that the last revision told of.
	Told int64 `json:"told,omitempty"`

	Alerts []Alert `json:"alerts"`
}

// Acknowledgement says who has an incident, since when, and for what.
type Acknowledgement struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
	// Covers are the alerts that fired when it was given; Severity the incident's.
	Covers   []Key    `json:"covers"`
	Severity Severity `json:"severity"`
	// From is who had it, if By took it over from another.
	From string `json:"from,omitempty"`
	// Joined is when it came to hold for this incident, which took in the one that it was given for; zero if it was given for this one.
	Joined time.Time `json:"joined,omitzero"`
	// Asked is who is asked to take it over; nil if nobody is.
	Asked *Asked `json:"asked,omitempty"`
}

// Since is since when it holds for its incident: who was called before need not come.
func (a *Acknowledgement) Since() time.Time {
	if a.Joined.After(a.At) {
		return a.Joined
	}
	return a.At
}

// Escalation is where an incident stands in its policy.
type Escalation struct {
	// Start is when the policy began: `after` counts from it.
	Start time.Time `json:"start,omitzero"`
	// Steps tells the steps that Step counts from others under the policy's name; "" if nobody has said.
	Steps string `json:"steps,omitempty"`
	// Step is the next step to take, Pass how often all steps have been run, Exhausted that nobody answered.
	Step      int  `json:"step"`
	Pass      int  `json:"pass"`
	Exhausted bool `json:"exhausted,omitempty"`
	// Next is when the next step is due; zero when none waits (nobody to call, acknowledged, resolved).
	Next time.Time `json:"next,omitzero"`
	// Fell says that it began because the severity fell, or came back to what was paged for: what it would do at once is left
	// out. Left is the policy that a fall left.
	Fell bool   `json:"fell,omitempty"`
	Left string `json:"left,omitempty"`
	// Recheck is when the route is to be asked again, because what holds it ends; zero for never.
	Recheck time.Time `json:"recheck,omitzero"`
	// Retaken is when an acknowledge was taken back, or would have been had it been heard of: the incident was raised or reopened. What
	// a pager says of older times is over.
	Retaken time.Time `json:"retaken,omitzero"`
	// Rang are the alerts that fired when a page was asked for.
	Rang []Key `json:"rang,omitempty"`
	// Heard are the answers at pagers that were taken, by receiver and key: what is heard again is old, whatever the clocks say.
	Heard map[string]string `json:"heard,omitempty"`
	// Counted is the newest round whose acceptance Start has been moved for.
	Counted int `json:"counted,omitempty"`
	// Asking is since when a step waits for the pagers to be asked, as after a start; zero if none does.
	Asking time.Time `json:"asking,omitzero"`
	// News names what is new where an acknowledge was taken back; said by the next step.
	News string `json:"news,omitempty"`
	// Held are steps that wait because there is nobody to call, and were told to.
	Held []HeldStep `json:"held,omitempty"`
	// Grace is until when it is not said that nobody answered, because somebody was called late: by a step that was held.
	Grace time.Time `json:"grace,omitzero"`
}

// HeldStep is a step of a policy that waits for somebody to call.
type HeldStep struct {
	Step int `json:"step"`
	Pass int `json:"pass"`
	// Schedule is that on which nobody is on call; empty if it is the step's own times that it waits for.
	Schedule string `json:"schedule,omitempty"`
	// Since is when it was held, Look when it is looked at again.
	Since time.Time `json:"since"`
	Look  time.Time `json:"look"`
}

// EventKind says what happened in a timeline.
type EventKind string

// The kinds of events.
const (
	EventOpened       EventKind = "opened"
	EventAlertFired   EventKind = "alert_fired"
	EventAlertOver    EventKind = "alert_resolved"
	EventRaised       EventKind = "severity_raised"
	EventLowered      EventKind = "severity_lowered"
	EventHeadline     EventKind = "headline_changed"
	EventAcknowledged EventKind = "acknowledged"
	EventAckTakenBack EventKind = "acknowledge_taken_back"
	EventEscalated    EventKind = "escalated"
	EventNobody       EventKind = "nobody_answered"
	EventGap          EventKind = "nobody_on_call"
	EventResolved     EventKind = "resolved"
	EventReopened     EventKind = "reopened"
	EventMerged       EventKind = "merged"
	EventSplit        EventKind = "split_off"
	EventAsked        EventKind = "asked"
	EventShift        EventKind = "change_of_shift"
	EventRerouted     EventKind = "rerouted"
	EventFlapping     EventKind = "flapping"
	EventHeld         EventKind = "held"
	EventReleased     EventKind = "released"
	EventHoldEnds     EventKind = "hold_ends_soon"
	EventSent         EventKind = "notification_sent"
	EventFailed       EventKind = "notification_failed"
	EventNote         EventKind = "note"
	EventCase         EventKind = "case"
)

// Event is a line of an incident's timeline.
type Event struct {
	// ID is given by the store, rising.
	ID       int64     `json:"id"`
	Incident string    `json:"incident"`
	At       time.Time `json:"at"`
	Kind     EventKind `json:"kind"`
	// Text says it in one line. It may hold text from logs.
	Text string `json:"text"`
	// By is the person or the provider it came from; empty for tocsin itself.
	By string `json:"by,omitempty"`
	// Alert is the (rule, group) it is about, if one.
	Alert Key `json:"alert,omitzero"`
	// Lines are the evidence.
	Lines []Line `json:"lines,omitempty"`
}
