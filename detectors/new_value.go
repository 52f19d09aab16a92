package detectors

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/internal/setting"
)

// NewValue finds an entry whose value of a path the group has never had, or whose message is of a pattern that it has never had. What
// comes at first is learned.
type NewValue struct {
	// Of is the path of the value, Pattern that of a message. One of them is needed.
	Of      string `yaml:"of"`
	Pattern string `yaml:"pattern"`
	// Learn is for how long after a group's first entry all is learned; 1d if left out.
	Learn setting.Duration `yaml:"learn"`
	// Forget is after how long a value that is not seen any more is forgotten; 30d if left out.
	Forget setting.Duration `yaml:"forget"`
	// Rollout says what a rollout is, and what it means.
	Rollout *Rollout `yaml:"rollout"`
}

// Rollout is a value of a path that a group has not had: of an image, a version, a revision. It begins with its first entry.
type Rollout struct {
	// By is the path; it has to be in the entries of the rule.
	By string `yaml:"by"`
	// Learn is for how long after a rollout all is learned again.
	Learn setting.Duration `yaml:"learn"`
	// Within finds only what is new within that time after a rollout.
	Within setting.Duration `yaml:"within"`
}

// usualLearn is how long a group learns if nobody says.
const usualLearn = setting.Duration(24 * time.Hour)

// Bounds on what a group remembers; of more, what was not seen for longest is forgotten.
const (
	maxValues   = 3000
	maxPatterns = 500
	maxRollouts = 50
)

// valueSize is the bytes of one remembered value: 8 of its hash, 4 of its day.
const valueSize = 12

// Validate says everything that is wrong with the settings.
func (v *NewValue) Validate() []setting.FieldError {
	errs := forgetErrors(v.Forget)
	wrong := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	switch {
	case v.Of == "" && v.Pattern == "":
		wrong("of", "missing: write the path of a value, such as of: jsonPayload.error, or with pattern that of a message")
	case v.Of != "" && v.Pattern != "":
		wrong("pattern", "of and pattern exclude each other: keep one")
	}
	if v.Learn < 0 || v.Learn > v.Forget {
		wrong("learn", "%s is not between 0s and forget, %s", v.Learn, v.Forget)
	}
	if r := v.Rollout; r != nil {
		switch {
		case r.By == "":
			wrong("rollout.by", "missing: write the path whose new value is a rollout, such as by: labels.image")
		case r.Learn < 0 || r.Within < 0:
			wrong("rollout", "learn and within cannot be negative")
		case r.Learn > 0 && r.Within > 0:
			wrong("rollout.within", "learn and within exclude each other: what is new after a rollout is learned, or it is what is looked for")
		case r.Learn == 0 && r.Within == 0:
			wrong("rollout", "missing: say learn, for how long all is learned after a rollout, or within, how long after one something new is told")
		}
	}
	return errs
}

// Filters are none.
func (v *NewValue) Filters() map[string]string { return nil }

// Fields are the paths of the value or message, and of the rollout.
func (v *NewValue) Fields() map[string]string {
	f := map[string]string{}
	if v.Of != "" {
		f["of"] = v.Of
	}
	if v.Pattern != "" {
		f["pattern"] = v.Pattern
	}
	if v.Rollout != nil {
		f["rollout.by"] = v.Rollout.By
	}
	return f
}

// Traits say that it wants its entries in order.
func (v *NewValue) Traits() Traits {
	return Traits{Window: eventWindow, Ordered: true, NoFor: "a new value has no `for`: it is new once"}
}

// New makes the detector of one group.
func (v *NewValue) New(state json.RawMessage) (Detector, error) {
	return restored(&newValue{spec: v, values: map[uint64]int64{}}, state)
}

type newValue struct {
	spec   *NewValue
	found  []Match
	values map[uint64]int64 // by hash, the day on which each was seen last
	drain  drain
	saved  struct {
		// Born is the time of the group's first entry, Newest that of its newest.
		Born   time.Time `json:"born,omitzero"`
		Newest time.Time `json:"newest,omitzero"`
		// Values are the hashes of values and the days on which they were seen last, packed, by hash; Patterns are patterns with their days.
		Values      []byte   `json:"values,omitempty"`
		Patterns    []string `json:"patterns,omitempty"`
		PatternDays []int64  `json:"pattern_days,omitempty"`
		// Rollouts are the hashes of the rollouts, oldest first; Rolled is when the last began, To its value.
		Rollouts []uint64  `json:"rollouts,omitempty"`
		Rolled   time.Time `json:"rolled,omitzero"`
		To       string    `json:"to,omitempty"`
		Listed   []string  `json:"listed,omitempty"`
		Told     time.Time `json:"told,omitzero"`
	}
}

func dayOf(t time.Time) int64 { return t.Unix() / (24 * 60 * 60) }

func hashOf(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	return h.Sum64()
}

// Settled says that the value is known, and that the entry begins no rollout and ends no learning.
func (d *newValue) Settled(m Match) bool {
	s := &d.saved
	if s.Born.IsZero() || m.Time.Before(s.Born) {
		return false
	}
	if r, ok := m.Values["rollout.by"]; ok && !slices.Contains(s.Rollouts, hashOf(r)) {
		return false
	}
	if v, ok := m.Values["of"]; ok {
		_, known := d.values[hashOf(v)]
		return known
	}
	if v, ok := m.Values["pattern"]; ok {
		p, whole := d.drain.find(wordsOf(v))
		return p != nil && whole
	}
	return true
}

func (d *newValue) Observe(m Match) {
	s := &d.saved
	if s.Born.IsZero() {
		s.Born = m.Time
	}
	if m.Time.After(s.Newest) {
		s.Newest = m.Time
	}
	d.rollout(m)
	text, isNew := d.remember(m)
	if !isNew || m.Time.Before(s.Born.Add(d.spec.Learn.Std())) {
		return
	}
	after := m.Time.Sub(s.Rolled)
	if r := d.spec.Rollout; r != nil {
		if !s.Rolled.IsZero() && after < r.Learn.Std() || r.Within > 0 && (s.Rolled.IsZero() || after > r.Within.Std()) {
			return
		}
		if !s.Rolled.IsZero() {
			text = fmt.Sprintf("%s (%s after %s)", text, after.Round(time.Second), short(s.To))
		}
	}
	d.found = append(d.found, m)
	if m.Time.Sub(s.Told) > listFor {
		s.Listed = nil
	}
	s.Listed, s.Told = listed(s.Listed, text), m.Time
}

// rollout notes that a rollout begins, if one does. The group's first is none.
func (d *newValue) rollout(m Match) {
	s := &d.saved
	to, ok := m.Values["rollout.by"]
	if !ok || slices.Contains(s.Rollouts, hashOf(to)) {
		return
	}
	if len(s.Rollouts) > 0 {
		s.Rolled, s.To = m.Time, to
	}
	if s.Rollouts = append(s.Rollouts, hashOf(to)); len(s.Rollouts) > maxRollouts {
		s.Rollouts = slices.Delete(s.Rollouts, 0, 1)
	}
}

// remember notes the value or the pattern of an entry, and says whether it is new.
func (d *newValue) remember(m Match) (text string, isNew bool) {
	day := dayOf(m.Time)
	if v, ok := m.Values["of"]; ok {
		h := hashOf(v)
		seen, known := d.values[h]
		d.values[h] = max(seen, day)
		if !known && len(d.values) > maxValues {
			d.forgetOldest()
		}
		return short(v), !known
	}
	v, ok := m.Values["pattern"]
	if !ok {
		return "", false
	}
	words := wordsOf(v)
	if len(words) == 0 {
		return "", false
	}
	if p, _ := d.drain.find(words); p != nil {
		p.join(words)
		p.Seen = max(p.Seen, day)
		return "", false
	}
	p := &pattern{Words: words, Seen: day}
	if d.drain.add(p); len(d.drain.patterns) > maxPatterns {
		d.forgetPatterns(p)
	}
	return short(strings.Join(words, " ")), true
}

// forgetOldest forgets the value that was not seen for longest.
func (d *newValue) forgetOldest() {
	var oldest uint64
	first := true
	for h, day := range d.values {
		if first || day < d.values[oldest] || day == d.values[oldest] && h < oldest {
			oldest, first = h, false
		}
	}
	delete(d.values, oldest)
}

// forgetPatterns forgets an eighth of the patterns, but not one: those that were not seen for longest. Many at once, that it need not be
// done for each.
func (d *newValue) forgetPatterns(but *pattern) {
	byAge := slices.Clone(d.drain.patterns)
	slices.SortStableFunc(byAge, func(a, b *pattern) int { return cmp.Compare(a.Seen, b.Seen) })
	gone := map[*pattern]bool{}
	for _, p := range byAge[:maxPatterns/8] {
		gone[p] = p != but
	}
	d.keepPatterns(func(p *pattern) bool { return !gone[p] })
}

// keepPatterns drops all other patterns.
func (d *newValue) keepPatterns(keep func(*pattern) bool) {
	all := d.drain.patterns
	d.drain = drain{}
	for _, p := range all {
		if keep(p) {
			d.drain.add(p)
		}
	}
}

func (d *newValue) Advance(now time.Time) {
	s := &d.saved
	if s.Born.IsZero() {
		return
	}
	if !now.Before(s.Newest.Add(d.spec.Forget.Std())) {
		*d = newValue{spec: d.spec, found: d.found, values: map[uint64]int64{}}
		return
	}
	old := dayOf(now.Add(-d.spec.Forget.Std()))
	for h, day := range d.values {
		if day < old {
			delete(d.values, h)
		}
	}
	if slices.ContainsFunc(d.drain.patterns, func(p *pattern) bool { return p.Seen < old }) {
		d.keepPatterns(func(p *pattern) bool { return p.Seen >= old })
	}
}

func (d *newValue) Due() time.Time {
	if d.saved.Born.IsZero() {
		return time.Time{}
	}
	return d.saved.Newest.Add(d.spec.Forget.Std())
}

func (d *newValue) Found() []Match {
	found := d.found
	d.found = nil
	return found
}

func (d *newValue) Holds() bool    { return false }
func (d *newValue) List() []string { return d.saved.Listed }
func (d *newValue) Value() float64 { return 0 }

func (d *newValue) restore(state json.RawMessage) error {
	if err := json.Unmarshal(state, &d.saved); err != nil {
		return err
	}
	s := &d.saved
	if len(s.Values)%valueSize != 0 || len(s.Patterns) != len(s.PatternDays) {
		return fmt.Errorf("%d bytes of values, %d patterns of %d days", len(s.Values), len(s.Patterns), len(s.PatternDays))
	}
	for b := s.Values; len(b) > 0; b = b[valueSize:] {
		d.values[binary.LittleEndian.Uint64(b)] = int64(binary.LittleEndian.Uint32(b[8:]))
	}
	for i, p := range s.Patterns {
		d.drain.add(&pattern{Words: strings.Split(p, " "), Seen: s.PatternDays[i]})
	}
	return nil
}

func (d *newValue) State() (json.RawMessage, error) {
	s := &d.saved
	s.Values, s.Patterns, s.PatternDays = nil, nil, nil
	for _, h := range slices.Sorted(maps.Keys(d.values)) {
		s.Values = binary.LittleEndian.AppendUint64(s.Values, h)
		s.Values = binary.LittleEndian.AppendUint32(s.Values, uint32(d.values[h]))
	}
	for _, p := range d.drain.patterns {
		s.Patterns, s.PatternDays = append(s.Patterns, p.String()), append(s.PatternDays, p.Seen)
	}
	return json.Marshal(d.saved)
}
