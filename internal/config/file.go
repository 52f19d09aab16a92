package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tocsin/internal/setting"
)

// None is the receiver that is built in and tells nobody.
const None = "none"

// Builtin begins the pattern of rules that are in the binary.
const Builtin = "builtin:"

// File is the configuration's frame. What a room of its own owns is a Node, to be decoded by it.
type File struct {
	// Project is the name of what is watched, for entries that tocsin itself makes.
	Project string `yaml:"project"`
	// Sources are what is watched, by name: {kind: settings}.
	Sources map[string]Node `yaml:"sources"`
	// Rules are the rule files: "builtin:prow/*.yaml" for those in the binary, else paths with wildcards, relative to this file.
	Rules []string `yaml:"rules"`
	// Templates are the files with the users' own templates, paths with wildcards, relative to this file.
	Templates []string `yaml:"templates"`
	// Receivers are who can be told, by name: {kind: settings}. "none" is built in.
	Receivers map[string]Node `yaml:"receivers"`
	// Fallback is the receiver that hears when nobody answered, or tocsin itself is in trouble.
	Fallback string `yaml:"fallback"`
	// People are those who can be called, by name.
	People map[string]Person `yaml:"people"`
	// Schedules say who of the people is on call, by name.
	Schedules map[string]Node `yaml:"schedules"`
	// TimeIntervals are the times that routes and escalation steps name.
	TimeIntervals Node `yaml:"time_intervals"`
	// Route is the root of the routes.
	Route Node `yaml:"route"`
	// Maintenance are the windows in which what they match is not told, by name.
	Maintenance map[string]Node `yaml:"maintenance"`
	// InhibitRules say what is not told while something else is.
	InhibitRules []Node `yaml:"inhibit_rules"`
	// Flapping says when an alert that fires and resolves in turns is held open instead.
	Flapping Flapping `yaml:"flapping"`
	// Escalation holds the policies by name.
	Escalation map[string]Node `yaml:"escalation"`
	// Lateness is how much later than its time an entry may come and still count; 60s if not said.
	Lateness setting.Duration `yaml:"lateness"`
	// URL is the address of the pages as people reach them, without a slash at its end; it is put into messages.
	URL string `yaml:"url"`
	// SignIn says who may use the pages, and what for.
	SignIn *SignIn `yaml:"sign_in"`
	// Listen is the address that the pages are served on; 127.0.0.1:8480 if not said.
	Listen string `yaml:"listen"`
	// Store is the database file, relative to this file, or {postgres: settings}; if not said, this file's name with .db instead of its
	// extension.
	Store Node `yaml:"store"`

	// Heartbeat says where it is told that tocsin lives.
	Heartbeat Node `yaml:"heartbeat"`

	// Canary says what is written to a log, to be seen to come back through which sources.
	Canary Node `yaml:"canary"`

	// OwnMetrics says where tocsin's own metrics are written.
	OwnMetrics Node `yaml:"own_metrics"`

	// Retention says how long what is over is kept.
	Retention Retention `yaml:"retention"`

	// Path is the file it was read from.
	Path string `yaml:"-"`
	// Root is the whole document, for the places of what is in it.
	Root Node `yaml:"-"`
}

// Retention is how long what is over is kept; 0 is for ever. What is open, fires or waits is kept whatever its age.
type Retention struct {
	// Incidents is for those that are resolved, with all that belongs to them, from their resolve; 400d if not said.
	Incidents setting.Duration `yaml:"incidents"`
	// Timeline is for their timelines; 400d if not said.
	Timeline setting.Duration `yaml:"timeline"`
	// Notifications is for who was told what of them; 90d if not said.
	Notifications setting.Duration `yaml:"notifications"`
	// States is for what rules have counted that are no longer there; 30d if not said.
	States setting.Duration `yaml:"states"`
	// Troubles is for troubles of tocsin's own that are over; 30d if not said.
	Troubles setting.Duration `yaml:"troubles"`
	// Silences is for silences and overrides that have ended; 90d if not said.
	Silences setting.Duration `yaml:"silences"`
}

const day = setting.Duration(24 * time.Hour)

var usualRetention = Retention{Incidents: 400 * day, Timeline: 400 * day, Notifications: 90 * day, States: 30 * day, Troubles: 30 * day, Silences: 90 * day}

// Validate says what would be forgotten while it is still of use: an incident is opened again within hours.
func (r Retention) Validate() []setting.FieldError {
	var errs []setting.FieldError
	for _, each := range []struct {
		key  string
		keep setting.Duration
	}{{"incidents", r.Incidents}, {"timeline", r.Timeline}, {"notifications", r.Notifications}, {"states", r.States}, {"troubles", r.Troubles}, {"silences", r.Silences}} {
		if each.keep != 0 && each.keep < day {
			errs = append(errs, setting.FieldError{Path: each.key, Text: fmt.Sprintf("%s is less than 1d: write a day at least, or 0s to keep it for ever", each.keep)})
		}
	}
	return errs
}

// Flapping says when an alert flaps: once it fires for the Times-th time within a time. It is then held open until it has been over for as
// long.
type Flapping struct {
	// Times is how often; 3 if not said, 0 never.
	Times int `yaml:"times"`
	// Within is in what time; 1h if not said.
	Within setting.Duration `yaml:"within"`
}

// Validate says what cannot be.
func (f Flapping) Validate() []setting.FieldError {
	var errs []setting.FieldError
	if f.Times < 0 || f.Times == 1 || f.Times > 100 {
		errs = append(errs, setting.FieldError{Path: "times", Text: fmt.Sprintf("%d is not possible: write 2 to 100, or 0 for never", f.Times)})
	}
	if f.Within < setting.Duration(time.Minute) || f.Within > setting.Duration(24*time.Hour) {
		errs = append(errs, setting.FieldError{Path: "within", Text: fmt.Sprintf("%s is not between 1m and 24h", f.Within)})
	}
	return errs
}

// Load reads a configuration file. The File is never nil: with mistakes it holds what could be made out, so that whoever checks
// can go on and find the rest.
func Load(path string) (*File, Errors) {
	f := &File{Path: path}
	data, err := ReadFile(path)
	if err != nil {
		return f, Errors{Position{File: path}.Errorf("%v", err)}
	}
	return Read(path, data)
}

// ReadFile reads a file that is to be parsed: a regular file, of a size that a person could have written. Its errors do not
// repeat the path.
func ReadFile(path string) ([]byte, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", cause(err))
	}
	defer in.Close() // nothing was written
	if info, err := in.Stat(); err == nil && info.IsDir() {
		return nil, errors.New("cannot be read: it is a directory, name a file in it")
	}
	data, err := io.ReadAll(io.LimitReader(in, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", cause(err))
	}
	return data, nil
}

// cause takes the path off an error of the file system.
func cause(err error) error {
	if pathError := (*os.PathError)(nil); errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// Read is Load for a text that was read already. path is where it stands for: relative names in it start there.
func Read(path string, data []byte) (*File, Errors) {
	f := &File{Path: path, Lateness: setting.Duration(time.Minute), Flapping: Flapping{Times: 3, Within: setting.Duration(time.Hour)}, Listen: "127.0.0.1:8480", Retention: usualRetention}
	root, errs := Parse(path, data)
	f.Root = root
	if root.IsZero() && len(errs) > 0 {
		return f, errs // nothing could be read: that nothing is in it is not worth saying
	}
	errs = append(errs, Decode(root, f)...)
	return f, errs.Sorted()
}

// Validate says what is wrong with the frame alone. Whether a route's receiver or a step's schedule exists is checked where these
// are decoded.
func (f *File) Validate() []setting.FieldError {
	var errs []setting.FieldError
	wrong := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	if f.Project == "" {
		wrong("project", "is missing: write the name of the project that is watched, such as k8s-infra-prow")
	}
	if _, taken := f.Receivers[None]; taken {
		wrong("receivers."+None, "the receiver none is built in and tells nobody: give yours another name")
	}
	receivers := slices.DeleteFunc(sortedKeys(f.Receivers), func(name string) bool { return name == None })
	if _, taken := f.Escalation[None]; taken {
		wrong("escalation."+None, "the escalation none is built in and calls nobody: give yours another name")
	}
	if f.Fallback != "" && !slices.Contains(receivers, f.Fallback) {
		wrong("fallback", "%s", setting.Unknown("receiver", f.Fallback, receivers))
	}
	if f.Fallback == "" && len(f.Escalation) > 0 {
		wrong("fallback", "is missing: name the receiver that hears when an escalation has run and nobody answered")
	}
	if f.Lateness < 0 || f.Lateness > setting.Duration(time.Hour) {
		wrong("lateness", "%s is not between 0s and 1h", f.Lateness)
	}
	if f.URL != "" && !strings.HasPrefix(f.URL, "http://") && !strings.HasPrefix(f.URL, "https://") {
		wrong("url", "%q is no address: write it as people reach it, such as https://tocsin.example.com", f.URL)
	}
	errs = append(errs, onePersonEach(f.People)...)
	for i, pattern := range f.Rules {
		if pattern == "" {
			wrong(fmt.Sprintf("rules.%d", i), "is empty: write a path, or builtin:prow/*.yaml")
		}
	}
	return errs
}

// Resolve makes a path of the configuration one of the process: what is relative starts where the file is. What is built in stays
// as it is.
func (f *File) Resolve(path string) string {
	if path == "" || filepath.IsAbs(path) || strings.HasPrefix(path, Builtin) {
		return path
	}
	return filepath.Join(filepath.Dir(f.Path), path)
}

// Database is the path of the database file, for a store that is one.
func (f *File) Database() string {
	if path, ok := f.Store.Scalar(); ok && path != "" {
		return f.Resolve(path)
	}
	return strings.TrimSuffix(f.Path, filepath.Ext(f.Path)) + ".db"
}

// KnowsReceiver says whether a receiver of that name is configured or built in.
func (f *File) KnowsReceiver(name string) bool {
	_, ok := f.Receivers[name]
	return ok || name == None
}
