package rules

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"tocsin/detectors"
	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/words"
)

// Overlap is how much longer than a rule's window the identities of entries are remembered: sources read that much again.
const Overlap = 5 * time.Minute

// maxSeen bounds the identities that a group remembers: 64 KiB.
const maxSeen = 64 << 10 / seenSize

// seenSize is the bytes of one remembered identity: 8 of its hash, 4 of its time in seconds.
const seenSize = 12

// maxNewest is how many of the newest lines a group keeps.
const maxNewest = 3

// State is what one group of one rule remembers. It is stored after each slice as JSON.
type State struct {
	Group    incident.Labels `json:"group"`
	Source   string          `json:"source,omitempty"`
	Detector json.RawMessage `json:"detector,omitempty"`
	// Runs are stretches of entries with no gap longer than the window, as [from, to], oldest first.
	Runs []Run `json:"runs,omitempty"`
	// Held are entries that wait until nothing older is awaited, oldest first.
	Held []held `json:"held,omitempty"`
	// Seen are the identities of the entries within window and overlap, packed; Overflown says that some had to be forgotten.
	Seen      []byte `json:"seen,omitempty"`
	Overflown bool   `json:"overflown,omitempty"`
	// Late counts entries too old to be told from those seen before.
	Late int64 `json:"late,omitempty"`

	// Alert is the alert that fires, or nil.
	Alert *incident.Alert `json:"alert,omitempty"`
	// Gathered is what the alert that fires tells: first and newest lines, counts.
	Gathered Gathered `json:"gathered"`
	// Cleared is the time of the entry that ended the last alert: what is older belongs to what is over.
	Cleared time.Time `json:"cleared,omitzero"`
	// QuietPassed says that the time of quiet is over and only a sign of life is missing.
	QuietPassed bool `json:"quiet_passed,omitempty"`
	// AliveAt is when the group was last seen alive, asked only while it fires.
	AliveAt time.Time `json:"alive_at,omitzero"`
	// Clear is the time of the oldest entry that may end the alert and waits for what is late, ClearText its message.
	Clear     time.Time `json:"clear,omitzero"`
	ClearText string    `json:"clear_text,omitempty"`
	// Later is before when its timers wait, because its source is not read at present.
	Later time.Time `json:"later,omitzero"`
	// Behind is before when its timers wait, the ends by an entry too, because its source's clock is behind the watermark.
	Behind time.Time `json:"behind,omitzero"`
	// Kept is before when nothing is forgotten, because its source's clock stands still: what was read last may be read again.
	Kept time.Time `json:"kept,omitzero"`

	// Folded are groups that were folded into this one, FoldedMore says that there were others.
	Folded     []string `json:"folded,omitempty"`
	FoldedMore bool     `json:"folded_more,omitempty"`

	made     bool // it was not stored
	detector detectors.Detector
	known    map[uint64]struct{} // the hashes in Seen; nil until they are asked for
}

// Run is a stretch of entries.
type Run struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Gathered is what an alert would tell of it; nothing once one does.
	Gathered Gathered `json:"gathered,omitzero"`
}

// Gathered is what is known of the entries of a run.
type Gathered struct {
	First    time.Time       `json:"first,omitzero"`
	Last     time.Time       `json:"last,omitzero"`
	Identity string          `json:"identity,omitempty"`
	Count    int64           `json:"count,omitempty"`
	FirstOne incident.Line   `json:"first_line,omitzero"`
	Newest   []incident.Line `json:"newest,omitempty"`
	// Labels are what an alert carries beyond its group: project, cluster.
	Labels incident.Labels `json:"labels,omitempty"`
}

// Encode is the state as it is stored.
func (st *State) Encode() ([]byte, error) {
	if st.detector != nil {
		d, err := st.detector.State()
		if err != nil {
			return nil, fmt.Errorf("save detector: %w", err)
		}
		st.Detector = d
	}
	return json.Marshal(st)
}

// DecodeState reads what Encode wrote.
func DecodeState(b []byte) (*State, error) {
	st := new(State)
	if err := json.Unmarshal(b, st); err != nil {
		return nil, fmt.Errorf("read state of detection: %w", err)
	}
	return st, nil
}

// Empty says that nothing is left to remember, so that the row can be deleted.
func (st *State) Empty() bool {
	return st.Alert == nil && len(st.Seen) == 0 && len(st.Runs) == 0 && len(st.Held) == 0
}

// seen says whether an identity was seen before, and remembers it. t is the entry's time.
func (st *State) seen(id []byte, t time.Time) bool {
	h := fnv.New64a()
	h.Write(id)
	sum := h.Sum64()
	if st.known == nil {
		st.known = make(map[uint64]struct{}, len(st.Seen)/seenSize+16)
		for i := 0; i+seenSize <= len(st.Seen); i += seenSize {
			st.known[binary.LittleEndian.Uint64(st.Seen[i:])] = struct{}{}
		}
	}
	if _, ok := st.known[sum]; ok {
		return true
	}
	if len(st.Seen)/seenSize >= maxSeen {
		st.Seen = slices.Delete(st.Seen, 0, maxSeen/8*seenSize) // many at once, that it need not be done for each
		st.Overflown, st.known = true, nil
	} else {
		st.known[sum] = struct{}{}
	}
	st.Seen = binary.LittleEndian.AppendUint64(st.Seen, sum)
	st.Seen = binary.LittleEndian.AppendUint32(st.Seen, uint32(t.Unix()))
	return false
}

// forget drops identities and runs that nothing can need after now.
func (st *State) forget(now time.Time, window time.Duration) {
	old := now.Add(-window - Overlap)
	st.forgetSeen(old)
	st.Runs = slices.DeleteFunc(st.Runs, func(r Run) bool { return r.To.Before(old) })
}

// forgetSeen drops the identities of entries older than old.
func (st *State) forgetSeen(old time.Time) {
	kept := st.Seen[:0]
	for i := 0; i+seenSize <= len(st.Seen); i += seenSize {
		if t := st.seenAt(i); !t.Before(old) {
			kept = append(kept, st.Seen[i:i+seenSize]...)
		}
	}
	st.Seen, st.known = kept, nil
}

// seenAt is the time of the identity at a place in Seen, in whole seconds.
func (st *State) seenAt(i int) time.Time {
	return time.Unix(int64(binary.LittleEndian.Uint32(st.Seen[i+8:])), 0)
}

// untidy says whether an identity is remembered that is older by a minute than has to be.
func (st *State) untidy(now time.Time, window time.Duration) bool {
	return len(st.Seen) >= seenSize && st.seenAt(0).Before(now.Add(-window-Overlap-time.Minute))
}

// newest is the time of the newest entry that still matters; zero for none.
func (st *State) newest() time.Time {
	var t time.Time
	if n := len(st.Runs); n > 0 {
		t = st.Runs[n-1].To
	}
	if st.Alert != nil {
		t = later(t, st.Alert.Last)
	}
	return t
}

// extend adds an entry's time to the runs, joining those that it brings within a window of each other, and returns its run.
func (st *State) extend(t time.Time, window time.Duration) *Run {
	if n := len(st.Runs); n > 0 && !t.Before(st.Runs[n-1].From) && t.Sub(st.Runs[n-1].To) <= window { // most often
		st.Runs[n-1].To = later(st.Runs[n-1].To, t)
		return &st.Runs[n-1]
	}
	run := Run{From: t, To: t}
	var kept []Run
	for _, r := range st.Runs { // oldest first
		if r.From.Sub(run.To) > window || run.From.Sub(r.To) > window {
			kept = append(kept, r)
			continue
		}
		run = Run{From: earlier(r.From, run.From), To: later(r.To, run.To), Gathered: run.Gathered.and(r.Gathered)}
	}
	kept = append(kept, run)
	slices.SortFunc(kept, func(a, b Run) int { return a.From.Compare(b.From) })
	st.Runs = kept
	return &st.Runs[slices.IndexFunc(st.Runs, func(r Run) bool { return r.From.Equal(run.From) })]
}

// slot is the run of the stretch of one window that a time is in: evidence of what is judged by time is told as far as its window goes.
func (st *State) slot(t time.Time, window time.Duration) *Run {
	from := t.Truncate(window)
	i, found := slices.BinarySearchFunc(st.Runs, from, func(r Run, t time.Time) int { return r.From.Compare(t) })
	if !found {
		st.Runs = slices.Insert(st.Runs, i, Run{From: from, To: from.Add(window)})
	}
	return &st.Runs[i]
}

// silence is what an alert for want of entries tells: the last words before it, and since when there has been none.
func (st *State) silence(at time.Time) Gathered {
	n := len(st.Runs)
	if n == 0 || st.Runs[n-1].Gathered.Count == 0 {
		return Gathered{}
	}
	heard := st.Runs[n-1].Gathered
	return Gathered{First: heard.Last, Last: at, FirstOne: heard.Newest[len(heard.Newest)-1], Newest: heard.Newest, Labels: heard.Labels}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// and is what is known of two runs that have become one.
func (g Gathered) and(o Gathered) Gathered {
	if g.Count == 0 {
		return o
	}
	if o.Count == 0 {
		return g
	}
	if o.First.Before(g.First) {
		g.First, g.Identity, g.FirstOne, g.Labels = o.First, o.Identity, o.FirstOne, o.Labels
	}
	g.Last, g.Count, g.Newest = later(g.Last, o.Last), g.Count+o.Count, append(slices.Clone(g.Newest), o.Newest...)
	g.Newest = g.Newest[max(0, len(g.Newest)-maxNewest):]
	return g
}

// gather takes an entry into what an alert would tell.
func (g *Gathered) gather(h Hit, t time.Time) {
	line := lineOf(h, t)
	if g.add(line) {
		g.Identity, g.Labels = identity(h.Entry), place(h)
	}
}

// lineOf is an entry's line as evidence.
func lineOf(h Hit, t time.Time) incident.Line {
	return incident.Line{Time: t, Text: bound(words.Excerpt(bound(h.Entry.Message(), 8*maxLine)), maxLine), Service: service(h)}
}

// add takes a line in, and says whether it is the first now.
func (g *Gathered) add(line incident.Line) (first bool) {
	t := line.Time
	g.Count++
	if first = g.First.IsZero() || t.Before(g.First); first {
		g.First, g.FirstOne = t, line
	}
	g.Last = later(g.Last, t)
	g.Newest = append(g.Newest, line)
	if len(g.Newest) > maxNewest {
		g.Newest = slices.Delete(g.Newest, 0, len(g.Newest)-maxNewest)
	}
	return first
}

// place is where an entry is from, as labels: its project, and its cluster if it says one.
func place(h Hit) incident.Labels {
	labels := incident.Labels{}
	if p := h.Entry.Project(); p != "" {
		labels["project"] = p
	}
	if c := h.Entry.Root.Get("resource").Get("labels").Get("cluster_name").Text(); c != "" {
		labels["cluster"] = c
	}
	return labels
}

// service is the component that wrote an entry: its controller, else its app, else its container.
func service(h Hit) string {
	root := h.Entry.Root
	for _, v := range []logs.Value{
		root.Get("labels").Get("logging.gke.io/top_level_controller_name"),
		root.Get("labels").Get("k8s-pod/app"),
		root.Get("resource").Get("labels").Get("container_name"),
	} {
		if s := v.Text(); s != "" {
			return bound(s, maxLabel)
		}
	}
	return ""
}
