package app

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/incident"
	"tocsin/internal/logs"
	"tocsin/internal/scenario"
	"tocsin/internal/setting"
)

// scenarioFile is a file of scenarios: days of entries, and what must come of them.
type scenarioFile struct {
	// Scenarios are run each for itself.
	Scenarios []config.Node `yaml:"scenarios"`
}

// scenarioSettings is a scenario as it is written.
type scenarioSettings struct {
	// Name says what the scenario shows.
	Name string `yaml:"name"`
	// Config is the configuration that is tested, relative to this file.
	Config string `yaml:"config"`
	// Entries are names of files of entries, relative to this file and with wildcards; entries themselves, as in a case; or one
	// "builtin:NAME", a day that is in the binary.
	Entries []config.Node `yaml:"entries"`
	// Seed varies what a built-in day made up: pods, paces, addresses; 1 if not said.
	Seed uint64 `yaml:"seed"`
	// Until is when it ends; at the last entry if not said.
	Until time.Time `yaml:"until"`
	// Expect is what must come of it.
	Expect config.Node `yaml:"expect"`
}

// expectSettings is what must come of a scenario. A list that is left out is not looked at, one that is empty says that nothing comes.
type expectSettings struct {
	// Incidents are all that open, in the order in which they do.
	Incidents []config.Node `yaml:"incidents"`
	// Pages are all calls that ring at somebody, in the order in which they are made.
	Pages []config.Node `yaml:"pages"`
	// Messages are all messages that make a channel ring and are no pages, in the order in which they are sent.
	Messages []config.Node `yaml:"messages"`
	// Silent are receivers that hear nothing at all.
	Silent []string `yaml:"silent"`
}

// wantedItem is one thing that is expected, or "..." for any number of others.
type wantedItem struct {
	wantedSettings
	others   bool
	position config.Position
}

// wantedSettings is one thing that is expected, as it is written. What is left out is not looked at.
type wantedSettings struct {
	// At is when it comes, to the second.
	At time.Time `yaml:"at"`
	// After is when it comes at the earliest, By at the latest.
	After time.Time `yaml:"after"`
	By    time.Time `yaml:"by"`
	// Receiver is who hears, Reason why, Text a part of what is said: of a page or a message.
	Receiver string `yaml:"receiver"`
	Reason   string `yaml:"reason"`
	Text     string `yaml:"text"`
	// Title is a part of an incident's title as it was last.
	Title string `yaml:"title"`
	// Severity is an incident's highest, State its last.
	Severity incident.Severity `yaml:"severity"`
	State    string            `yaml:"state"`
	// Rules are some of those whose alerts belong to an incident, Labels some of its labels.
	Rules  []string          `yaml:"rules"`
	Labels map[string]string `yaml:"labels"`
	// Ends is when an incident is over, to the second, EndsBy when at the latest.
	Ends   time.Time `yaml:"ends"`
	EndsBy time.Time `yaml:"ends_by"`
}

// scenarioOf is a scenario that was read.
type scenarioOf struct {
	scenarioSettings
	node config.Node
	// lists are what is expected, by the key of Expect; one that is not written is not there.
	lists  map[string][]wantedItem
	silent []string
	path   string
}

// The lists of Expect, as they are printed.
var scenarioLists = []string{"incidents", "pages", "messages"}

// readScenarios reads a file of scenarios.
func readScenarios(path string) ([]*scenarioOf, config.Errors) {
	data, err := config.ReadFile(path)
	if err != nil {
		return nil, config.Errors{{Position: config.Position{File: path}, Text: err.Error()}}
	}
	root, errs := config.Parse(path, data)
	if len(errs) > 0 {
		return nil, errs
	}
	var file scenarioFile
	errs = config.Decode(root, &file)
	if len(file.Scenarios) == 0 && len(errs) == 0 {
		errs = append(errs, root.Locate(setting.FieldError{Text: "no scenarios: the file begins with `scenarios:` and a list"})...)
	}
	var all []*scenarioOf
	names := map[string]int{}
	for _, n := range file.Scenarios {
		s, wrong := readScenario(path, n)
		errs = append(errs, wrong...)
		if line := names[s.Name]; line > 0 && s.Name != "" {
			errs = append(errs, n.At("name").Errorf("scenario %q is there already, on line %d: give it another name", s.Name, line))
		}
		names[s.Name] = n.Position().Line
		all = append(all, s)
	}
	return all, errs.Sorted()
}

func readScenario(path string, n config.Node) (*scenarioOf, config.Errors) {
	s := &scenarioOf{scenarioSettings: scenarioSettings{Seed: 1}, node: n, path: path, lists: map[string][]wantedItem{}}
	errs := config.Decode(n, &s.scenarioSettings)
	missing := func(key, mend string) {
		errs = append(errs, n.Locate(setting.FieldError{Text: key + " is missing: " + mend})...)
	}
	if s.Name == "" {
		missing("name", "say what the scenario shows")
	}
	if s.Config == "" {
		missing("config", "name the configuration that is tested, relative to this file")
	}
	if len(s.Entries) == 0 {
		missing("entries", "name files of entries, write entries, or builtin:NAME, one of "+strings.Join(scenario.Names(), ", "))
	}
	var expect expectSettings
	errs = append(errs, config.Decode(s.Expect, &expect)...)
	s.silent = expect.Silent
	for key, items := range map[string][]config.Node{"incidents": expect.Incidents, "pages": expect.Pages, "messages": expect.Messages} {
		if s.Expect.Get(key).IsZero() {
			continue
		}
		list := []wantedItem{}
		for _, item := range items {
			w := wantedItem{position: item.Position()}
			if text, ok := item.Scalar(); ok && text == others {
				w.others = true
			} else {
				errs = append(errs, config.Decode(item, &w.wantedSettings)...)
				errs = append(errs, item.Locate(w.misplaced(key)...)...)
			}
			list = append(list, w)
		}
		s.lists[key] = list
	}
	return s, errs
}

// others, as an item of a list, stands for any number of items, none too.
const others = "..."

// misplaced says which settings have no meaning in a list.
func (w *wantedSettings) misplaced(key string) []setting.FieldError {
	var errs []setting.FieldError
	told := map[string]bool{"receiver": w.Receiver != "", "reason": w.Reason != "", "text": w.Text != ""}
	of := map[string]bool{"title": w.Title != "", "severity": w.Severity != 0, "state": w.State != "", "rules": w.Rules != nil, "labels": w.Labels != nil,
		"ends": !w.Ends.IsZero(), "ends_by": !w.EndsBy.IsZero()}
	foreign, where := told, "pages and messages have it, incidents do not"
	if key != "incidents" {
		foreign, where = of, "incidents have it, "+key+" do not"
	}
	for _, name := range slices.Sorted(maps.Keys(foreign)) {
		if foreign[name] {
			errs = append(errs, setting.FieldError{Path: name, Text: name + " has no meaning here: " + where})
		}
	}
	if !w.At.IsZero() && (!w.After.IsZero() || !w.By.IsZero()) {
		errs = append(errs, setting.FieldError{Path: "at", Text: "at says when: leave after and by out"})
	}
	if states := []string{"open", "acknowledged", "resolved", "merged"}; key == "incidents" && w.State != "" && !slices.Contains(states, w.State) {
		errs = append(errs, setting.FieldError{Path: "state", Text: setting.Unknown("state", w.State, states)})
	}
	return errs
}

// beside is a path of the scenario's file as one of the process.
func (s *scenarioOf) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(s.path), path)
}

// entries opens what the scenario is played with.
func (s *scenarioOf) entries() (next func() (logs.Batch, error), closeAll func(), err error) {
	var inline bytes.Buffer
	var paths []string
	for i, n := range s.Entries {
		text, isText := n.Scalar()
		name, builtin := strings.CutPrefix(text, config.Builtin)
		switch at := s.node.At(fmt.Sprintf("entries.%d", i)); {
		case !isText:
			inline.Write(n.JSON())
			inline.WriteByte('\n')
		case builtin:
			if err := scenario.Write(&inline, name, s.Seed); err != nil {
				return nil, nil, at.Errorf("%v", err)
			}
		case strings.HasPrefix(text, "{"):
			inline.WriteString(strings.ReplaceAll(text, "\n", " ") + "\n")
		default:
			found, err := globbed(s.beside(text))
			if err != nil {
				return nil, nil, at.Errorf("%v", err)
			}
			paths = append(paths, found...)
		}
	}
	if inline.Len() > 0 {
		paths = append(paths, "-")
	}
	return Entries(paths, &inline, inlineBatch, time.Now())
}

// inlineBatch is how many bytes of entries are read at once: all there are, not as they come.
const inlineBatch = 1 << 20

// globbed are the files that a path names, which may have wildcards.
func globbed(path string) ([]string, error) {
	if !strings.ContainsAny(path, "*?[") {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("read entries: %w", err)
		}
		return []string{path}, nil
	}
	found, err := filepath.Glob(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is no pattern: %w", path, err)
	case len(found) == 0:
		return nil, errors.New("no file of entries matches: " + path)
	}
	return found, nil
}
