package client

import (
	"time"

	"tocsin/internal/incident"
)

// The codes that an answer's error can carry. Each stands for one HTTP status and for one exit status of a command.
const (
	NotFound = "not_found"
	Conflict = "conflict"
	Invalid  = "invalid"
	Internal = "internal"
	// Unauthenticated is somebody who is not known, Forbidden somebody who may not.
	Unauthenticated = "unauthenticated"
	Forbidden       = "forbidden"
)

// IncidentList is the answer of GET /api/v1/incidents: incidents with their alerts, newest first.
type IncidentList struct {
	Incidents []incident.Incident `json:"incidents"`
	// Total is how many there are of the wanted states, on all pages.
	Total int `json:"total"`
	// Next is what to give as `before` for the next page; empty on the last one.
	Next string `json:"next,omitempty"`
}

// Detail is one incident with all that is known of it: the answer of GET /api/v1/incidents/{id}, and of acknowledging and
// resolving it. Events and Notifications are oldest first.
type Detail struct {
	Incident      incident.Incident       `json:"incident"`
	Events        []incident.Event        `json:"events"`
	Notifications []incident.Notification `json:"notifications"`
}

// Deed is the body of a POST that acknowledges or resolves.
type Deed struct {
	// By is the person who does it: up to 80 characters on one line. Of somebody who has signed in the name is known, and By may be left out;
	// of a token both are told.
	By string `json:"by,omitempty"`
}

// Declaration is the body of a POST that makes an incident of what a person has found and no rule has.
type Declaration struct {
	// Title says in one line what is wrong, in up to 200 bytes; Description what else is known, in up to 4,000.
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	// Severity is high if left out.
	Severity incident.Severity `json:"severity,omitempty"`
	// Labels say what it is about, and route it: cluster, service, team. The project is the configuration's if left out.
	Labels map[string]string `json:"labels,omitempty"`
	By     string            `json:"by,omitempty"`
}

// Merge is the body of a POST that lets an incident be taken in by another: its id, or six characters or more of its beginning.
type Merge struct {
	By   string `json:"by,omitempty"`
	Into string `json:"into"`
}

// Split is the body of a POST that makes an incident of its own of an alert: by its rule, and where several of it fire by its group, as the
// alert has it.
type Split struct {
	By    string `json:"by,omitempty"`
	Rule  string `json:"rule"`
	Group string `json:"group,omitempty"`
}

// Ask is the body of a POST that asks somebody to take an incident, by the name that the configuration's people give them.
type Ask struct {
	By     string `json:"by,omitempty"`
	Person string `json:"person"`
}

// Note is the body of a POST that writes down what somebody has found, in up to 2,000 characters.
type Note struct {
	By   string `json:"by,omitempty"`
	Text string `json:"text"`
}

// SilenceWish is the body of a POST that makes a silence, or with Try only says what it would hide.
type SilenceWish struct {
	// Matchers are Alertmanager's: rule="prow-config-load-error", cluster=~"build0[12]".
	Matchers []string `json:"matchers"`
	// Starts is now if left out, Ends two hours behind it.
	Starts time.Time `json:"starts,omitzero"`
	Ends   time.Time `json:"ends,omitzero"`
	// By is who makes and owns it, Reason why.
	By     string `json:"by"`
	Reason string `json:"reason"`
	// UpTo is the highest severity that it may hide; left out, that of what it matches.
	UpTo incident.Severity `json:"up_to,omitempty"`
	Try  bool              `json:"try,omitempty"`
}

// SilenceMade is the answer: the silence, its id 0 if it was only tried, and the incidents of which it matches something: those that
// are open, then those of the last seven days.
type SilenceMade struct {
	Silence  incident.Silence `json:"silence"`
	Affected []Affected       `json:"affected"`
	// Warnings say which of the matchers name a rule or a label that no loaded rule has.
	Warnings []string `json:"warnings,omitempty"`
}

// Affected is an incident some alert of which a silence matches. Hidden says that it hides the incident, or would have; else Why says
// why not.
type Affected struct {
	ID       string            `json:"id"`
	State    incident.State    `json:"state"`
	Severity incident.Severity `json:"severity"`
	Title    string            `json:"title"`
	OpenedAt time.Time         `json:"opened_at"`
	Hidden   bool              `json:"hidden"`
	Why      string            `json:"why,omitempty"`
}

// SilenceList is the answer of GET /api/v1/silences: those that have not ended, and with ?all=true those of the last 30 days; the last to
// end first.
type SilenceList struct {
	Silences []Silenced `json:"silences"`
	// Maintenance are the maintenance windows in force.
	Maintenance []Maintained `json:"maintenance"`
}

// Silenced is a silence with what it hides now.
type Silenced struct {
	incident.Silence
	Hides Hidden `json:"hides"`
}

// Maintained is a maintenance window in force with what it hides now.
type Maintained struct {
	Name   string    `json:"name"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
	Hides  Hidden    `json:"hides"`
}

// Hidden are the open incidents that something hides now, by id: MostHidden of them, and how many there are beside.
type Hidden struct {
	Incidents []HiddenIncident `json:"incidents"`
	More      int              `json:"more,omitempty"`
}

// MostHidden is how many incidents a Hidden names.
const MostHidden = 10

// HiddenIncident is an incident that is hidden now.
type HiddenIncident struct {
	ID       string            `json:"id"`
	Severity incident.Severity `json:"severity"`
	Title    string            `json:"title"`
}

// RuleRecord is what a rule did since a time: the answer of GET /api/v1/rules/{rule}/record.
type RuleRecord struct {
	Rule  string    `json:"rule"`
	Since time.Time `json:"since"`
	// Recorded is when any rule fired first, as far as it is on record: what was before may be unknown. Zero if none has.
	Recorded time.Time `json:"recorded,omitzero"`
	// Fired is how many alerts fired, in so many Groups; Firings are the newest of them, newest first. More says that there were more than
	// are looked at: the figures are at least so high.
	Fired   int      `json:"fired"`
	Groups  int      `json:"groups"`
	More    bool     `json:"more,omitempty"`
	Firings []Firing `json:"firings"`
	// Incidents is how many incidents it was part of, Told of how many of them somebody was told, Paged for how many somebody was paged.
	Incidents int `json:"incidents"`
	Told      int `json:"told"`
	Paged     int `json:"paged"`
}

// Firing is a time that an alert fired.
type Firing struct {
	At       time.Time     `json:"at"`
	Group    string        `json:"group"`
	Mode     incident.Mode `json:"mode"`
	Incident string        `json:"incident,omitempty"`
}

// Failure is the body of every answer that is not a success.
type Failure struct {
	Error Problem `json:"error"`
}

// Problem says what went wrong: one of the codes, and a sentence for a person.
type Problem struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// Status is how the service itself is: the answer of GET /api/v1/status.
type Status struct {
	Version   string    `json:"version"`
	Now       time.Time `json:"now"`
	StartedAt time.Time `json:"started_at,omitzero"`
	// Well is true if there are no Troubles. Troubles are sentences, the worst first.
	Well     bool     `json:"well"`
	Troubles []string `json:"troubles,omitempty"`
	// Unhealthy and NotReady are why /healthz and /readyz say no; empty if they say yes.
	Unhealthy string        `json:"unhealthy,omitempty"`
	NotReady  string        `json:"not_ready,omitempty"`
	Config    Configuration `json:"configuration"`
	// Replica is this process among those that share its database; nil if it shares it with nobody.
	Replica *Replica `json:"replica,omitempty"`
	// Rules is how many rules are loaded.
	Rules   int      `json:"rules"`
	Sources []Source `json:"sources"`
	// Audit is what tocsin's look at its own store came to last, Heartbeat what of it goes out; nil where there is none.
	Audit     *Audit     `json:"audit,omitempty"`
	Heartbeat *Heartbeat `json:"heartbeat,omitempty"`
	// Pruned counts what this process has deleted because it was over for long enough, by what it was (see retention in the configuration);
	// nil if nothing.
	Pruned map[string]int64 `json:"pruned,omitempty"`
	// Incidents and Notifications count by state.
	Incidents     map[incident.State]int             `json:"incidents"`
	Notifications map[incident.NotificationState]int `json:"notifications"`
	// OldestUnsent is the age in seconds of the oldest notification that nobody has got yet; 0 if there is none. Edits of a
	// message that was sent do not count.
	OldestUnsent float64 `json:"oldest_unsent_seconds"`
}

// Audit is what the last audit came to. Findings are sentences; At is zero before the first.
type Audit struct {
	At       time.Time `json:"at,omitzero"`
	Findings []string  `json:"findings,omitempty"`
}

// Heartbeat is how tocsin tells outside that it lives. Blocked says why it does not, Failure why it was not taken.
type Heartbeat struct {
	SentAt  time.Time `json:"sent_at,omitzero"`
	Blocked []string  `json:"blocked,omitempty"`
	Failure string    `json:"failure,omitempty"`
}

// Replica is one process of several on one database. One of them leads: it reads the sources and decides; all of them tell and call.
type Replica struct {
	// Epoch is the number of this process's life.
	Epoch int64 `json:"epoch"`
	Leads bool  `json:"leads"`
	// Leader is the process that leads, as HOST/PROCESS; empty if none does at present, or this one.
	Leader string `json:"leader,omitempty"`
}

// String says who leads.
func (r *Replica) String() string {
	switch {
	case r.Leads:
		return "leads"
	case r.Leader == "":
		return "nobody leads"
	}
	return r.Leader + " leads"
}

// Configuration is the one in force, and what became of the last try to load another.
type Configuration struct {
	File     string    `json:"file,omitempty"`
	Revision string    `json:"revision,omitempty"`
	LoadedAt time.Time `json:"loaded_at,omitzero"`
	// ReloadError is why the last reload was refused, as `tocsin check` would say it, a mistake a line; empty if it was taken.
	ReloadError    string    `json:"reload_error,omitempty"`
	ReloadFailedAt time.Time `json:"reload_failed_at,omitzero"`
}

// Source is one source: how far it has been read, and whether it can be read at all.
type Source struct {
	Name string `json:"name"`
	// Kind is the kind as the configuration names it.
	Kind string `json:"kind,omitempty"`
	// Error is why it cannot be read at present; empty while it can.
	Error string `json:"error,omitempty"`
	// Clock is up to when it has been seen, in its own time; zero before its first entry.
	Clock time.Time `json:"clock,omitzero"`
	// ReceivedAt is when it last gave anything, even that it has nothing new.
	ReceivedAt time.Time `json:"received_at,omitzero"`
	// CaughtUp says that nothing newer was waiting, Blind that it cannot see what it watches.
	CaughtUp bool `json:"caught_up"`
	Blind    bool `json:"blind"`
	// Entries were read, Matches matched a rule, Broken were not what their form promises, Late came too late to count.
	Entries int64 `json:"entries"`
	Matches int64 `json:"matches"`
	Broken  int64 `json:"broken"`
	Late    int64 `json:"late"`
	// Backlog of Entries are of a time that was not watched as it happened; Passed came beside them and were left out, because they had
	// come before or were to come again.
	Backlog int64 `json:"backlog"`
	Passed  int64 `json:"passed"`
	// BlindSpans are the newest times in which it could not see, newest first.
	BlindSpans []BlindSpan `json:"blind_spans,omitempty"`
}

// BlindSpan is a time in which a source could not see what it watches. Until is zero while it goes on.
type BlindSpan struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until,omitzero"`
	Why   string    `json:"why"`
}

// Trace is one line of the audit trail: who did what. Way says how that is known.
type Trace struct {
	ID     int64     `json:"id"`
	At     time.Time `json:"at"`
	Who    string    `json:"who"`
	Way    string    `json:"way"`
	Deed   string    `json:"deed"`
	About  string    `json:"about"`
	Detail string    `json:"detail,omitempty"`
	Hash   string    `json:"hash"`
}

// Trail is the answer of GET /api/v1/audit: the newest lines first. Next is what to give as `before` for those before them; 0 at the end.
type Trail struct {
	Lines []Trace `json:"lines"`
	Next  int64   `json:"next,omitempty"`
}

// Verdict is the answer of GET /api/v1/audit/verify: how many lines were looked at, the number and hash of the last that is whole, and the first
// thing that does not fit; empty if all does.
type Verdict struct {
	Lines  int64  `json:"lines"`
	Head   string `json:"head,omitempty"`
	Broken string `json:"broken,omitempty"`
}
