package scenario

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"time"
)

// era says in what form entries come.
type era int

const (
	// legacy is to the middle of 2019: resource type container, one log a container, and all that is written to stderr has severity ERROR.
	legacy era = iota
	// early is after it: resource type k8s_container, and still everything ERROR.
	early
	// modern is since June of 2020: k8s_container with true severities.
	modern
)

// The projects that Prow ran in.
const (
	oldProject   = "k8s-prow"
	todayProject = "k8s-infra-prow"
)

// component is one of Prow's, as it runs.
type component struct {
	name     string
	replicas int
	// chatter is what it says when it is well.
	chatter []string
	// pods are its pods' names.
	pods []string
}

func components() []component {
	return []component{
		{name: "hook", replicas: 4, chatter: []string{"Comment is by an author who is not in the org.", "Handling issue comment event.", "Setting labels.", "Starting PR job."}},
		{name: "deck", replicas: 3, chatter: []string{"Received request.", "Building tide history."}},
		{name: "tide", replicas: 1, chatter: []string{"Syncing tide pool.", "Filtered pull request.", "Synced merge pool."}},
		{name: "plank", replicas: 1, chatter: []string{"Created pod for prowjob.", "Transitioning states."}},
		{name: "sinker", replicas: 1, chatter: []string{"Deleted old completed pod.", "Sinker reconciliation complete."}},
		{name: "crier", replicas: 1, chatter: []string{"Finished processing item.", "Successfully reported."}},
		{name: "horologium", replicas: 1, chatter: []string{"Triggering new run of interval periodic.", "Creating new ProwJob."}},
		{name: "statusreconciler", replicas: 1, chatter: []string{"Reconciling contexts."}},
		{name: "ghproxy", replicas: 1, chatter: []string{"Cache hit.", "Cache revalidated."}},
	}
}

// world is a Prow cluster that writes entries.
type world struct {
	Scenario
	rand       *rand.Rand
	components []component

	// from and until bound what is kept, by timestamp; shift moves it.
	from, until time.Time
	shift       time.Duration

	lines   []line
	size    int
	failure error
}

// line is an entry as it is written, and when it was received.
type line struct {
	received time.Time
	text     []byte
}

// maxSize bounds what is held in memory: the longest scenario has about 45 MB.
const maxSize = 512 << 20

// populate starts the pods.
func (w *world) populate() {
	w.components = components()
	for i := range w.components {
		c := &w.components[i]
		for range c.replicas {
			c.pods = append(c.pods, w.pod(c.name))
		}
	}
}

// component is the component of that name.
func (w *world) component(name string) component {
	for _, c := range w.components {
		if c.name == name {
			return c
		}
	}
	return component{}
}

// pods are the pods of a component.
func (w *world) pods(name string) []string { return w.component(name).pods }

// pod makes up the name of a pod as a ReplicaSet would.
func (w *world) pod(component string) string {
	const letters = "bcdfghjklmnpqrstvwxz2456789"
	suffix := make([]byte, 5)
	for i := range suffix {
		suffix[i] = letters[w.rand.IntN(len(letters))]
	}
	return fmt.Sprintf("%s-%s-%s", component, w.hex(36), suffix)
}

// hex is a random number of so many bits, in full width.
func (w *world) hex(bits int) string {
	return fmt.Sprintf("%0*x", (bits+3)/4, w.rand.Uint64()>>(64-bits))
}

// between is a random duration.
func (w *world) between(least, most time.Duration) time.Duration {
	return least + time.Duration(w.rand.Float64()*float64(most-least))
}

func pick[T any](w *world, list ...T) T { return list[w.rand.IntN(len(list))] }

// every yields times from start to end, about pace apart: more or less by up to the share jitter of it.
func (w *world) every(pace time.Duration, start, end time.Time, jitter float64) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for t := start; ; {
			t = t.Add(time.Duration(float64(pace) * (1 - jitter + 2*jitter*w.rand.Float64())))
			if !t.Before(end) || !yield(t) {
				return
			}
		}
	}
}

// always is every, from the beginning to the end of the scenario.
func (w *world) always(pace time.Duration) iter.Seq[time.Time] {
	return w.every(pace, w.Start, w.End, usual)
}

// usual is the jitter of what has no clockwork.
const usual = 0.3

// entry is a LogEntry.
type entry struct {
	LogName          string            `json:"logName"`
	Severity         string            `json:"severity"`
	Resource         resource          `json:"resource"`
	Labels           map[string]string `json:"labels,omitempty"`
	HTTPRequest      *httpRequest      `json:"httpRequest,omitempty"`
	JSONPayload      map[string]any    `json:"jsonPayload,omitempty"`
	TextPayload      string            `json:"textPayload,omitempty"`
	Timestamp        string            `json:"timestamp"`
	ReceiveTimestamp string            `json:"receiveTimestamp"`
	InsertID         string            `json:"insertId"`
}

type resource struct {
	Type   string            `json:"type"`
	Labels map[string]string `json:"labels"`
}

type httpRequest struct {
	Method       string `json:"requestMethod"`
	URL          string `json:"requestUrl"`
	Status       int    `json:"status,omitempty"`
	Latency      string `json:"latency,omitempty"`
	RequestSize  string `json:"requestSize,omitempty"`
	ResponseSize string `json:"responseSize,omitempty"`
	RemoteIP     string `json:"remoteIp,omitempty"`
	UserAgent    string `json:"userAgent,omitempty"`
}

// add takes an entry of time t that was received lag later. What lies outside the window is dropped here, after all that is random
// has been drawn, so that a window holds what the whole holds there.
func (w *world) add(t time.Time, lag time.Duration, e *entry) {
	e.InsertID = w.hex(60)
	if w.failure != nil || t.Before(w.from) || !t.Before(w.until) {
		return
	}
	received := t.Add(lag)
	e.Timestamp, e.ReceiveTimestamp = stamp(t.Add(w.shift)), stamp(received.Add(w.shift))
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		w.failure = fmt.Errorf("write an entry of %s: %w", w.Name, err)
		return
	}
	if w.size += b.Len(); w.size > maxSize {
		w.failure = fmt.Errorf("scenario %s is larger than %d MB", w.Name, maxSize>>20)
		return
	}
	w.lines = append(w.lines, line{received: received, text: b.Bytes()})
}

// stamp writes a time as Cloud Logging does.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// write writes the entries in the order in which they were received; of the same instant, as they were added.
func (w *world) write(to io.Writer) error {
	if w.failure != nil {
		return w.failure
	}
	slices.SortStableFunc(w.lines, func(a, b line) int {
		return cmp.Compare(a.received.UnixMicro(), b.received.UnixMicro())
	})
	for _, l := range w.lines {
		if _, err := to.Write(l.text); err != nil {
			return fmt.Errorf("write scenario %s: %w", w.Name, err)
		}
	}
	return nil
}
