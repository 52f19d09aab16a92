package escalation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/setting"
)

// Import is where a schedule is read from beside its own layers. Exactly one of File, URL and URLFile is set.
type Import struct {
	File, URL, URLFile string
	// Every is how often it is to be read.
	Every time.Duration
}

// Place names where it is, without telling an address that may be a secret.
func (i Import) Place() string {
	sum := sha256.Sum256([]byte(i.File + "\n" + i.URL + "\n" + i.URLFile))
	return hex.EncodeToString(sum[:8])
}

// StartingWith is the rota with what its file held when the configuration was read, for as long as there is no newer copy.
func (r *Rota) StartingWith(body []byte) *Rota {
	with := *r
	with.first = string(body)
	return &with
}

// Import is where the schedule is read from; false if it is from nowhere.
func (r *Rota) Import() (Import, bool) {
	every := func(d setting.Duration) time.Duration {
		if d == 0 {
			return usualEvery
		}
		return d.Std()
	}
	switch c, p := r.schedule.ICal, r.schedule.ProwOncall; {
	case c != nil:
		return Import{File: c.File, URL: c.URL, URLFile: c.URLFile, Every: every(c.Every)}, true
	case p != nil:
		return Import{URL: p.URL, Every: every(p.Every)}, true
	}
	return Import{}, false
}

// Reading is the rota with what an import's copy says from a day before now on, for 400 days. Without a mistake in it the error is
// nil; with one, it begins with the place.
func (r *Rota) Reading(body []byte, now time.Time) (*Rota, error) {
	with := *r
	with.imported, with.published, with.problems = nil, "", nil
	if p := r.schedule.ProwOncall; p != nil {
		who, err := readProwOncall(body, p.Group)
		if err != nil {
			return nil, err
		}
		if with.published = r.known(who); who != "" && with.published == "" {
			with.problems = append(with.problems, fmt.Sprintf("oncall.json says that %q is on call, who is none of people: give somebody that name as their github", bounded(who)))
		}
		return &with, nil
	}
	calendar, err := ReadCalendar(body, r.location)
	if err != nil {
		return nil, err
	}
	turns, err := calendar.spans(now.Add(-day), now.Add(horizon))
	if err != nil {
		return nil, err
	}
	strange := map[string]bool{}
	for _, s := range turns {
		called := s.who
		if s.who = r.known(called); s.who != "" {
			with.imported = append(with.imported, s)
		} else if s.from.Before(now.Add(30*day)) && !strange[called] {
			strange[called] = true
			with.problems = append(with.problems, fmt.Sprintf("the calendar has %q on call from %s, who is none of people", bounded(called), s.from.UTC().Format(time.RFC3339)))
		}
	}
	slices.SortStableFunc(with.imported, func(a, b span) int { return a.from.Compare(b.from) })
	return &with, nil
}

// Problems say whom an import has on call that nobody knows.
func (r *Rota) Problems() []string { return r.problems }

// readProwOncall reads who is on call by {"Oncall": {GROUP: NAME}, "Active": {GROUP: false}}: nobody where the name is empty or the
// group is not active.
func readProwOncall(body []byte, group string) (string, error) {
	if group == "" {
		group = usualGroup
	}
	var published struct {
		Oncall map[string]string
		Active map[string]bool
	}
	if err := json.Unmarshal(body, &published); err != nil {
		return "", fmt.Errorf("it is no oncall.json: %w", err)
	}
	who, ok := published.Oncall[group]
	if !ok {
		names := make([]string, 0, len(published.Oncall))
		for name := range published.Oncall {
			names = append(names, bounded(name))
		}
		return "", fmt.Errorf("its Oncall has no group %q, only %s", group, strings.Join(slices.Sorted(slices.Values(names)), ", "))
	}
	if active, said := published.Active[group]; said && !active {
		return "", nil
	}
	return strings.TrimPrefix(strings.TrimSpace(who), "@"), nil
}
