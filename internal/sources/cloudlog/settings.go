package cloudlog

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"tocsin/internal/setting"
	"tocsin/internal/sources/google"
)

// Settings are those of kind cloud_logging: entries as Cloud Logging receives them, by TailLogEntries as they come, and by
// ListLogEntries so that none is missed. The account that tocsin runs as needs roles/logging.viewer on each resource
// (roles/logging.viewAccessor on a view). The rules' filters are pushed down: only what one of them may want is read.
type Settings struct {
	// ResourceNames are what to read: projects/P, folders/N, organizations/N, billingAccounts/N, each alone or with
	// /locations/L/buckets/B/views/V behind it. Up to 100.
	ResourceNames []string `yaml:"resource_names"`
	// Filter narrows what is read further, in the Logging query language.
	Filter string `yaml:"filter"`
	// Every is the time from one listing to the next while there is no steady tail, 10s if left out.
	Every setting.Duration `yaml:"every"`
	// Overlap is how far back by receive time each listing begins before the last one, 1m if left out: entries can be listed
	// only a while after they were received, and clocks differ. What was seen already is passed by.
	Overlap setting.Duration `yaml:"overlap"`
	// Late is how much older than its receipt an entry may be, 1h if left out. It keeps the API from looking through all that
	// it has.
	Late setting.Duration `yaml:"late"`
	// Start is how far back the first reading begins, 15m if left out. Later ones go on where the last ended, also after a
	// restart.
	Start setting.Duration `yaml:"start"`
	// BufferWindow is how long the API holds entries back in a tail to put them in order, 2s if left out, up to 1m: so much later they
	// come. Order matters little to tocsin.
	BufferWindow setting.Duration `yaml:"buffer_window"`
	// PageSize is how many entries a call asks for, 1000 if left out, which is the most.
	PageSize int `yaml:"page_size"`
	// CallsPerMinute bounds the calls, 60 if left out: the API's quota for a project, which people who read its logs share. Give
	// each of several sources its part.
	CallsPerMinute int `yaml:"calls_per_minute"`
	// Endpoint is asked instead of logging.googleapis.com, as host:port. One in googleapis.com is asked with TLS and the
	// account's credentials, any other without both: it is taken for a stand-in on this machine.
	Endpoint string `yaml:"endpoint"`
}

// maxFilter is the longest filter that the API takes, in characters.
const maxFilter = 20000

// Defaults are the settings before any is read.
func Defaults() Settings {
	return Settings{Every: setting.Duration(10 * time.Second), Overlap: setting.Duration(time.Minute), Late: setting.Duration(time.Hour),
		Start: setting.Duration(15 * time.Minute), BufferWindow: setting.Duration(2 * time.Second), PageSize: 1000, CallsPerMinute: 60}
}

var resourceName = regexp.MustCompile(`^(projects|folders|organizations|billingAccounts)/[^/\s]+(/locations/[^/\s]+/buckets/[^/\s]+/views/[^/\s]+)?$`)

var (
	bareName   = regexp.MustCompile(`^[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	bareBucket = regexp.MustCompile(`/locations/[^/\s]+/buckets/[^/\s]+$`)
)

// mend is what was probably meant by a resource that is none; "" if nobody knows.
func mend(name string) string {
	meant := strings.Trim(strings.TrimPrefix(name, "//logging.googleapis.com/"), "/")
	switch {
	case bareName.MatchString(meant):
		meant = "projects/" + meant
	case bareBucket.MatchString(meant):
		meant += "/views/_AllLogs"
	}
	if !resourceName.MatchString(meant) {
		return ""
	}
	return fmt.Sprintf("; do you mean %s?", meant)
}

// Room is how many characters the rules' filter may have. What is left of a request's is for Filter and for
// the times, which stand around them.
func (s *Settings) Room() int { return maxFilter - utf8.RuneCountInString(s.Filter) - boundsLength }

// Validate says everything that is wrong with the settings.
func (s *Settings) Validate() []setting.FieldError {
	var errs []setting.FieldError
	wrong := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	switch n := len(s.ResourceNames); {
	case n == 0:
		wrong("resource_names", "no resource: name what to read, such as [projects/k8s-infra-prow]")
	case n > 100:
		wrong("resource_names", "%d resources: the API takes up to 100; make it several sources", n)
	}
	for i, name := range s.ResourceNames {
		if !resourceName.MatchString(name) {
			wrong(fmt.Sprintf("resource_names.%d", i), "%q is no resource: projects/P, folders/N, organizations/N or billingAccounts/N, alone or with /locations/L/buckets/B/views/V%s", name, mend(name))
		}
	}
	within := func(path string, d setting.Duration, least, most time.Duration) {
		if d.Std() < least || d.Std() > most {
			wrong(path, "%s is out of range: %s to %s", d, setting.Duration(least), setting.Duration(most))
		}
	}
	within("every", s.Every, time.Second, 10*time.Minute)
	within("overlap", s.Overlap, time.Second, time.Hour)
	within("late", s.Late, time.Minute, 30*24*time.Hour)
	within("start", s.Start, 0, 30*24*time.Hour)
	within("buffer_window", s.BufferWindow, 0, time.Minute)
	if s.PageSize < 1 || s.PageSize > 1000 {
		wrong("page_size", "%d is out of range: 1 to 1000", s.PageSize)
	}
	if s.CallsPerMinute < 6 || s.CallsPerMinute > 6000 {
		wrong("calls_per_minute", "%d is out of range: 6 to 6000; the API's own quota is 60 unless it was raised", s.CallsPerMinute)
	}
	errs = append(errs, google.CheckEndpoint(s.Endpoint)...)
	if len(s.Filter) > maxFilter/2 {
		wrong("filter", "%d characters are too many: up to %d", len(s.Filter), maxFilter/2)
	}
	return errs
}
